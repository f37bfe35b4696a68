"""A database: its engine, and the two kinds of transaction that everything runs in."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store.sql.column_types import json_text

try:  # a newer SQLite than Python's, where there is a wheel of it
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

BUSY_SECONDS = 15.0
BUSY_LOOK_SECONDS = 0.001
# Every query of ours has its index, whatever figures it is asked with: a plan need not be made for each, and one
# that was made while a table was small must not go on reading it whole until somebody looks at its statistics.
SERVER_SETTINGS = {
    "statement_timeout": 60_000,
    "lock_timeout": 15_000,
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
}
# PostgreSQL writes 1e300 out: what is no integer of 64 bits is read as the float that it was.
AS_JSON: dict[str, Any] = {"json_serializer": json_text, "json_deserializer": orjson.loads}
SILENT_CONNECTION = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}


def _monotonic() -> int:
    return time.monotonic_ns() // 1000


class Database:
    """Opens transactions. `write` holds SQLite's one writer's lock from its first statement; `read` never writes."""

    def __init__(self, url: str, steady: Callable[[], int] = _monotonic) -> None:
        """`steady` gives the microseconds that SQLite's leases go by; PostgreSQL has a clock of its own."""
        self.url = url
        self.engine = _sqlite(url, steady) if make_url(url).get_backend_name() == "sqlite" else _postgresql(url)
        # PostgreSQL has a snapshot for each statement anyhow: what only reads need not begin and end a transaction.
        alone = {"isolation_level": "AUTOCOMMIT"} if self.engine.dialect.name == "postgresql" else {}
        self._reading = self.engine.execution_options(backpropd_writing=False, **alone)
        self._writing = self.engine.execution_options(backpropd_writing=True)
        self._queue = threading.Lock() if self.engine.dialect.name == "sqlite" else None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write: committed at the end of the block, rolled back if it raises.

        Raises:
            errors.Unavailable: the database cannot be reached, or stayed busy for too long.
        """
        with self._turn(), _answering(), self._writing.begin() as connection, _session(connection) as session:
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have this process's writers wait for each other where the database has one at a time.

        SQLite would have them sleep, ever longer, and try again. Raises `errors.Unavailable` after as long as it would.
        """
        if self._queue is None:
            yield
            return
        if not self._queue.acquire(timeout=BUSY_SECONDS):
            raise _busy()
        try:
            yield
        finally:
            self._queue.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self.read_connection() as connection, _session(connection) as session:
            yield session

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        """A transaction that only reads, for what every request reads: without a session it takes half the time."""
        with _answering(), self._reading.connect() as connection:
            yield connection

    def ping(self) -> None:
        """Raise `errors.Unavailable` unless the database answers."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close every connection: at the end, and in a child after a fork."""
        self.engine.dispose()


@contextmanager
def _session(connection: Connection) -> Iterator[Session]:
    """A session in the connection's transaction, which ends as the connection says.

    One that begins its own takes as long as two statements do, for whatever is run past it.
    """
    with Session(connection, expire_on_commit=False) as session:
        yield session
        session.flush()


@contextmanager
def _answering() -> Iterator[None]:
    """Raise `errors.Unavailable` where the database gives no answer."""
    try:
        yield
    except NoConnection as error:
        raise errors.Unavailable("every connection to the database is in use: try again") from error
    except (OperationalError, DBAPIError) as error:
        if isinstance(error, OperationalError) or error.connection_invalidated:
            raise errors.Unavailable(f"the database cannot answer now ({_first_line(error)}): try again") from error
        raise


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().split("\n")[0] or type(error.orig).__name__


def _postgresql(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=32,
        **AS_JSON,
        hide_parameters=True,  # an error shall not quote rows
        connect_args={
            "connect_timeout": 3,
            "options": " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items()),
            **SILENT_CONNECTION,
        },
    )
    event.listen(engine, "checkout", lambda connection, *_: _refuse_closed(connection))
    return engine


def _refuse_closed(connection: Any) -> None:
    """Have the pool connect anew where the server has closed a connection: its end is there to read.

    Asking the server, as a pool can, would be a round trip for every transaction. Raises `InvalidatePoolError`.
    """
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    if look.poll(0):
        raise InvalidatePoolError("the server has closed this connection")


def _sqlite(url: str, steady: Callable[[], int]) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        module=sqlite3,
        pool_size=8,
        max_overflow=32,
        **AS_JSON,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", lambda connection, _: _configure_sqlite(connection, steady))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, steady: Callable[[], int]) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    wal = wal_is_safe(sqlite3.sqlite_version_info)
    connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}").fetchone()
    connection.execute("PRAGMA synchronous=FULL")  # what was answered 202 outlives a power cut
    connection.execute("PRAGMA foreign_keys=ON")
    connection.create_function("steady", 0, steady)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes gets SQLITE_BUSY at once, whatever the timeout: a writer takes
    # its lock before its first read.
    if connection.get_execution_options().get("backpropd_writing", True):
        _begin_to_write(connection.connection.driver_connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: Any) -> None:
    """Begin when no other process writes.

    SQLite itself would sleep ever longer, up to a tenth of a second, while others take the lock again and again. Raises
    `errors.Unavailable` after `BUSY_SECONDS`.
    """
    until = time.monotonic() + BUSY_SECONDS
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise errors.Unavailable(f"the database cannot answer now ({error}): try again") from error
                if time.monotonic() > until:
                    raise _busy() from error
            time.sleep(BUSY_LOOK_SECONDS)
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")


def _busy() -> errors.Unavailable:
    return errors.Unavailable(f"the database was busy for {BUSY_SECONDS:g} s: try again")


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug, which can corrupt a database (3.7.0 to 3.51.2)."""
    mended_in = {(3, 44): 6, (3, 50): 7}
    return version >= (3, 51, 3) or version[2] >= mended_in.get(version[:2], 1_000)
