"""Who asks: the tenant of a request, and what its key may."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g
from sqlalchemy.orm import Session

from backpropd.store import audit
from backpropd.store.keys import SCOPES

LOCAL = "local"  # the tenant, and the name in the audit trail, of whoever asks in the mode `local`


@dataclass(frozen=True)
class Principal:
    """Whoever asks: `name` is the key's id, or `local` where there are no keys."""

    tenant: str
    name: str
    scopes: tuple[str, ...]

    def may(self, scope: str) -> bool:
        """Whether one of the scopes is this one, or has it in it."""
        return any(SCOPES.index(own) >= SCOPES.index(scope) for own in self.scopes)


LOCAL_PRINCIPAL = Principal(LOCAL, LOCAL, ("admin",))


def caller() -> Principal:
    """Who asks in this request: the gate has put it there."""
    found: Principal = g.caller
    return found


def tenant() -> str:
    """The tenant of this request: nothing of anybody else's is seen in it."""
    return caller().tenant


def record(session: Session, action: str, subject: str) -> None:
    """Write down in the audit trail what the caller does, in the transaction that does it."""
    audit.record(session, tenant(), caller().name, action, subject)
