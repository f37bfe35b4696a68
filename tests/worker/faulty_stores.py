"""Databases and blobs with faults."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store.blobs import Blobs
from backpropd.store.sql.database import Database
from tests.worker.conftest import Stores, wait_until


class LosesAnswers(Database):
    """A database that raises after committed writes, as if the answer was lost, while it has certain jobs."""

    def __init__(self, stores: Stores, jobs: Select[int]) -> None:
        super().__init__(stores.settings.database_url)
        self.jobs = jobs

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            lost = session.scalar(self.jobs.limit(1)) is not None
        if lost:
            raise errors.Unavailable("the answer is lost")


class HoldsAfterWrite(Database):
    """A database that acts once, after the first committed write with which a condition holds.

    The write returns when the lease thread has seen what the action did, whatever the speed of the machine.
    """

    def __init__(self, stores: Stores, condition: Callable[[], bool], action: Callable[[], Any]) -> None:
        super().__init__(stores.settings.database_url)
        self.condition, self.action = condition, action
        self.held, self.reads, self.lease_is_lost = False, 0, False

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
        if not self.held and self.condition():
            self.held = True
            self.action()
            before = self.reads
            wait_until(lambda: self.lease_is_lost or self.reads > before + 2)  # one tick of the thread is complete

    @contextmanager
    def read(self) -> Iterator[Session]:
        self.reads += 1
        try:
            with super().read() as session:
                yield session
        except errors.LeaseLost:
            self.lease_is_lost = True
            raise


class BlobsWithCallback(Blobs):
    """Blobs that call a function when a claimed job reads its table, before its first epoch."""

    def __init__(self, stores: Stores, callback: Any) -> None:
        super().__init__(stores.settings.blobs_url, stores.settings.data_dir / "scratch")
        self.callback = callback

    @contextmanager
    def local_path(self, sha256: str, owner: str) -> Iterator[Path]:
        self.callback()
        with super().local_path(sha256, owner) as path:
            yield path


class InterruptibleDatabase(Database):
    """A database that can be made unavailable."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.unavailable = threading.Event()

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self.unavailable.is_set():
            raise errors.Unavailable("no connection")
        with super().write() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        if self.unavailable.is_set():
            raise errors.Unavailable("no connection")
        with super().read() as session:
            yield session
