"""A database: its connections, and transactions that read or write."""

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, Select, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from backpropd import config, errors, private_folder
from backpropd.store.sql import failures
from backpropd.store.sql.column_types import json_text, read_json

try:  # a newer SQLite than Python's, where there is a wheel of it
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

BUSY_SECONDS = 15.0
NEW = "is new"  # of a connection that was just made, in its record of the pool
BUSY_POLL_SECONDS = 0.001
# Every query has an index that suits all its parameters: one generic plan is enough, and a plan that was made while a
# table was small must not scan the table later, before its statistics are updated. A plan that cannot avoid a scan then
# has an enormous cost, for which PostgreSQL would compile each statement each time (JIT): 0.5 s instead of 1 ms.
SERVER_SETTINGS = {
    "statement_timeout": 60_000,
    "lock_timeout": 15_000,
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
AS_JSON = {"json_serializer": json_text, "json_deserializer": read_json}
# Errors must not quote rows.
ENGINE_OPTIONS: dict[str, Any] = {"pool_size": 8, "max_overflow": 32, "hide_parameters": True, **AS_JSON}
KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}


def _monotonic() -> int:
    return time.monotonic_ns() // 1000


class Database:
    """Opens transactions. On SQLite `write` takes the database's one write lock when it begins."""

    def __init__(self, url: str, steady: Callable[[], int] = _monotonic) -> None:
        """`steady` is SQLite's clock for leases, in microseconds. PostgreSQL uses the server's."""
        self.url = url
        self.engine = _sqlite(sqlite_path(url), steady) if url.startswith("sqlite:") else _postgresql(url)
        # Each statement has its own snapshot on PostgreSQL in any case: reads save the BEGIN and COMMIT.
        autocommit = {"isolation_level": "AUTOCOMMIT"} if self.engine.dialect.name == "postgresql" else {}
        self._reading = self.engine.execution_options(backpropd_writing=False, **autocommit)
        self._writing = self.engine.execution_options(backpropd_writing=True)
        self._writer_lock = threading.Lock() if self.engine.dialect.name == "sqlite" else None
        self._compiled = dict[Select[Any], SQLCompiler]()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write: committed at the end of the block, rolled back if it raises.

        Raises `errors.Unavailable` if the database cannot be reached, or stays busy for too long.
        """
        with self._one_writer(), _translating(), self._writing.begin() as connection, _session(connection) as session:
            yield session

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Queue this process's writers on SQLite, which would let them poll with growing pauses instead.

        Raises `errors.Unavailable` after `BUSY_SECONDS`.
        """
        if self._writer_lock is None:
            yield
            return
        if not self._writer_lock.acquire(timeout=BUSY_SECONDS):
            raise _busy()
        try:
            yield
        finally:
            self._writer_lock.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self.read_connection() as connection, _session(connection) as session:
            yield session

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        """A transaction that only reads, without a session: it takes half the time."""
        with _translating(), self._reading.connect() as connection:
            yield connection

    def read_row(self, query: Select[Any], parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row of a query, as the driver returns it: for what every request reads.

        A connection and a result of SQLAlchemy, and a transaction for the one statement, would take five times as long.
        """
        if query not in self._compiled:
            self._compiled[query] = query.compile(dialect=self.engine.dialect)
        compiled = self._compiled[query]
        given = parameters if compiled.positiontup is None else [parameters[name] for name in compiled.positiontup]
        with _translating(), closing(self.engine.raw_connection()) as connection:
            driver_connection: Any = connection.driver_connection
            try:
                with self._without_transaction(driver_connection):
                    found: tuple[Any, ...] | None = driver_connection.execute(compiled.string, given).fetchone()
            except Exception:
                connection.invalidate()
                raise
            return found

    @contextmanager
    def _without_transaction(self, driver_connection: Any) -> Iterator[None]:
        """Have psycopg begin none for the next statement; the driver of SQLite never does."""
        if self.engine.dialect.name == "sqlite":
            yield
        else:
            driver_connection.autocommit = True
            yield
            driver_connection.autocommit = False

    def ping(self) -> None:
        """Raise `errors.Unavailable` unless the database answers."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def empty_log(self) -> None:
        """Move SQLite's write-ahead log into the database: deleted bytes are in neither then.

        While another program reads or writes, the log stays until its next checkpoint.
        """
        if self.engine.dialect.name == "sqlite":
            with closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _session(connection: Connection) -> Iterator[Session]:
    """A session in the connection's transaction.

    A session that begins its own transaction costs as much as two statements that are run past it.
    """
    with Session(connection, expire_on_commit=False) as session:
        yield session
        session.flush()


@contextmanager
def _translating() -> Iterator[None]:
    """Raise `errors.Unavailable`, or one of its kinds, for errors of the database and its connections."""
    try:
        yield
    except PoolTimeout as error:
        raise errors.Unavailable("every connection to the database is in use: try again") from error
    except (DBAPIError, psycopg.Error, sqlite3.Error) as error:  # the drivers' own from the listeners and `read_row`
        if meaning := failures.translated(error):
            raise meaning from error
        raise


def _postgresql(url: str) -> Engine:
    engine = create_engine(
        url,
        **ENGINE_OPTIONS,
        connect_args={
            "connect_timeout": 3,
            "client_encoding": "utf8",  # otherwise text of a database without an encoding would arrive as bytes
            "options": " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items()),
            **KEEPALIVE,
        },
    )
    event.listen(engine, "connect", lambda _, record: record.info.update({NEW: True}))
    event.listen(engine, "checkout", lambda connection, record, _: _check_open(connection, record))
    event.listen(engine, "do_connect", _connect)
    return engine


def _connect(dialect: Dialect, _: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
    """Connect with a password of the settings as they are now: during a change there are two, the new and the old.

    Their file or the role's password may change between the attempts: after the last rejection all are tried once more.
    """
    try:
        return _try_passwords(dialect, arguments, parameters)
    except psycopg.OperationalError as error:
        if not _is_rejection(error):
            raise
    return _try_passwords(dialect, arguments, parameters)


def _try_passwords(dialect: Dialect, arguments: Any, parameters: dict[str, Any]) -> Any:
    *others, last = [{"password": password} for password in config.passwords("database_password")] or [{}]
    for password in others:
        try:
            return dialect.connect(*arguments, **parameters | password)
        except psycopg.OperationalError as error:
            if not _is_rejection(error):
                raise
    return dialect.connect(*arguments, **parameters | last)


def _is_rejection(error: psycopg.OperationalError) -> bool:
    """Whether the server asked for a password and rejected it, or there was none."""
    return bool(error.pgconn and (error.pgconn.used_password or error.pgconn.needs_password))


def _check_open(connection: Any, record: Any) -> None:
    """Raise `InvalidatePoolError` for a connection that the server has closed, so that the pool reconnects.

    A closed socket is readable. The pool's own check would be a round trip for every transaction. A new connection is
    not checked: the pool gives up with an error of its own after the second time, and a statement fails with ours.
    """
    if record.info.pop(NEW, False):
        return
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise InvalidatePoolError("the server has closed this connection")


def sqlite_path(url: str) -> str:
    """The path in `sqlite:///path`, as it stands: a path may have any characters, and is never parsed."""
    return url.removeprefix("sqlite://").removeprefix("/")


def _sqlite(path: str, steady: Callable[[], int]) -> Engine:
    if path and path != ":memory:":
        private_folder.make(Path(path).absolute().parent)
    engine = create_engine(
        URL.create("sqlite", database=path),
        module=sqlite3,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        **ENGINE_OPTIONS,
    )
    event.listen(engine, "connect", lambda connection, _: _configure_sqlite(connection, steady))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, steady: Callable[[], int]) -> None:
    connection.isolation_level = None  # _begin_sqlite begins transactions, not the driver
    wal = wal_is_safe(sqlite3.sqlite_version_info)
    connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}").fetchone()
    connection.execute("PRAGMA synchronous=FULL")  # a job that was answered with 202 survives a power failure
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # otherwise deleted bytes stay until their pages are used again
    connection.create_function("steady", 0, steady)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that first reads and then writes fails with SQLITE_BUSY whatever the timeout is: writers
    # take the lock before their first read.
    if connection.get_execution_options().get("backpropd_writing", True):
        _begin_to_write(connection.connection.driver_connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: Any) -> None:
    """Wait until no other process writes, and begin.

    SQLite's own wait has growing pauses, up to a tenth of a second, in which other processes take the lock again and
    again. Raises `errors.Unavailable` after `BUSY_SECONDS`.
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
                    raise
                if time.monotonic() > until:
                    raise _busy() from error
            time.sleep(BUSY_POLL_SECONDS)
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")


def _busy() -> errors.Unavailable:
    return errors.Unavailable(f"the database was busy for {BUSY_SECONDS:g} s: try again")


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug, which can corrupt a database (3.7.0 to 3.51.2)."""
    fixed_in = {(3, 44): 6, (3, 50): 7}
    return version >= (3, 51, 3) or version[2] >= fixed_in.get(version[:2], 1_000)
