"""Idempotency keys: the same key and request give what the first one made."""

from __future__ import annotations

from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import statements
from backpropd.store.schema import IdempotencyKey
from backpropd.store.types import now


def made_before(
    session: Session, tenant: str, route: str, key: str, request_sha256: str, life_seconds: float
) -> str | None:
    """The id that this key's request made, or None after reserving the key for the caller's transaction.

    A concurrent request with the same key waits here until the first one's transaction ends; the caller must then
    `fill` the key before it commits. Raises `errors.IdempotencyMismatch` if the key came with another request.
    """
    owner = (
        IdempotencyKey.tenant == tenant,
        IdempotencyKey.route == route,
        IdempotencyKey.key == key,
    )
    session.execute(sql_delete(IdempotencyKey).where(*owner, IdempotencyKey.created_at < now(-life_seconds)))
    row = {"tenant": tenant, "route": route, "key": key, "request_sha256": request_sha256, "made_id": ""}
    reserve = statements.inserting_new(session, IdempotencyKey).values(**row, created_at=now())
    if session.execute(reserve.returning(IdempotencyKey.number)).first() is not None:
        return None
    known = session.scalars(select(IdempotencyKey).where(*owner)).one()
    if known.request_sha256 != request_sha256:
        raise errors.IdempotencyMismatch(
            "this Idempotency-Key was used with another request: send a new key with a new request"
        )
    return known.made_id


def fill(session: Session, tenant: str, route: str, key: str, made_id: str) -> None:
    """Write down what the reserved key's request made."""
    query = select(IdempotencyKey).where(
        IdempotencyKey.tenant == tenant, IdempotencyKey.route == route, IdempotencyKey.key == key
    )
    session.scalars(query).one().made_id = made_id


def forget(session: Session, tenant: str, made_id: str) -> None:
    """Forget the keys that made what is being deleted: with them the same request makes it anew."""
    session.execute(
        sql_delete(IdempotencyKey).where(IdempotencyKey.tenant == tenant, IdempotencyKey.made_id == made_id)
    )
