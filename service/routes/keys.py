"""The routes for a tenant's admins: its keys, and the trail of what was done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from backpropd import errors
from backpropd.store import audit, keys
from service import schemas
from service.auth.principal import record, tenant
from service.http import rendering
from service.http.routing import Answer, Routes
from service.services import services

routes = Routes("keys")


@routes("POST", "/v1/keys", body=schemas.KeyRequest, answers={201: schemas.NewKey}, scope="admin")
def create(body: schemas.KeyRequest) -> Answer:
    """Make a key. Its text is in this answer only."""
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        raise errors.Invalid("this is over: give a time that is to come, or leave it out", pointer="/expires_at")
    with services().database.write() as session:
        key, token = keys.create(session, tenant(), body.name, body.scopes, body.expires_at)
        record(session, "keys.create", key.id)
    return {**rendering.key(key), "secret": token}, 201, {"Location": f"/v1/keys/{key.id}"}


@routes("GET", "/v1/keys", query=schemas.PageQuery, answers={200: schemas.KeyPage}, scope="admin")
def list_keys(query: schemas.PageQuery) -> Answer:
    """List the keys, newest first, without their texts."""
    with services().database.read() as session:
        page = keys.list_page(session, tenant(), query.limit, query.cursor)
    return rendering.listing(page, rendering.key)


@routes("GET", "/v1/keys/{key_id}", answers={200: schemas.Key}, problems=(404,), scope="admin")
def read(key_id: str) -> Answer:
    """Read a key: what it may, and when it was last used."""
    with services().database.read() as session:
        return rendering.key(keys.get(session, tenant(), key_id))


@routes(
    "POST",
    "/v1/keys/{key_id}/rotate",
    body=schemas.RotateRequest,
    answers={200: schemas.NewKey},
    problems=(404,),
    scope="admin",
)
def rotate(key_id: str, body: schemas.RotateRequest) -> Answer:
    """Give a key a new text, which is in this answer only."""
    with services().database.write() as session:
        key, token = keys.rotate(session, tenant(), key_id, body.overlap_seconds)
        record(session, "keys.rotate", key.id)
    return {**rendering.key(key), "secret": token}


@routes("DELETE", "/v1/keys/{key_id}", answers={204: None}, problems=(404,), scope="admin")
def delete(key_id: str) -> Answer:
    """Revoke a key: from now on it lets nobody in."""
    with services().database.write() as session:
        keys.revoke(session, tenant(), key_id)
        record(session, "keys.revoke", key_id)
    return None, 204


@routes("GET", "/v1/audit", query=schemas.AuditQuery, answers={200: schemas.AuditTrail}, scope="admin")
def read_audit(query: schemas.AuditQuery) -> Answer:
    """Who made, rotated or revoked a key, or deleted something, oldest first."""
    with services().database.read() as session:
        found = audit.after(session, tenant(), query.after, query.limit + 1)
    shown: list[dict[str, Any]] = [rendering.deed(row) for row in found[: query.limit]]
    return {"data": shown, "next_after": shown[-1]["number"] if len(found) > query.limit else None}
