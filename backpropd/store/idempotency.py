"""Idempotency keys: a repeated request returns the resource that the first one created."""

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from backpropd import errors
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import microseconds, microseconds_parameter, now
from backpropd.store.sql.schema import IdempotencyKey

_IDENTITY = (IdempotencyKey.tenant, IdempotencyKey.route, IdempotencyKey.key)
_EXISTING = select(IdempotencyKey.request_sha256, IdempotencyKey.made_id)
_EXISTING = _EXISTING.where(*(column == bindparam(column.key) for column in _IDENTITY))


class KeyedRequest(NamedTuple):
    """A request with an Idempotency-Key: its route, the key, the hash of its content, and how long the key is valid."""

    route: str
    key: str
    sha256: str
    lifetime_seconds: float


def find_or_reserve(session: Session, tenant: str, request: KeyedRequest | None, new_id: str) -> str | None:
    """The id that an earlier request with this key created, or None if the caller is to create `new_id`.

    Then the key is reserved for `new_id`: a concurrent request with the same key waits until this transaction ends.
    Without a keyed request the answer is None. Raises `errors.IdempotencyMismatch` if the key came with another
    request.
    """
    if request is None:
        return None
    identity = _identity(tenant, request)
    row = {"request_sha256": request.sha256, "made_id": new_id, "offset": microseconds(-request.lifetime_seconds)}
    if statements.run(session, _reserve(session.get_bind().dialect.name), identity | row).first() is not None:
        return None
    return _made(statements.run(session, _EXISTING, identity).one(), request)


def find(session: Session, tenant: str, request: KeyedRequest | None) -> str | None:
    """The id that an earlier request with this key created, or None. Raises as `find_or_reserve` does."""
    if request is None:
        return None
    still_valid = IdempotencyKey.created_at >= now(microseconds_parameter("offset"))
    parameters = {**_identity(tenant, request), "offset": microseconds(-request.lifetime_seconds)}
    existing = statements.run(session, _EXISTING.where(still_valid), parameters).first()
    return _made(existing, request) if existing else None


def _identity(tenant: str, request: KeyedRequest) -> dict[str, str]:
    return {"tenant": tenant, "route": request.route, "key": request.key}


def _made(existing: Row[Any], request: KeyedRequest) -> str:
    """The id of an earlier request's resource, if the request was the same."""
    if existing.request_sha256 != request.sha256:
        raise errors.IdempotencyMismatch(
            "this Idempotency-Key was used with another request: send a new key with a new request"
        )
    existing_id: str = existing.made_id
    return existing_id


@cache
def _reserve(dialect: str) -> ReturningInsert[int]:
    """Insert a key, or overwrite an expired one; returns no row if the key is in use."""
    insert = statements.INSERTS[dialect](IdempotencyKey).values(created_at=now())
    new = {name: insert.excluded[name] for name in ("request_sha256", "made_id", "created_at")}
    expired = IdempotencyKey.created_at < now(microseconds_parameter("offset"))
    upsert = insert.on_conflict_do_update(index_elements=_IDENTITY, set_=new, where=expired)
    return upsert.returning(IdempotencyKey.number)


def forget(session: Session, tenant: str, made_id: str) -> None:
    """Delete the keys of a resource that is being deleted: the same request then creates a new one."""
    session.execute(
        sql_delete(IdempotencyKey).where(IdempotencyKey.tenant == tenant, IdempotencyKey.made_id == made_id)
    )
