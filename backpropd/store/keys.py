"""API keys: created, listed, rotated, revoked, and authenticated."""

import hmac
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store.ids import new_id
from backpropd.store.sql import tenant_rows
from backpropd.store.sql.column_types import now
from backpropd.store.sql.paging import Page, page
from backpropd.store.sql.schema import ApiKey
from backpropd.store.tokens import hashed, key_id_of, new_token

SCOPES = ("read", "write", "admin")  # each includes those before it
UNKNOWN = "this API key is unknown: it was revoked or rotated, or belongs to another service"

_CREDENTIALS = select(
    ApiKey.tenant,
    ApiKey.scopes,
    ApiKey.sha256,
    ApiKey.expires_at,
    (ApiKey.expires_at <= now()).label("expired"),
    ApiKey.previous_sha256,
    (ApiKey.previous_expires_at > now()).label("previous_is_valid"),
).where(ApiKey.id == bindparam("id"))


class Bearer(NamedTuple):
    """The authenticated sender of a request: the key's id, its tenant and its scopes."""

    key_id: str
    tenant: str
    scopes: tuple[str, ...]


def create(
    session: Session, tenant: str, name: str | None, scopes: Collection[str], expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """Add a key. Returns it and its token, which is not stored and cannot be read again."""
    id = new_id("key")
    token = new_token(id)
    ordered = [scope for scope in SCOPES if scope in scopes]
    key = ApiKey(id=id, tenant=tenant, name=name, scopes=ordered, sha256=hashed(token), created_at=now())
    key.expires_at = expires_at
    session.add(key)
    session.flush()
    session.refresh(key)
    return key, token


def get(session: Session, tenant: str, key_id: str) -> ApiKey:
    """The tenant's key of this id. Raises `errors.NotFound`."""
    return tenant_rows.find(session, ApiKey, tenant, key_id)


def list_page(session: Session, tenant: str, limit: int, cursor: str | None) -> Page[ApiKey]:
    """A page of the tenant's keys, newest first."""
    return page(session, ApiKey, tenant, limit, cursor)


def rotate(session: Session, tenant: str, key_id: str, overlap_seconds: float) -> tuple[ApiKey, str]:
    """Replace a key's token; the previous one stays valid for `overlap_seconds`.

    Raises `errors.NotFound`, and `errors.Conflict` for a key that has expired: its new token would not be valid.
    """
    key = tenant_rows.find(session, ApiKey, tenant, key_id, lock=True)
    if session.scalar(select(ApiKey.expires_at <= now()).where(ApiKey.id == key_id)):
        raise errors.Conflict(f"this key expired at {key.expires_at:%Y-%m-%d %H:%M} UTC: create a new one instead")
    token = new_token(key.id)
    key.previous_sha256, key.previous_expires_at = key.sha256, now(overlap_seconds)
    key.sha256 = hashed(token)
    session.flush()
    session.refresh(key)
    return key, token


def revoke(session: Session, tenant: str, key_id: str) -> None:
    """Delete a key. Raises `errors.NotFound`."""
    session.delete(tenant_rows.find(session, ApiKey, tenant, key_id))


def authenticate(connection: Connection, token: str) -> Bearer:
    """The sender of this token. Raises `errors.Unauthenticated`, `errors.KeyExpired`."""
    key_id = key_id_of(token)
    key = connection.execute(_CREDENTIALS, {"id": key_id}).first()
    given = hashed(token)
    if key is None or not (
        hmac.compare_digest(key.sha256, given)
        or (key.previous_is_valid and hmac.compare_digest(key.previous_sha256, given))
    ):
        raise errors.Unauthenticated(UNKNOWN)
    if key.expired:
        raise errors.KeyExpired(f"this API key expired at {key.expires_at:%Y-%m-%d %H:%M} UTC: ask for a new one")
    return Bearer(key_id, key.tenant, tuple(key.scopes))


def record_use(session: Session, key_id: str, interval_seconds: float) -> None:
    """Set the time of a key's last use, at most once in `interval_seconds`."""
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < now(-interval_seconds))
    session.execute(update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now()))
