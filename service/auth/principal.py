"""The principal of a request: its tenant, and what its key may do."""

from dataclasses import dataclass

from flask import g
from sqlalchemy.orm import Session

from backpropd.store import audit
from backpropd.store.keys import SCOPES
from service.limits.concurrency_limit import Holder

LOCAL = "local"  # in the mode `local`: the one tenant, and the name in the audit trail
OPERATOR = "operator"  # in the audit trail


@dataclass(frozen=True)
class Principal:
    """The sender of a request: `name` is the key's id, or `local` in the mode without keys."""

    tenant: str
    name: str
    scopes: tuple[str, ...]

    @property
    def holder(self) -> Holder:
        """Whose slots this principal's requests take."""
        return Holder(self.tenant, self.name)

    def has_scope(self, scope: str) -> bool:
        """Whether one of the principal's scopes is this one or includes it."""
        return any(SCOPES.index(own) >= SCOPES.index(scope) for own in self.scopes)


LOCAL_PRINCIPAL = Principal(LOCAL, LOCAL, ("admin",))


def current_principal() -> Principal:
    """The principal of this request, as access control found it."""
    principal: Principal = g.principal
    return principal


def tenant() -> str:
    """The tenant of this request, whose rows alone it may see."""
    return current_principal().tenant


def record(session: Session, action: str, subject: str) -> None:
    """Add what the principal does to the audit trail, in the transaction that does it."""
    audit.record(session, tenant(), current_principal().name, action, subject)
