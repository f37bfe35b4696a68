"""The routes of a tenant's API keys and audit trail, for admins."""

from backpropd import errors
from backpropd.store import audit, keys
from service.auth.principal import record, tenant
from service.http.routing import Answer, Routes
from service.schemas.keys import AuditEntry, AuditQuery, AuditTrail, Key, KeyPage, KeyRequest, NewKey, RotateRequest
from service.schemas.paging import PageQuery
from service.services import services

routes = Routes("keys")


@routes("POST", "/v1/keys", answers={201: NewKey}, body=KeyRequest, scope="admin")
def create(body: KeyRequest) -> Answer:
    """Create a key. Its secret is in this answer only."""
    with services().database.write() as session:
        key, secret = keys.create(session, tenant(), body.name, body.scopes, body.expires_at)
        if key.expires_at is not None and key.expires_at <= key.created_at:  # both on the database's clock
            past = "this time is in the past: send one in the future, or leave it out"
            raise errors.Invalid(past, pointer="/expires_at")
        record(session, "keys.create", key.id)
    return NewKey.render(key, {"secret": secret}), 201, {"Location": f"/v1/keys/{key.id}"}


@routes("GET", "/v1/keys", answers={200: KeyPage}, query=PageQuery, scope="admin")
def list_keys(query: PageQuery) -> Answer:
    """List the keys, newest first, without their secrets."""
    with services().database.read() as session:
        page = keys.list_page(session, tenant(), query.limit, query.cursor)
    return KeyPage.of(page, Key.render_all(page.rows))


@routes("GET", "/v1/keys/{key_id}", answers={200: Key}, problems=(404,), scope="admin")
def read(key_id: str) -> Answer:
    """Read a key: its scopes, and when it was last used."""
    with services().database.read() as session:
        return Key.render(keys.get(session, tenant(), key_id))


@routes(
    "POST", "/v1/keys/{key_id}/rotate", answers={200: NewKey}, body=RotateRequest, problems=(404, 409), scope="admin"
)
def rotate(key_id: str, body: RotateRequest) -> Answer:
    """Give a key that has not expired a new secret, which is in this answer only."""
    with services().database.write() as session:
        key, secret = keys.rotate(session, tenant(), key_id, body.overlap_seconds)
        record(session, "keys.rotate", key.id)
    return NewKey.render(key, {"secret": secret})


@routes("DELETE", "/v1/keys/{key_id}", answers={204: None}, problems=(404,), scope="admin")
def delete(key_id: str) -> Answer:
    """Revoke a key at once."""
    with services().database.write() as session:
        keys.revoke(session, tenant(), key_id)
        record(session, "keys.revoke", key_id)
    return None, 204


@routes("GET", "/v1/audit", answers={200: AuditTrail}, query=AuditQuery, scope="admin")
def read_audit(query: AuditQuery) -> Answer:
    """Who made, rotated or revoked a key, or deleted something, oldest first."""
    with services().database.read() as session:
        found = audit.after(session, tenant(), query.after, query.limit + 1)
    entries = found[: query.limit]
    next_after = entries[-1].entry if len(found) > query.limit else None
    return {"data": AuditEntry.render_all(entries), "next_after": next_after}
