"""Who waits for news of a job is told when there is some: one thread looks, however many wait."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from backpropd import errors
from backpropd.store import jobs
from backpropd.store.database import Database

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.025
AWAY_SECONDS = 1.0  # between two looks while the database is away


class Mark(NamedTuple):
    """What changes when there is news of a job."""

    status: str
    token: int
    epoch: int


UNSEEN = Mark("", -1, -1)


class Watcher:
    """Looks at all jobs that somebody watches, and wakes those whose job has changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news = threading.Condition()
        self._watched: Counter[str] = Counter()
        self._marks: dict[str, Mark | None] = {}
        self._thread: threading.Thread | None = None

    @property
    def watching(self) -> int:
        """How many watch now."""
        return self._watched.total()

    @contextmanager
    def watch(self, job_id: str) -> Iterator[None]:
        """Have this job looked at."""
        with self._news:
            self._watched[job_id] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="watcher", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._news:
                self._watched[job_id] -= 1
                if not self._watched[job_id]:
                    del self._watched[job_id]
                    self._marks.pop(job_id, None)

    def wait(self, job_id: str, seen: Mark | None, seconds: float) -> Mark | None:
        """The watched job's mark as soon as it is another than `seen`, or after so long; None if it is gone."""

        def changed() -> bool:
            return job_id in self._marks and self._marks[job_id] != seen

        with self._news:
            self._news.wait_for(changed, seconds)
            return self._marks.get(job_id, seen)

    def _look(self) -> None:
        while True:
            with self._news:
                if not self._watched:
                    self._thread = None
                    return
                watched = list(self._watched)
            pause = LOOK_SECONDS
            try:
                with self._database.read() as session:
                    found = {row.id: Mark(row.status, row.token, row.epoch) for row in jobs.marks(session, watched)}
            except errors.Unavailable:
                pause = AWAY_SECONDS
            except Exception:  # whatever it is: those who wait must not wait for a thread that is gone
                log.exception("cannot look for news")
                pause = AWAY_SECONDS
            else:
                self._tell({job_id: found.get(job_id) for job_id in watched})
            time.sleep(pause)

    def _tell(self, found: dict[str, Mark | None]) -> None:
        with self._news:
            news = {job_id: mark for job_id, mark in found.items() if job_id in self._watched}
            if any(job_id not in self._marks or self._marks[job_id] != mark for job_id, mark in news.items()):
                self._marks.update(news)
                self._news.notify_all()
