"""The audit trail: who created, rotated or revoked which key, and who deleted what."""

import zlib
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backpropd.store.sql.column_types import now
from backpropd.store.sql.schema import Audit


def record(session: Session, tenant: str, actor: str, action: str, subject: str) -> None:
    """Add an entry, in the transaction of the action itself."""
    if session.get_bind().dialect.name == "postgresql":  # until this transaction ends no other one numbers an entry
        session.execute(select(func.pg_advisory_xact_lock(zlib.crc32(b"audit of " + tenant.encode()))))
    last = session.scalar(select(func.max(Audit.entry)).where(Audit.tenant == tenant)) or 0
    session.add(Audit(at=now(), tenant=tenant, entry=last + 1, actor=actor, action=action, subject=subject))
    session.flush()


def after(session: Session, tenant: str, entry: int, limit: int) -> Sequence[Audit]:
    """A tenant's entries after its entry of this number, oldest first."""
    query = select(Audit).where(Audit.tenant == tenant, Audit.entry > entry).order_by(Audit.entry).limit(limit)
    return session.scalars(query).all()


def after_number(session: Session, number: int, limit: int) -> Sequence[Audit]:
    """The entries of all tenants after `number`, oldest first."""
    return session.scalars(select(Audit).where(Audit.number > number).order_by(Audit.number).limit(limit)).all()
