"""API keys and the audit trail."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from backpropd.store.keys import SCOPES
from service.schemas.fields import Input, Name, OneOf, Output, Timestamp, Whole
from service.schemas.paging import Page

Scope = Annotated[str, OneOf(SCOPES)]


class KeyRequest(Input):
    """A new key of this tenant. `write` includes `read`, and `admin` both."""

    name: Name | None = None
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expires_at: Timestamp | None = None


class RotateRequest(Input):
    """The old secret stays valid for `overlap_seconds` more, so that its users can switch."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 24 * 3600), Whole] = 0


class Key(Output):
    """A key without its secret."""

    id: str
    name: str | None
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewKey(Key):
    """A key and its `secret`, the whole text to send. It is in this response only and stored nowhere."""

    computed = ("secret",)

    secret: str


class KeyPage(Page):
    data: list[Key]


class AuditQuery(Input):
    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AuditEntry(Output):
    """Who did what to which key, or deleted what: `actor` is a key's id, `local`, or `operator`.

    A tenant's entries are numbered from 1.
    """

    number: int = Field(validation_alias="entry")
    at: datetime
    actor: str
    action: str
    subject: str


class AuditTrail(Output):
    data: list[AuditEntry]
    next_after: int | None
