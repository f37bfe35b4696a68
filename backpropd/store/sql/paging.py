"""Lists: newest first, a page at a time, by the id after which the next page starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from backpropd.store.tenants import Named

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page, and the cursor of the next, which is None on the last."""

    rows: Sequence[Row]
    next_cursor: str | None


def page(
    session: Session,
    kind: type[Named],
    tenant: str,
    limit: int,
    cursor: str | None,
    of: Mapping[InstrumentedAttribute[str], str] | None = None,
    *narrowed: ColumnElement[bool],
) -> Page[Named]:
    """The tenant's `limit` newest rows whose columns `of` have these values, and whose id comes before `cursor`.

    The tenant, `of` and the id, in their order, are the columns of an index. They are asked for as a range of it, not
    as equalities: of a tenant that PostgreSQL takes for a large one it would go through everybody's rows, by id.
    """
    first: dict[InstrumentedAttribute[str], str] = {kind.tenant: tenant, **(of or {})}
    values: tuple[str, ...] = tuple(first.values())
    start, index = tuple_(*first), tuple_(*first, kind.id)
    query = select(kind).where(start >= values, *narrowed).order_by(*(each.desc() for each in (*first, kind.id)))
    query = query.where(start <= values if cursor is None else index < (*values, cursor))
    rows = session.scalars(query.limit(limit + 1)).all()
    return Page(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)
