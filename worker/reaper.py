"""The reaper: requeues jobs of lost workers, sends lost wake-up messages again, and deletes what is not needed."""

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
from worker.process_identity import may_run

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 1800.0  # far longer than an upload takes between its blob and its row
CLEAN_UP_EVERY = 60  # runs
FORGET_WORKERS_SECONDS = 3600.0


def run(settings: Settings, *, once: bool = False) -> None:
    """Reap until SIGTERM or SIGINT. Several reapers may run at the same time."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database = Database(settings.database_url)
    blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
    app = queue.make_app(settings)
    runs = 0
    while not stopped.is_set():
        try:
            reap(database, app, settings)
            if runs % CLEAN_UP_EVERY == 0:
                clean_up(database, blobs, settings)
        except errors.Unavailable as error:
            log.warning("could not reap: %s", error)
        runs += 1
        if once or stopped.wait(settings.reap_seconds):
            return


def reap(database: Database, app: Celery, settings: Settings) -> None:
    """Requeue the jobs of lost workers, then wake up an idle worker for each job that could be trained.

    A job is still queued then if its wake-up message was lost: the broker was unavailable, or the sender died.
    """
    with database.write() as session:
        lost = rescue.rescue_dead(session, may_run, settings.max_crashes)
        lost += rescue.rescue_expired(session, settings.lease_seconds, settings.max_crashes)
    for job_id in lost:
        log.warning("%s lost its worker", job_id)
    with database.read() as session:
        startable = rescue.count_startable(session, settings.lease_seconds)
    for _ in range(startable):
        if not queue.wake_up(app):
            break


def clean_up(database: Database, blobs: Blobs, settings: Settings) -> None:
    """Delete old idempotency keys and workers, blobs without a dataset, and abandoned workspaces."""
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
                log.info("deleted the blob %s, which has no dataset", sha256)
