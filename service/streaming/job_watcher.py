"""One thread that polls the versions of all watched jobs, and wakes the requests whose job has changed."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backpropd import errors
from backpropd.store import job_versions
from backpropd.store.job_versions import JobVersion
from backpropd.store.sql.database import Database
from backpropd.store.status import TERMINAL
from service.server.disconnect import Disconnect, NeverDisconnects

log = logging.getLogger(__name__)

POLL_SECONDS = 0.025
RETRY_SECONDS = 1.0  # between two polls while the database does not answer


UNKNOWN = JobVersion("", -1, -1)
STAYS = NeverDisconnects()


class _WatchedJob:
    """A job that requests watch: its version, `UNKNOWN` before the first poll, and None if it was deleted."""

    def __init__(self, lock: threading.Lock) -> None:
        self.changed = threading.Condition(lock)  # one for each job: a change wakes its own watchers only
        self.version: JobVersion | None = UNKNOWN
        self.watchers = 0


class JobWatcher:
    """Polls while any job is watched."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._jobs: dict[str, _WatchedJob] = {}
        self._watchers = 0
        self._thread: threading.Thread | None = None

    @property
    def watchers(self) -> int:
        """The number of open `watch` blocks."""
        return self._watchers

    @contextmanager
    def watch(self, job_id: str, disconnect: Disconnect = STAYS) -> Iterator[None]:
        """Poll this job for the duration of the block; a disconnect ends `wait` early."""
        with self._lock:
            job = self._jobs.setdefault(job_id, _WatchedJob(self._lock))
            job.watchers += 1
            self._watchers += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._poll, name="job-watcher", daemon=True)
                self._thread.start()
        disconnect.watch(lambda: self._wake(job))
        try:
            yield
        finally:
            with self._lock:
                job.watchers -= 1
                self._watchers -= 1
                if not job.watchers:
                    del self._jobs[job_id]

    def wait(
        self, job_id: str, seen: JobVersion | None, seconds: float, disconnect: Disconnect = STAYS
    ) -> JobVersion | None:
        """The watched job's version as soon as it differs from `seen`, None if it was deleted.

        `seen` after so many seconds, or when the client is gone.
        """
        with self._lock:
            job = self._jobs[job_id]
            job.changed.wait_for(lambda: job.version not in (UNKNOWN, seen) or disconnect.has_come, seconds)
            return seen if job.version == UNKNOWN else job.version

    def wait_until_ended(self, job_id: str, seconds: float, disconnect: Disconnect = STAYS) -> None:
        """Return when the job is over or deleted, after so many seconds, or when the client is gone."""
        until, version = time.monotonic() + seconds, UNKNOWN
        with self.watch(job_id, disconnect):
            while (left := until - time.monotonic()) > 0 and not disconnect.has_come:
                seen = self.wait(job_id, version, left, disconnect)
                if seen is None or seen.status in TERMINAL:
                    return
                version = seen

    def _wake(self, job: _WatchedJob) -> None:
        with self._lock:
            job.changed.notify_all()

    def _poll(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job_ids = list(self._jobs)
            pause = POLL_SECONDS
            try:
                with self._database.read_connection() as connection:
                    found = job_versions.read(connection, job_ids)
            except errors.Unavailable:
                pause = RETRY_SECONDS
            except Exception:  # any other: without this thread every watcher would wait in vain
                log.exception("cannot poll the versions of jobs")
                pause = RETRY_SECONDS
            else:
                self._publish({job_id: found.get(job_id) for job_id in job_ids})
            time.sleep(pause)

    def _publish(self, versions: dict[str, JobVersion | None]) -> None:
        with self._lock:
            for job_id, version in versions.items():
                job = self._jobs.get(job_id)
                if job is not None and job.version != version:
                    job.version = version
                    job.changed.notify_all()
