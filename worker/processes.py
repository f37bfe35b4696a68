"""The worker's processes: a Celery parent that wakes and minds, and prefork children that train one job at a time."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from billiard.process import current_process
from celery import Celery, signals

from backpropd import errors, queue
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import rescue, workers
from backpropd.store.sql.database import Database
from worker import kernel_cache, tasks
from worker.heartbeat_board import HeartbeatBoard
from worker.process_identity import identity, lives
from worker.runner import Runner

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
BURY_SECONDS = 1.0
OPTIONS = (
    "--pool=prefork",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
    "--loglevel=WARNING",
)


def run(settings: Settings) -> None:
    """Train until SIGTERM; running jobs are checkpointed and handed back."""
    kernel_cache.prepare(settings.data_dir)
    app = queue.make_app(settings)
    database = Database(settings.database_url)
    blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
    name = identity(os.getpid())
    runner = Runner(name, settings, database, blobs, HeartbeatBoard(settings.workers))
    tasks.register(app, runner)
    _mind(app, runner)
    options = [*OPTIONS, f"--concurrency={settings.workers}", f"--hostname={name.replace('/', '-')}@%h"]
    app.worker_main(["worker", *options])


def _mind(app: Celery, runner: Runner) -> None:
    """Connect what must happen when the parent starts and stops, and when a child is born."""
    told, parent, database = threading.Event(), os.getpid(), runner.database

    @signals.worker_process_init.connect(weak=False)
    def child_born(**_: Any) -> None:
        database.engine.dispose(close=False)  # the parent's connections are not the child's to use
        runner.name = identity(parent)
        runner.board.enter(current_process().index)

    @signals.worker_ready.connect(weak=False)
    def ready(sender: Any, **_: Any) -> None:
        # Celery hears of a child's death a moment before the child can be buried, and looks again after five seconds.
        sender.hub.call_repeatedly(BURY_SECONDS, sender.pool.maintain_pool)
        threading.Thread(target=_watch, args=(app, runner, told), name="watch", daemon=True).start()
        for _place in range(runner.settings.workers):
            queue.wake_up(app)  # look at once for what was queued while nobody was there

    @signals.worker_shutting_down.connect(weak=False)
    def shutting_down(**_: Any) -> None:
        runner.board.stop()

    @signals.worker_shutdown.connect(weak=False)
    def shut_down(**_: Any) -> None:
        told.set()
        try:
            with database.write() as session:
                workers.remove(session, runner.name)
        except errors.Unavailable as away:
            log.warning("could not say goodbye: %s", away)


def _watch(app: Celery, runner: Runner, told: threading.Event) -> None:
    """Say every heartbeat that this worker lives; end children that hang, and take up the jobs of those that died.

    The parent forks anew whenever a child dies. No connection is open and no write under way at that moment: SQLite's
    must not be carried over a fork.
    """
    quiet = threading.Lock()
    os.register_at_fork(before=quiet.acquire, after_in_parent=quiet.release, after_in_child=quiet.release)
    said_at, orphans = -math.inf, False
    while not told.wait(WATCH_SECONDS):
        orphans = runner.board.somebody_died() or orphans
        for pid in runner.board.hung(runner.settings.lease_seconds):
            log.error("the child %d gives no sign of life: it is killed", pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not orphans and time.monotonic() - said_at < runner.settings.heartbeat_seconds:
            continue
        try:
            with quiet:
                lost = _tell(runner)
        except errors.Unavailable as away:
            log.warning("could not tell that this worker lives: %s", away)
            continue
        said_at, orphans = time.monotonic(), False
        for job_id in lost:
            log.warning("%s lost its worker", job_id)
            queue.wake_up(app)


def _tell(runner: Runner) -> list[str]:
    """Say that this worker lives, and take up the jobs of its machine's dead. Gives their ids."""
    try:
        with runner.database.write() as session:
            workers.record_heartbeat(session, runner.name, runner.settings.workers)
            return rescue.rescue_dead(session, lives, runner.settings.max_losses)
    finally:
        runner.database.dispose()
