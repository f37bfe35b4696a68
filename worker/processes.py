"""The worker's processes: a Celery parent that supervises, and prefork children that train one job at a time."""

import gc
import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any

from billiard.process import current_process
from billiard.util import LOGGER_NAME
from celery import Celery, signals

from backpropd import errors, logs, queue, session_priority, tracing
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import rescue, workers
from backpropd.store.sql.database import Database
from worker import health_file, tasks
from worker.heartbeat_board import HeartbeatBoard
from worker.process_identity import identity, may_run
from worker.runner import Runner

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
REAP_SECONDS = 1.0
OPTIONS = (
    "--pool=prefork",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
)


def run(settings: Settings) -> None:
    """Train until SIGTERM; running jobs are then checkpointed and handed back."""
    session_priority.lower(settings.training_niceness)
    use_kernels = _prepare_kernels(settings)
    app = queue.make_app(settings)
    database = Database(settings.database_url)
    blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
    name = identity(os.getpid())
    runner = Runner(name, settings, database, blobs, HeartbeatBoard(settings.workers), use_kernels)
    tasks.register(app, runner)
    _connect_signals(app, runner)
    options = [*OPTIONS, f"--concurrency={settings.workers}", f"--hostname={name.replace('/', '-')}@%h"]
    _silence_celery()
    gc.freeze()  # a collection in a child would write to, and so copy, the pages that it shares with this process
    app.worker_main(["worker", *options])


def _prepare_kernels(settings: Settings) -> Callable[[], None]:
    """Load all kernels, to share them with the children, or only compile them; returns what a child calls first."""
    if settings.preload_kernels:
        _load_kernels(settings)
        return lambda: None
    child = multiprocessing.get_context("fork").Process(target=_load_kernels, args=(settings,))  # gives its memory back
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(
            f"the kernels could not be compiled: {settings.data_dir / 'kernels'} must be writable, and memory free"
        )
    return cache(partial(_use_kernels, settings))


def _load_kernels(settings: Settings) -> None:
    from worker import kernel_cache  # and with it Numba

    kernel_cache.prepare(settings.data_dir)


def _use_kernels(settings: Settings) -> None:
    from worker import kernel_cache

    kernel_cache.use(settings.data_dir)


def _silence_celery() -> None:
    """Keep our log lines as they are, and Celery from adding what is not one: it prints a banner and a farewell."""
    signals.setup_logging.connect(lambda **_: None, weak=False)
    logging.getLogger("celery").setLevel(logging.WARNING)
    # That of billiard, which reports killed children, does not propagate.
    logging.getLogger(LOGGER_NAME).handlers = logging.root.handlers
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _connect_signals(app: Celery, runner: Runner) -> None:
    """Connect what happens when the parent starts and stops, and when a child starts."""
    stopped, parent, database = threading.Event(), os.getpid(), runner.database

    @signals.worker_process_init.connect(weak=False)
    def child_started(**_: Any) -> None:
        database.engine.dispose(close=False)  # the parent's connections must not be used by a child
        runner.name = identity(parent)
        runner.board.take_slot(current_process().index)
        os.nice(runner.settings.training_niceness)  # the parent and its heartbeats keep their priority
        tracing.set_up(runner.settings, "worker")

    @signals.worker_process_shutdown.connect(weak=False)
    def child_stops(**_: Any) -> None:
        tracing.flush()

    @signals.worker_ready.connect(weak=False)
    def parent_ready(sender: Any, **_: Any) -> None:
        # Celery learns of a child's death a moment before it can reap it, and tries again only after five seconds.
        sender.hub.call_repeatedly(REAP_SECONDS, sender.pool.maintain_pool)
        threading.Thread(target=_supervise, args=(app, runner, stopped), name="supervisor", daemon=True).start()
        for _child in range(runner.settings.workers):
            queue.wake_up(app)  # for jobs that were queued before

    @signals.worker_shutting_down.connect(weak=False)
    def parent_stopping(**_: Any) -> None:
        runner.board.stop()

    @signals.worker_shutdown.connect(weak=False)
    def parent_stopped(**_: Any) -> None:
        stopped.set()
        try:
            with database.write() as session:
                workers.remove(session, runner.name)
        except errors.Unavailable as error:
            log.warning("could not deregister this worker: %s", error)


def _supervise(app: Celery, runner: Runner, stopped: threading.Event) -> None:
    """Send heartbeats, kill children that hang, and rescue the jobs of those that died, until `stopped`.

    The parent forks whenever a child dies. At that moment no connection may be open and no write in progress: a child
    must not inherit an open SQLite connection.
    """
    not_forking = threading.Lock()
    release = not_forking.release
    os.register_at_fork(before=not_forking.acquire, after_in_parent=release, after_in_child=release)
    last_heartbeat, child_died = -math.inf, False
    while not stopped.wait(POLL_SECONDS):
        try:
            child_died = runner.board.child_died() or child_died
            _kill_hung_children(runner)
            if not child_died and time.monotonic() - last_heartbeat < runner.settings.heartbeat_seconds:
                continue
            with not_forking:
                lost = _send_heartbeat(runner)
            health_file.touch(runner.settings)
            last_heartbeat, child_died = time.monotonic(), False
            for job_id in lost:
                log.warning("%s lost its worker", job_id)
                queue.wake_up(app)
        except errors.Unavailable as error:
            log.warning("could not send a heartbeat: %s", error)
        except Exception:
            log.exception("could not send a heartbeat")


def _kill_hung_children(runner: Runner) -> None:
    for pid in runner.board.hung(runner.settings.lease_seconds):
        log.error("the child %d sends no heartbeat: it is killed", pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _send_heartbeat(runner: Runner) -> list[str]:
    """Record that this worker is alive, and rescue the jobs of this machine's dead processes. Returns their ids."""
    try:
        with runner.database.write() as session:
            failures = logs.error_count() + runner.board.errors()
            workers.record_heartbeat(session, runner.name, runner.settings.workers, failures=failures)
            return rescue.rescue_dead(session, may_run, runner.settings.max_crashes)
    finally:
        runner.database.dispose()
