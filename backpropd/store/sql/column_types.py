"""Column types and functions that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, BindParameter, Dialect, Integer, Text, bindparam, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BigInt = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows in INTEGER alone
Json = JSON().with_variant(JSONB(), "postgresql")


class Instant(TypeDecorator[datetime]):
    """A moment, kept as whole microseconds since 1970 in UTC.

    An integer, because leases are computed in SQL with the database's own clock, and adding seconds to a number is the
    one date arithmetic that both databases share.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


def seconds_named(name: str) -> BindParameter[int]:
    """A parameter for `now` and `steady`, in a statement that is made once; its values are `in_seconds(…)`."""
    return bindparam(name, type_=BigInteger())


def in_seconds(seconds: float) -> int:
    """Seconds as the database counts them."""
    return int(seconds * 1_000_000)


_STRICT = json.JSONEncoder(allow_nan=False)


def json_text(value: Any) -> str:
    """A value as JSON. Raises `ValueError` for NaN and infinities, of which orjson would silently make null."""
    return _STRICT.encode(value)


class JsonText(TypeDecorator[Any]):
    """JSON that a query casts to text, for very many rows: the column's own type takes most of their time to parse."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class _Clock(FunctionElement[Any]):
    """A clock of the database's, plus `seconds`: so many, or a parameter that is given as `in_seconds` has it."""

    inherit_cache = True

    def __init__(self, seconds: float | BindParameter[int] = 0.0) -> None:
        fixed = None if isinstance(seconds, BindParameter) else literal(in_seconds(seconds), BigInteger())
        super().__init__(seconds if fixed is None else fixed)


class now(_Clock):
    """The time of day by the database's clock, plus `seconds`: for people, and for what may be off by an hour."""

    type = Instant()
    inherit_cache = True


class steady(_Clock):
    """Microseconds by the clock that decides about leases, plus `seconds`.

    On PostgreSQL the server's clock, the same for every worker whatever its own says. On SQLite, whose every user is on
    one machine, that machine's monotonic clock, which nobody can set (`Database` registers it as a function).
    """

    type = BigInteger()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **options: Any) -> str:
    clock = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000"
    return f"({clock} + {compiler.process(element.clauses, **options)})"


@compiles(steady, "sqlite")
def _steady_sqlite(element: steady, compiler: Any, **options: Any) -> str:
    return f"(steady() + {compiler.process(element.clauses, **options)})"


@compiles(now, "postgresql")
@compiles(steady, "postgresql")
def _clock_postgresql(element: _Clock, compiler: Any, **options: Any) -> str:
    clock = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    return f"({clock} + {compiler.process(element.clauses, **options)})"
