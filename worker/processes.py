"""The worker's processes: a Celery parent that wakes and minds, and prefork children that train one job at a time."""

from __future__ import annotations

import logging
import mmap
import os
import secrets
import socket
import threading
from typing import Any

from celery import Celery, signals

from backpropd import errors, queue
from backpropd.config import Settings
from backpropd.store import workers
from backpropd.store.blobs import Blobs
from backpropd.store.database import Database
from worker import compiled, tasks
from worker.runner import Runner

log = logging.getLogger(__name__)

OPTIONS = (
    "--pool=prefork",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
    "--loglevel=WARNING",
)


class Stopping:
    """A byte that the parent and its children share: set once, when the parent is told to stop."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Tell every child."""
        self._byte[0] = 1

    def __call__(self) -> bool:
        return self._byte[0] == 1


def run(settings: Settings) -> None:
    """Train until SIGTERM; running jobs are checkpointed and handed back."""
    compiled.prepare(settings.data_dir)
    app = queue.make_app(settings)
    stopping = Stopping()
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    database = Database(settings.database_url)
    blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
    tasks.register(app, Runner(name, settings, database, blobs, stopping))
    _mind(app, settings, database, stopping, name)
    app.worker_main(["worker", *OPTIONS, f"--concurrency={settings.workers}", f"--hostname={name}@%h"])


def _mind(app: Celery, settings: Settings, database: Database, stopping: Stopping, name: str) -> None:
    """Connect what must happen when the parent starts and stops, and when a child is born."""
    told = threading.Event()

    @signals.worker_process_init.connect(weak=False)
    def child_born(**_: Any) -> None:
        database.engine.dispose(close=False)  # the parent's connections are not the child's to use

    @signals.worker_ready.connect(weak=False)
    def ready(**_: Any) -> None:
        threading.Thread(target=_tell, args=(database, settings, name, told), daemon=True).start()
        for _place in range(settings.workers):
            queue.ring(app)  # look at once for what was queued while nobody was there

    @signals.worker_shutting_down.connect(weak=False)
    def shutting_down(**_: Any) -> None:
        stopping.set()

    @signals.worker_shutdown.connect(weak=False)
    def shut_down(**_: Any) -> None:
        told.set()
        try:
            with database.write() as session:
                workers.gone(session, name)
        except errors.Unavailable as away:
            log.warning("could not say goodbye: %s", away)


def _tell(database: Database, settings: Settings, name: str, told: threading.Event) -> None:
    """Say every heartbeat that this worker lives.

    The parent forks anew whenever a child dies. No connection is open and no write under way at that moment: SQLite's
    must not be carried over a fork.
    """
    quiet = threading.Lock()
    os.register_at_fork(before=quiet.acquire, after_in_parent=quiet.release, after_in_child=quiet.release)
    while not told.is_set():
        with quiet:
            try:
                with database.write() as session:
                    workers.seen(session, name, settings.workers)
            except errors.Unavailable as away:
                log.warning("could not tell that this worker lives: %s", away)
            database.dispose()
        told.wait(settings.heartbeat_seconds)
