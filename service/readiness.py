"""Whether the service can train: checks of the database, the broker and the workers, each with a timeout."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from celery import Celery

from backpropd import errors, queue
from backpropd.config import Settings
from backpropd.store.scheduling import workers
from backpropd.store.sql.database import Database

CHECK_SECONDS = 3.0  # for all checks together; those that take longer have failed
KEEP_SECONDS = 1.0  # before a check is made again

Component = dict[str, Any]


class Readiness:
    """Checks components when asked, in threads of its own, and keeps the results for a moment."""

    def __init__(self, settings: Settings, database: Database, celery: Celery) -> None:
        self._settings, self._database, self._celery = settings, database, celery
        checks = {"database": self._check_database, "broker": self._check_broker, "workers": self._check_workers}
        self._threads = ThreadPoolExecutor(len(checks), "readiness")
        self._checks = {name: _Check(check, self._threads) for name, check in checks.items()}

    def components(self) -> dict[str, Component]:
        """Each component's name, whether it is ready, and a detail for people."""
        until = time.monotonic() + CHECK_SECONDS
        running = {name: check.latest() for name, check in self._checks.items()}
        return {name: _result(found, until) for name, found in running.items()}

    def _check_database(self) -> Component:
        try:
            self._database.ping()
        except errors.Unavailable as error:
            return _component(False, error.detail)
        return _component(True, "answers")

    def _check_broker(self) -> Component:
        if queue.ping(self._celery):
            return _component(True, "answers")
        return _component(False, "does not answer: jobs are accepted, and start when the reaper or a worker polls")

    def _check_workers(self) -> Component:
        try:
            with self._database.read() as session:
                count, slots = workers.alive(session, self._settings.worker_timeout_seconds)
        except errors.Unavailable:
            return _component(False, "unknown without the database")
        return _component(count > 0, f"{count} with {slots} slots for jobs" if count else "no recent heartbeat")


class _Check:
    """One check: made again when its last result is old, and never twice at a time."""

    def __init__(self, check: Callable[[], Component], threads: ThreadPoolExecutor) -> None:
        self._check, self._threads = check, threads
        self._lock = threading.Lock()
        self._latest: Future[Component] | None = None
        self._began = 0.0

    def latest(self) -> Future[Component]:
        """The result, perhaps in the future."""
        with self._lock:
            is_old = time.monotonic() - self._began > KEEP_SECONDS
            if self._latest is None or (is_old and self._latest.done()):
                self._latest, self._began = self._threads.submit(self._check), time.monotonic()
            return self._latest


def _component(ready: bool, detail: str) -> Component:
    return {"ready": ready, "detail": detail}


def _result(check: Future[Component], until: float) -> Component:
    try:
        return check.result(max(until - time.monotonic(), 0))
    except TimeoutError:
        return _component(False, f"does not answer within {CHECK_SECONDS:g} seconds")
