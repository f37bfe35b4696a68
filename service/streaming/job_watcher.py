"""Who waits for news of a job is told when there is some: one thread looks, however many wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backpropd import errors
from backpropd.store import job_versions
from backpropd.store.job_versions import JobVersion
from backpropd.store.sql.database import Database

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.025
AWAY_SECONDS = 1.0  # between two looks while the database is away


UNSEEN = JobVersion("", -1, -1)


class _Watched:
    """A job that somebody watches: its mark, `UNSEEN` before the first look, and None if it is gone."""

    def __init__(self, lock: threading.Lock) -> None:
        self.news = threading.Condition(lock)  # its own: news of one job wakes nobody who waits for another
        self.mark: JobVersion | None = UNSEEN
        self.watchers = 0


class JobWatcher:
    """Looks at all jobs that somebody watches, and wakes those whose job has changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._jobs: dict[str, _Watched] = {}
        self._watching = 0
        self._thread: threading.Thread | None = None

    @property
    def watching(self) -> int:
        """How many watch now."""
        return self._watching

    @contextmanager
    def watch(self, job_id: str) -> Iterator[None]:
        """Have this job looked at."""
        with self._lock:
            job = self._jobs.setdefault(job_id, _Watched(self._lock))
            job.watchers += 1
            self._watching += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="watcher", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                job.watchers -= 1
                self._watching -= 1
                if not job.watchers:
                    del self._jobs[job_id]

    def wait(self, job_id: str, seen: JobVersion | None, seconds: float) -> JobVersion | None:
        """The watched job's mark as soon as it is another than `seen`, or after so long; None if it is gone."""
        with self._lock:
            job = self._jobs[job_id]
            changed = job.news.wait_for(lambda: job.mark not in (UNSEEN, seen), seconds)
            return job.mark if changed else seen

    def _look(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                watched = list(self._jobs)
            pause = LOOK_SECONDS
            try:
                with self._database.read_connection() as connection:
                    found = job_versions.read(connection, watched)
            except errors.Unavailable:
                pause = AWAY_SECONDS
            except Exception:  # whatever it is: those who wait must not wait for a thread that is gone
                log.exception("cannot look for news")
                pause = AWAY_SECONDS
            else:
                self._tell({job_id: found.get(job_id) for job_id in watched})
            time.sleep(pause)

    def _tell(self, found: dict[str, JobVersion | None]) -> None:
        with self._lock:
            for job_id, mark in found.items():
                job = self._jobs.get(job_id)
                if job is not None and job.mark != mark:
                    job.mark = mark
                    job.news.notify_all()
