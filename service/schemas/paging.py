"""The pages of a list: the query that selects one, and the fields that every page has."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from backpropd.store.sql import paging
from service.schemas.fields import Input, Output


class PageQuery(Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(pattern=r"^[a-z]+_[0-9a-z]+$", max_length=64)] | None = None


class Page(Output):
    """Subclasses add `data`, the items."""

    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: paging.Page[Any], data: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """The page of these rendered items."""
        return {"data": list(data), "has_more": page.next_cursor is not None, "next_cursor": page.next_cursor}
