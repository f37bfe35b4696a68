"""A database: its connections, and transactions that read or write."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Connection, Select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from backpropd import errors
from backpropd.store.sql import engines, failures


def _monotonic() -> int:
    return time.monotonic_ns() // 1000


class Database:
    """Opens transactions. On SQLite `write` takes the database's one write lock when it begins."""

    before_wait: Callable[[], None] = staticmethod(lambda: None)
    """Called before a transaction waits for others that write to SQLite, or for a new connection to PostgreSQL."""

    def __init__(self, url: str, steady: Callable[[], int] = _monotonic) -> None:
        """`steady` is SQLite's clock for leases, in microseconds. PostgreSQL uses the server's."""
        self.url = url
        if url.startswith("sqlite:"):
            self.engine = engines.sqlite(engines.sqlite_path(url), steady, lambda: self.before_wait())
        else:
            self.engine = engines.postgresql(url, lambda: self.before_wait())
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
        if not self._writer_lock.acquire(blocking=False):
            self.before_wait()
            if not self._writer_lock.acquire(timeout=engines.BUSY_SECONDS):
                raise engines.busy()
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
        named = compiled.construct_params(dict(parameters))
        given = named if compiled.positiontup is None else [named[name] for name in compiled.positiontup]
        begins_transactions = self.engine.dialect.name == "postgresql"  # its driver does; that of SQLite never does
        with _translating(), closing(self.engine.raw_connection()) as connection:
            driver_connection: Any = connection.driver_connection
            try:
                if begins_transactions:
                    driver_connection.autocommit = True
                found: tuple[Any, ...] | None = driver_connection.execute(compiled.string, given).fetchone()
                if begins_transactions:
                    driver_connection.autocommit = False
            except BaseException:
                connection.invalidate()
                raise
            return found

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
    except (DBAPIError, *engines.DRIVER_ERRORS) as error:  # the drivers' own from the listeners and `read_row`
        if meaning := failures.translated(error):
            raise meaning from error
        raise
