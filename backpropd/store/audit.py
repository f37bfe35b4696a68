"""The audit trail: who created, rotated or revoked which key, and who deleted what."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backpropd.store.sql.column_types import now
from backpropd.store.sql.schema import Audit


def record(session: Session, tenant: str, actor: str, action: str, subject: str) -> None:
    """Add an entry, in the transaction of the action itself."""
    session.add(Audit(at=now(), tenant=tenant, actor=actor, action=action, subject=subject))


def after(session: Session, tenant: str | None, number: int, limit: int) -> Sequence[Audit]:
    """The entries after `number`, oldest first, of one tenant, or of all tenants for None."""
    conditions = [] if tenant is None else [Audit.tenant == tenant]
    query = select(Audit).where(*conditions, Audit.number > number).order_by(Audit.number).limit(limit)
    return session.scalars(query).all()
