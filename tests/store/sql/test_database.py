"""Connections: unavailable databases, exhausted pools, closed sockets, and SQLite's journal."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Integer, String, bindparam, func, inspect, select, text

from backpropd import errors
from backpropd.store.sql.database import Database
from backpropd.store.sql.engines import wal_is_safe
from tests.servers import fresh_database


def test_an_unreachable_database_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(errors.Unavailable):
        Database(f"postgresql+psycopg://nobody@/none?host={tmp_path}").ping()


def test_without_a_free_connection_the_database_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'crowd.db'}")
    pool = database.engine.pool
    pool._timeout = 0.1  # type: ignore[attr-defined]
    with ExitStack() as crowd:
        for _ in range(8 + 32):
            crowd.enter_context(database.engine.connect())
        with pytest.raises(errors.Unavailable, match="every connection"):
            database.ping()
    database.ping()
    database.dispose()


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 40, 1), False), ((3, 44, 6), True), ((3, 50, 6), False), ((3, 50, 7), True), ((3, 51, 3), True)],
)
def test_wal_is_used_only_where_sqlite_resets_it_safely(version: tuple[int, int, int], safe: bool) -> None:
    assert wal_is_safe(version) is safe


def test_postgresql_compiles_no_statement(database: Database) -> None:
    if database.engine.dialect.name == "postgresql":
        with database.read() as session:
            assert session.scalar(text("SHOW jit")) == "off"


def test_connections_that_the_server_has_closed_are_replaced(postgres: str) -> None:
    database, other = Database(fresh_database(postgres)), Database(postgres)
    pid = text("SELECT pg_backend_pid()")
    with database.read() as one, database.read() as two:
        closed = [one.scalar(pid), two.scalar(pid)]
    with other.write() as session:
        ended = [session.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": each}) for each in closed]
    assert ended == [True, True]
    with database.read() as one, database.read() as two:
        assert not {one.scalar(pid), two.scalar(pid)} & set(closed)
    for each in (database, other):
        each.dispose()


def test_a_row_is_read_past_the_orm_and_the_connection_stays_as_it_was(database: Database) -> None:
    query = select(bindparam("one", type_=Integer) + 1, bindparam("two", type_=String))
    for value in (1, 5):
        assert database.read_row(query, {"two": "x", "one": value}) == (value + 1, "x")
    assert database.read_row(select(1).where(bindparam("no") == 1), {"no": 0}) is None
    with database.write() as session:
        session.execute(text("CREATE TABLE rolled_back (x INTEGER)"))
        session.rollback()
    with database.read_connection() as connection:
        assert not inspect(connection).has_table("rolled_back")


def test_a_connection_that_ends_while_a_row_is_read_is_unavailable(postgres: str) -> None:
    database, other = Database(fresh_database(postgres)), Database(postgres)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(database.read_row, select(func.pg_sleep(60)), {})
        active = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        with other.write() as session:
            while (pid := session.scalar(text(active))) is None and not reading.done():
                time.sleep(0.02)
            session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(errors.Unavailable, match="cannot answer now"):
            reading.result()
    assert database.read_row(select(1), {}) == (1,)
    for each in (database, other):
        each.dispose()
