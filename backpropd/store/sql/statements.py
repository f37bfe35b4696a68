"""Statements that are prepared once: from `.sql` files and from SQLAlchemy's expressions, run past the ORM."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Executable, Insert, bindparam, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backpropd.store.sql.column_types import CLOCKS
from backpropd.store.sql.schema import Base

INSERTS: dict[str, Callable[[type[Base]], sqlite.Insert | postgresql.Insert]]
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}  # those with ON CONFLICT
# What the databases spell differently. SQLite has one writer at a time, and no locks of rows.
DIALECTS = {
    "sqlite": CLOCKS["sqlite"] | {"skip_locked": "", "key_share": ""},
    "postgresql": CLOCKS["postgresql"]
    | {"skip_locked": "FOR UPDATE SKIP LOCKED", "key_share": "FOR KEY SHARE OF datasets"},
}
Query = Mapping[str, Executable]  # a statement of a `.sql` file, by the name of the database's dialect
Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class QueryFile:
    """A file of statements: each begins with `-- name: …`, and `{…}` in it stands for another one or for `DIALECTS`."""

    def __init__(self, path: Path, **constants: int) -> None:
        """`constants` are numbers that `{…}` may stand for, too."""
        _, *parts = re.split(r"^-- name: (\w+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        without_comments = (re.sub(r"^\s*--.*\n?", "", part, flags=re.MULTILINE).strip() for part in parts[1::2])
        self.sections = dict(zip(parts[::2], without_comments, strict=True))
        self.sections.update({name: str(value) for name, value in constants.items()})

    def query(self, name: str, **types: Any) -> Query:
        """The statement of this name, with SQLAlchemy's `types` of its parameters and its result's columns."""
        return {dialect: self._typed(self._expand(name, parts), types) for dialect, parts in DIALECTS.items()}

    def _expand(self, name: str, parts: Mapping[str, str]) -> str:
        sql = parts[name] if name in parts else self.sections[name]
        return re.sub(r"\{(\w+)\}", lambda found: self._expand(found[1], parts), sql)

    def _typed(self, sql: str, types: Mapping[str, Any]) -> Executable:
        statement = text(sql)
        parameters = {name for name in types if name in statement.compile().params}
        statement = statement.bindparams(*(bindparam(name, type_=types[name]) for name in parameters))
        return statement.columns(**{name: kind for name, kind in types.items() if name not in parameters})


def run(session: Session | Connection, statement: Executable | Query, rows: Rows) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement in the transaction of a `Database`'s session or connection.

    It bypasses the ORM, which would take twice as long: it reads and writes columns, not objects. Changes that the
    session has not flushed are not written first.
    """
    connection = cast(Connection, session.bind) if isinstance(session, Session) else session
    chosen = statement if isinstance(statement, Executable) else statement[connection.dialect.name]
    return connection.execute(chosen, rows)


def insert_new(session: Session, kind: type[Base], rows: Rows) -> int:
    """Insert rows; those that exist already stay as they are. Of a single row, returns whether it was inserted."""
    return run(session, _insert_new(session.get_bind().dialect.name, kind), rows).rowcount


def by_column(kind: type[Base], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the names of its columns, as `run` takes it, from one by the names of the class's attributes."""
    names = _columns(kind)
    return {names.get(name, name): value for name, value in row.items()}


@cache
def _columns(kind: type[Base]) -> dict[str, str]:
    return {each.key: each.columns[0].name for each in inspect(kind).column_attrs}


@cache
def _insert_new(dialect: str, kind: type[Base]) -> Insert:
    insert: Insert = INSERTS[dialect](kind).on_conflict_do_nothing()
    return insert.execution_options(preserve_rowcount=True)
