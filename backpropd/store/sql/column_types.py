"""Column types and clocks that mean the same on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, BindParameter, Dialect, Integer, Text, bindparam, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from backpropd import errors

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POSTGRESQL_CLOCK = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
# Each database's clocks, in microseconds. On PostgreSQL both are the server's, the same for every worker. SQLite's
# users are all on one machine: `steady` is its monotonic clock, which cannot be set (`Database` registers a function).
CLOCKS = {
    "sqlite": {"now": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000", "steady": "steady()"},
    "postgresql": {"now": _POSTGRESQL_CLOCK, "steady": _POSTGRESQL_CLOCK},
}

BigInt = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows in INTEGER columns only
Json = JSON().with_variant(JSONB(), "postgresql")


class Instant(TypeDecorator[datetime]):
    """A time, stored as whole microseconds since 1970 in UTC.

    An integer, because leases are computed in SQL with the database's own clock, and adding seconds to a number is the
    one date arithmetic that both databases share.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - UNIX_EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else UNIX_EPOCH + timedelta(microseconds=value)


def microseconds_parameter(name: str) -> BindParameter[int]:
    """A parameter for `now` and `steady`, in a statement that is built once."""
    return bindparam(name, type_=BigInteger())


def microseconds(seconds: float) -> int:
    """Seconds as the database counts them."""
    return int(seconds * 1_000_000)


_STRICT = json.JSONEncoder(allow_nan=False)


def json_text(value: Any) -> str:
    """A value as JSON. Raises `ValueError` for NaN and infinities, which orjson would silently turn into null."""
    return _STRICT.encode(value)


def read_json(text: str | bytes) -> Any:
    """A stored JSON value. Raises `errors.DatabaseDamaged` if it is none.

    Integers beyond 64 bits become floats, which they were before PostgreSQL wrote out all their digits.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise errors.DatabaseDamaged("a row of the database is damaged: delete it, or restore a backup") from error


class JsonText(TypeDecorator[Any]):
    """JSON that a query casts to text: for a million rows, parsing takes far less time than with the column's type."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else read_json(value)


class _Clock(FunctionElement[Any]):
    """A clock of the database, plus `seconds` or a `microseconds_parameter`."""

    inherit_cache = True

    def __init__(self, seconds: float | BindParameter[int] = 0.0) -> None:
        offset = seconds if isinstance(seconds, BindParameter) else literal(microseconds(seconds), BigInteger())
        super().__init__(offset)


class now(_Clock):
    """The database's wall clock, for times that are shown, and wherever an error of an hour does no harm."""

    type = Instant()
    inherit_cache = True


class steady(_Clock):
    """Microseconds of the clock that leases and heartbeats are measured with."""

    type = BigInteger()
    inherit_cache = True


@compiles(now)
@compiles(steady)
def _compile_clock(element: _Clock, compiler: Any, **options: Any) -> str:
    clock = CLOCKS[compiler.dialect.name][type(element).__name__]
    return f"({clock} + {compiler.process(element.clauses, **options)})"
