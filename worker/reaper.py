"""The reaper: every few seconds it takes up lost jobs, rings for unheard ones, and removes what nobody needs."""

from __future__ import annotations

import logging
import signal
import threading

from celery import Celery

from backpropd import errors, queue
from backpropd.config import Settings
from backpropd.store import datasets
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import rescue
from backpropd.store.sql.database import Database
from worker.process_identity import lives

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 1800.0  # far longer than any upload stays between its blob and its row
TIDY_EVERY = 60  # sweeps
FORGET_WORKERS_SECONDS = 3600.0


def run(settings: Settings, *, once: bool = False) -> None:
    """Sweep until SIGTERM or SIGINT. Two reapers at once do each other no harm."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database = Database(settings.database_url)
    blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
    app = queue.make_app(settings)
    sweeps_done = 0
    while not stopped.is_set():
        try:
            sweep(database, app, settings)
            if sweeps_done % TIDY_EVERY == 0:
                tidy(database, blobs, settings)
        except errors.Unavailable as away:
            log.warning("could not sweep: %s", away)
        sweeps_done += 1
        if once or stopped.wait(settings.sweep_seconds):
            return


def sweep(database: Database, app: Celery, settings: Settings) -> None:
    """Take up what was lost, then ring for jobs that wait although somebody could train them.

    They do if nobody was told of them: the broker was away, or the process that should have rung is gone.
    """
    with database.write() as session:
        lost = rescue.rescue_dead(session, lives, settings.max_losses)
        lost += rescue.rescue_expired(session, settings.lease_seconds, settings.max_losses)
    for job_id in lost:
        log.warning("%s lost its worker", job_id)
    with database.read() as session:
        idle = rescue.count_startable(session, settings.lease_seconds)
    for _place in range(idle):
        if not queue.wake_up(app):
            break


def tidy(database: Database, blobs: Blobs, settings: Settings) -> None:
    """Forget old keys and workers, and delete blobs that no dataset names and workspaces that nobody uses."""
    blobs.tidy_scratch(ORPHAN_SECONDS)
    with database.write() as session:
        rescue.delete_stale(session, settings.idempotency_seconds, FORGET_WORKERS_SECONDS)
    for sha256 in blobs.older_than(ORPHAN_SECONDS):
        with database.read() as session:
            needed = datasets.blob_is_referenced(session, sha256)
        if needed:
            continue
        with database.write() as session:
            if datasets.delete_blob(session, blobs, sha256):
                log.info("deleted the blob %s, which no dataset names", sha256)
