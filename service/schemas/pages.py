"""Lists, a page at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from service.schemas.fields import Input, Output


class PageQuery(Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(pattern=r"^[a-z]+_[0-9a-z]+$", max_length=64)] | None = None


class Page(Output):
    has_more: bool
    next_cursor: str | None
