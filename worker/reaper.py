"""The reaper: requeues jobs of lost workers, sends lost wake-up messages again, and deletes what is not needed."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import cache, partial

from backpropd import errors, logs
from backpropd.config import Settings
from backpropd.store import datasets
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import rescue, workers
from backpropd.store.sql.database import Database
from worker import health_file
from worker.process_identity import identity, may_run

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 1800.0  # far longer than an upload takes between its blob and its row
CLEAN_UP_EVERY = 60  # runs
FORGET_WORKERS_SECONDS = 3600.0


def run(settings: Settings, *, once: bool = False) -> None:
    """Reap until SIGTERM or SIGINT. Several reapers may run at the same time."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database, name = Database(settings.database_url), identity(os.getpid())
    blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
    wake_up = make_waker(settings)
    runs = 0
    while not stopped.is_set():
        if not once:
            attempt("send a heartbeat", lambda: _send_heartbeat(database, name, settings))
        reap(database, wake_up, settings)
        if runs % CLEAN_UP_EVERY == 0:
            clean_up(database, blobs, settings)
        runs += 1
        if once:
            return
        stopped.wait(settings.reap_seconds)
    attempt("deregister", lambda: _deregister(database, name))


def attempt(what: str, action: Callable[[], None]) -> None:
    """Do one thing. If it fails, the error is logged, which counts it, and the others are done."""
    try:
        action()
    except errors.DatabaseDamaged as error:
        log.error("could not %s: %s", what, error)
    except errors.Unavailable as error:
        log.warning("could not %s: %s", what, error)
    except Exception:
        log.exception("could not %s", what)


def _send_heartbeat(database: Database, name: str, settings: Settings) -> None:
    with database.write() as session:
        workers.record_heartbeat(session, name, 0, role=workers.REAPER, failures=logs.error_count())
    health_file.touch(settings)


def _deregister(database: Database, name: str) -> None:
    with database.write() as session:
        workers.remove(session, name)


def make_waker(settings: Settings) -> Callable[[], bool]:
    """What sends a wake-up message, false if the broker is unavailable. Celery, 30 MB, is imported for the first."""

    @cache
    def send() -> Callable[[], bool]:
        from backpropd import queue

        app = queue.make_app(settings)
        return lambda: bool(queue.wake_up(app))

    return lambda: send()()


def reap(database: Database, wake_up: Callable[[], bool], settings: Settings) -> None:
    """Requeue the jobs of lost workers, then wake up an idle worker for each job that could be trained."""
    attempt("requeue lost jobs", lambda: _requeue_lost(database, settings))
    attempt("wake up workers", lambda: _wake_up(database, wake_up, settings))


def _requeue_lost(database: Database, settings: Settings) -> None:
    with database.write() as session:
        lost = rescue.rescue_dead(session, may_run, settings.max_crashes)
        lost += rescue.rescue_expired(session, settings.lease_seconds, settings.max_crashes)
    for job_id in lost:
        log.warning("%s lost its worker", job_id)


def _wake_up(database: Database, wake_up: Callable[[], bool], settings: Settings) -> None:
    """A job is still queued if its wake-up message was lost: the broker was unavailable, or the sender died."""
    with database.read() as session:
        startable = rescue.count_startable(session, settings.lease_seconds)
    for _ in range(startable):
        if not wake_up():
            break


def clean_up(database: Database, blobs: Blobs, settings: Settings) -> None:
    """Delete old idempotency keys and workers, blobs without a dataset, and abandoned workspaces."""
    attempt("tidy the scratch folder", lambda: blobs.tidy_scratch(ORPHAN_SECONDS))
    attempt("delete stale rows", lambda: _delete_stale(database, settings))
    attempt("delete unused blobs", lambda: _delete_unused(database, blobs))


def _delete_stale(database: Database, settings: Settings) -> None:
    with database.write() as session:
        rescue.delete_stale(session, settings.idempotency_seconds, FORGET_WORKERS_SECONDS)


def _delete_unused(database: Database, blobs: Blobs) -> None:
    for sha256 in blobs.older_than(ORPHAN_SECONDS):
        attempt(f"delete the blob {sha256}", partial(_delete_if_unused, database, blobs, sha256))


def _delete_if_unused(database: Database, blobs: Blobs, sha256: str) -> None:
    with database.read() as session:
        if datasets.blob_is_referenced(session, sha256):
            return
    with database.write() as session:
        if datasets.delete_blob(session, blobs, sha256):
            log.info("deleted the blob %s, which has no dataset", sha256)
