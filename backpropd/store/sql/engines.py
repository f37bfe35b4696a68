"""The engines of SQLite and PostgreSQL: how connections are opened, configured and checked, and begin to write."""

import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from backpropd import config, errors, private_folder
from backpropd.store.sql.column_types import json_text, read_json

try:  # a newer SQLite than Python's, where there is a wheel of it
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

DRIVER_ERRORS = (psycopg.Error, sqlite3.Error)
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


def postgresql(url: str, before_wait: Callable[[], None]) -> Engine:
    """An engine for this URL of PostgreSQL; `before_wait` is called before it connects."""
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
    event.listen(engine, "do_connect", lambda *_: before_wait())
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


def sqlite(path: str, steady: Callable[[], int], before_wait: Callable[[], None]) -> Engine:
    """An engine for this file; `before_wait` is called before a transaction waits for another process to write."""
    if path and path != ":memory:":
        private_folder.make(Path(path).absolute().parent)
    engine = create_engine(
        URL.create("sqlite", database=path),
        module=sqlite3,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        **ENGINE_OPTIONS,
    )
    event.listen(engine, "connect", lambda connection, _: _configure_sqlite(connection, steady))
    event.listen(engine, "begin", lambda connection: _begin_sqlite(connection, before_wait))
    return engine


def _configure_sqlite(connection: sqlite3.Connection, steady: Callable[[], int]) -> None:
    connection.isolation_level = None  # _begin_sqlite begins transactions, not the driver
    wal = wal_is_safe(sqlite3.sqlite_version_info)
    connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}").fetchone()
    connection.execute("PRAGMA synchronous=FULL")  # a job that was answered with 202 survives a power failure
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # otherwise deleted bytes stay until their pages are used again
    connection.create_function("steady", 0, steady)


def _begin_sqlite(connection: Connection, before_wait: Callable[[], None]) -> None:
    # A deferred transaction that first reads and then writes fails with SQLITE_BUSY whatever the timeout is: writers
    # take the lock before their first read.
    if connection.get_execution_options().get("backpropd_writing", True):
        _begin_to_write(connection.connection.driver_connection, before_wait)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_to_write(connection: Any, before_wait: Callable[[], None]) -> None:
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
                    raise busy() from error
            before_wait()
            time.sleep(BUSY_POLL_SECONDS)
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")


def busy() -> errors.Unavailable:
    """The error for a database on which others wrote for too long."""
    return errors.Unavailable(f"the database was busy for {BUSY_SECONDS:g} s: try again")


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug, which can corrupt a database (3.7.0 to 3.51.2)."""
    fixed_in = {(3, 44): 6, (3, 50): 7}
    return version >= (3, 51, 3) or version[2] >= fixed_in.get(version[:2], 1_000)
