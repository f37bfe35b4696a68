"""Pages of a tenant's rows, newest first. A cursor is the id of the last row of the page before."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from backpropd import errors
from backpropd.store.sql import failures
from backpropd.store.sql.tenant_rows import AnyResource

log = logging.getLogger(__name__)

Row = TypeVar("Row")

MAX_PAGE_BYTES = 4 * 1024**2  # of the lists and objects in a page's rows: a thousand classes can have a megabyte
FEW_ROWS = 21  # that are read at a time: the usual page, and a row to tell whether there are more


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, and the cursor of the next page, which is None on the last."""

    rows: Sequence[Row]
    next_cursor: str | None


def page(
    session: Session,
    kind: type[AnyResource],
    tenant: str,
    limit: int,
    cursor: str | None,
    equal: Mapping[InstrumentedAttribute[str], str] | None = None,
    *conditions: ColumnElement[bool],
    unread: Sequence[InstrumentedAttribute[Any]] = (),
) -> Page[AnyResource]:
    """The tenant's newest rows before `cursor` whose columns have the values of `equal`, without the columns `unread`.

    There are `limit` of them, or fewer whose lists and objects have `MAX_PAGE_BYTES` together.
    A row that is damaged is left out and logged.

    An index must consist of the tenant, the columns of `equal` and the id, in this order. The query names a range of
    that index instead of equalities: for a tenant that PostgreSQL's statistics call large, equalities make the planner
    walk the primary key through the rows of all tenants.
    """
    prefix: dict[InstrumentedAttribute[str], str] = {kind.tenant: tenant, **(equal or {})}
    values: tuple[str, ...] = tuple(prefix.values())
    start, index = tuple_(*prefix), tuple_(*prefix, kind.id)
    query = select(kind).where(start >= values, *conditions).order_by(*(each.desc() for each in (*prefix, kind.id)))
    query = query.options(*(defer(column, raiseload=True) for column in unread))
    rows, size = list[AnyResource](), 0
    while True:
        after = start <= values if cursor is None else index < (*values, cursor)
        asked = min(limit + 1 - len(rows), FEW_ROWS)
        found = _readable(session, kind, query.where(after).limit(asked))
        for id, row in found:
            if row is not None:
                if len(rows) == limit or size > MAX_PAGE_BYTES:
                    return Page(rows, rows[-1].id)
                rows.append(row)
                size += _size(row)
            cursor = id
        if len(found) < asked:
            return Page(rows, None)


def _readable(
    session: Session, kind: type[AnyResource], query: Select[AnyResource]
) -> list[tuple[str, AnyResource | None]]:
    """The ids of the rows that a query finds, each with its row, or None for one that is damaged."""
    try:
        return [(row.id, row) for row in session.scalars(query)]
    except (errors.DatabaseDamaged, DBAPIError) as error:
        if not failures.is_damage(error):
            raise
    return [(id, _row(session, kind, query, id)) for id in session.scalars(query.with_only_columns(kind.id)).all()]


def _row(session: Session, kind: type[AnyResource], query: Select[AnyResource], id: str) -> AnyResource | None:
    try:
        return session.scalars(query.where(kind.id == id)).one()
    except (errors.DatabaseDamaged, DBAPIError) as error:
        if not failures.is_damage(error):
            raise
    log.error("the row of the %s %s is damaged: lists leave it out", kind.noun, id)
    return None


def _size(row: AnyResource) -> int:
    """The bytes of the lists and objects that were read."""
    return sum(len(orjson.dumps(each)) for each in vars(row).values() if isinstance(each, list | dict))
