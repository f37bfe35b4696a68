"""Whether the service can train: checks of its parts, each with a timeout."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from celery import Celery

from backpropd import errors, queue
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import workers
from backpropd.store.sql import revision
from backpropd.store.sql.database import Database
from backpropd.store.sql.integrity import IntegrityCheck

CHECK_SECONDS = 3.0  # for all checks together; those that take longer have failed
KEEP_SECONDS = 1.0  # before a check is made again; until it is, at most for CHECK_SECONDS, the result before holds
PROBE_BYTES = 4096
MIB = 2**20
OPTIONAL = {"reaper"}  # without it the service is degraded, but answers and trains

Component = dict[str, Any]


class Readiness:
    """Checks components when asked, in threads of its own, and keeps the results for a moment."""

    def __init__(self, settings: Settings, database: Database, celery: Celery, blobs: Blobs) -> None:
        self._settings, self._database, self._celery, self._blobs = settings, database, celery, blobs
        self._integrity = IntegrityCheck(database)
        checks = {
            "database": self._check_database,
            "disk": self._check_disk,
            "blobs": self._check_blobs,
            "broker": self._check_broker,
            "workers": self._check_workers,
            "reaper": self._check_reaper,
        }
        self._threads = ThreadPoolExecutor(len(checks), "readiness")
        self._checks = {name: _Check(check, self._threads) for name, check in checks.items()}

    def components(self) -> dict[str, Component]:
        """Each component's name, whether it is ready, and a detail for people."""
        until = time.monotonic() + CHECK_SECONDS
        running = {name: check.latest() for name, check in self._checks.items()}
        return {name: _result(found, until) for name, found in running.items()}

    @property
    def can_predict(self) -> bool:
        """Whether the database answers, which is all that a prediction needs."""
        found = self._checks["database"].latest()
        return bool(_result(found, time.monotonic() + CHECK_SECONDS)["ready"])

    def _check_database(self) -> Component:
        try:
            revision.check(self._database)
            self._integrity.raise_damage()
        except errors.Unavailable as error:
            return _component(False, error.detail)
        return _component(True, "answers")

    def _check_disk(self) -> Component:
        """Whether files can be written, with some room to spare."""
        try:
            free = min(shutil.disk_usage(folder).free for folder in self._blobs.local_folders)
            with tempfile.TemporaryFile(dir=self._blobs.scratch) as file:
                file.write(bytes(PROBE_BYTES))
        except OSError as error:
            return _component(False, f"nothing can be written ({os.strerror(error.errno or 0).lower()})")
        least = self._settings.min_free_bytes
        if free < least:
            return _component(False, f"{free // MIB} MiB are free, less than {least // MIB} MiB: delete something")
        return _component(True, f"{free // MIB} MiB are free")

    def _check_blobs(self) -> Component:
        try:
            self._blobs.check()
        except errors.BlobsUnavailable as error:
            return _component(False, f"{error.detail}; until then uploads are refused and jobs wait")
        return _component(True, "answers" if self._blobs.remote else "in a folder of this machine")

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

    def _check_reaper(self) -> Component:
        try:
            with self._database.read() as session:
                count, _ = workers.alive(session, self._settings.reaper_timeout_seconds, workers.REAPER)
        except errors.Unavailable:
            return _component(False, "unknown without the database")
        if count:
            return _component(True, f"{count}")
        return _component(
            False, "no recent heartbeat: jobs run, but those of lost workers and lost messages wait for it"
        )


class _Check:
    """One check: made again when its last result is old, never twice at a time; that result is the answer meanwhile."""

    def __init__(self, check: Callable[[], Component], threads: ThreadPoolExecutor) -> None:
        self._check, self._threads = check, threads
        self._lock = threading.Lock()
        self._latest: Future[Component] | None = None
        self._before: Future[Component] | None = None
        self._began = self._began_before = 0.0

    def latest(self) -> Future[Component]:
        """The result, perhaps in the future."""
        with self._lock:
            now = time.monotonic()
            if self._latest is None or (self._latest.done() and now - self._began > KEEP_SECONDS):
                self._before, self._began_before = self._latest, self._began
                self._latest, self._began = self._threads.submit(self._check), now
            if self._before and not self._latest.done() and now - self._began_before < CHECK_SECONDS:
                return self._before
            return self._latest


def _component(ready: bool, detail: str) -> Component:
    return {"ready": ready, "detail": detail}


def _result(check: Future[Component], until: float) -> Component:
    try:
        return check.result(max(until - time.monotonic(), 0))
    except TimeoutError:
        return _component(False, f"does not answer within {CHECK_SECONDS:g} seconds")
