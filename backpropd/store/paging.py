"""Lists: newest first, a page at a time, by the id after which the next page starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import Session

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page, and the cursor of the next, which is None on the last."""

    rows: Sequence[Row]
    next_cursor: str | None


def page(
    session: Session, query: Select[Row], key: ColumnElement[Any] | Any, limit: int, cursor: str | None
) -> Page[Row]:
    """The `limit` newest rows of `query` that come after `cursor` in the order of `key`, an id."""
    if cursor is not None:
        query = query.where(key < cursor)
    rows = session.scalars(query.order_by(key.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    return Page(rows[:limit], getattr(rows[limit - 1], str(key.key)) if more else None)
