"""Idempotency keys: the same key and request give what the first one made."""

from __future__ import annotations

from functools import cache

from sqlalchemy import bindparam, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from backpropd import errors
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import in_seconds, now, seconds_named
from backpropd.store.sql.schema import IdempotencyKey


def made_before(
    session: Session, tenant: str, route: str, key: str, request_sha256: str, life_seconds: float, made_id: str
) -> str | None:
    """The id that this key's request made; or None, and the key stands for `made_id`, which the caller is to make now.

    A concurrent request with the same key waits here until the first one's transaction ends. Raises
    `errors.IdempotencyMismatch` if the key came with another request.
    """
    owner = {"tenant": tenant, "route": route, "key": key}
    row = {**owner, "request_sha256": request_sha256, "made_id": made_id, "ago": in_seconds(-life_seconds)}
    if statements.run(session, _taking(session.get_bind().dialect.name), row).first() is not None:
        return None
    known = statements.run(session, KNOWN, owner).one()
    if known.request_sha256 != request_sha256:
        raise errors.IdempotencyMismatch(
            "this Idempotency-Key was used with another request: send a new key with a new request"
        )
    made: str = known.made_id
    return made


@cache
def _taking(dialect: str) -> ReturningInsert[int]:
    """Write the key down, over an older one whose life is past; gives no row for one that lives."""
    taking = statements.INSERTS[dialect](IdempotencyKey).values(created_at=now())
    anew = {name: taking.excluded[name] for name in ("request_sha256", "made_id", "created_at")}
    past = IdempotencyKey.created_at < now(seconds_named("ago"))
    return taking.on_conflict_do_update(index_elements=OWNER, set_=anew, where=past).returning(IdempotencyKey.number)


OWNER = (IdempotencyKey.tenant, IdempotencyKey.route, IdempotencyKey.key)
KNOWN = select(IdempotencyKey.request_sha256, IdempotencyKey.made_id)
KNOWN = KNOWN.where(*(column == bindparam(column.key) for column in OWNER))


def forget(session: Session, tenant: str, made_id: str) -> None:
    """Forget the keys that made what is being deleted: with them the same request makes it anew."""
    session.execute(
        sql_delete(IdempotencyKey).where(IdempotencyKey.tenant == tenant, IdempotencyKey.made_id == made_id)
    )
