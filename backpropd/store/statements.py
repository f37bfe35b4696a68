"""Statements that are made once and run often: SQLAlchemy takes as long to make one as SQLite does to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Executable, Insert, inspect
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from backpropd.store.schema import Base

Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def run(session: Session, statement: Executable, rows: Rows) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement of columns in the session's transaction, past the session, which takes as long again.

    What waits in the session is not written first.
    """
    return session.connection().execute(statement, rows)


def insert_new(session: Session, kind: type[Base], rows: Rows) -> None:
    """Insert rows; those that are there already stay as they are."""
    run(session, inserting_new(session, kind), rows)


def inserting_new(session: Session, kind: type[Base]) -> Insert:
    """The statement that does it, in the session's dialect."""
    return _inserting_new(session.get_bind().dialect.name, kind)


def by_column(kind: type[Base], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of its columns, as `run` wants it, from one by the names of the attributes."""
    names = _columns(kind)
    return {names.get(name, name): value for name, value in row.items()}


@cache
def _columns(kind: type[Base]) -> dict[str, str]:
    return {each.key: each.columns[0].name for each in inspect(kind).column_attrs}


@cache
def _inserting_new(dialect: str, kind: type[Base]) -> Insert:
    insert = sqlite_insert if dialect == "sqlite" else postgresql_insert
    return insert(kind).on_conflict_do_nothing()
