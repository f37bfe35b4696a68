"""Pages of a tenant's rows, newest first. A cursor is the id of the last row of the page before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from backpropd.store.sql.tenant_rows import AnyResource

Row = TypeVar("Row")


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
) -> Page[AnyResource]:
    """The tenant's `limit` newest rows before `cursor` whose columns have the values of `equal`.

    An index must consist of the tenant, the columns of `equal` and the id, in this order. The query names a range of
    that index instead of equalities: for a tenant that PostgreSQL's statistics call large, equalities make the planner
    walk the primary key through the rows of all tenants.
    """
    prefix: dict[InstrumentedAttribute[str], str] = {kind.tenant: tenant, **(equal or {})}
    values: tuple[str, ...] = tuple(prefix.values())
    start, index = tuple_(*prefix), tuple_(*prefix, kind.id)
    query = select(kind).where(start >= values, *conditions).order_by(*(each.desc() for each in (*prefix, kind.id)))
    query = query.where(start <= values if cursor is None else index < (*values, cursor))
    rows = session.scalars(query.limit(limit + 1)).all()
    return Page(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)
