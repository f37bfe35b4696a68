"""Statements that are made once and run often: SQLAlchemy takes as long to make one as SQLite does to run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Executable, Insert, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backpropd.store.sql.schema import Base

# Those that know of conflicts.
INSERTS: dict[str, Callable[[type[Base]], sqlite.Insert | postgresql.Insert]]
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def run(session: Session | Connection, statement: Executable, rows: Rows) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement of columns in the transaction of a `Database`'s session, past the session itself.

    A session takes as long again. What waits in it is not written first. A connection does as well.
    """
    connection = cast(Connection, session.bind) if isinstance(session, Session) else session
    return connection.execute(statement, rows)


def insert_new(session: Session, kind: type[Base], rows: Rows) -> None:
    """Insert rows; those that are there already stay as they are."""
    run(session, _inserting_new(session.get_bind().dialect.name, kind), rows)


def by_column(kind: type[Base], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of its columns, as `run` wants it, from one by the names of the attributes."""
    names = _columns(kind)
    return {names.get(name, name): value for name, value in row.items()}


@cache
def _columns(kind: type[Base]) -> dict[str, str]:
    return {each.key: each.columns[0].name for each in inspect(kind).column_attrs}


@cache
def _inserting_new(dialect: str, kind: type[Base]) -> Insert:
    return INSERTS[dialect](kind).on_conflict_do_nothing()
