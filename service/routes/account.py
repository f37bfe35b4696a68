"""The routes that tell a tenant what it may use, and what it has used."""

from __future__ import annotations

import math
import time
from dataclasses import asdict

from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import usage
from service import schemas
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.services import services

routes = Routes("account")

FRESH_SECONDS = 1.0


@routes("GET", "/v1/limits", answers={200: schemas.Limits})
def limits() -> Answer:
    """What is allowed: whatever goes beyond is refused with a code and its number."""
    return services().settings.public_limits()


@routes("GET", "/v1/usage", answers={200: schemas.Usage})
def read_usage() -> Answer:
    """What this tenant has used: what its datasets, jobs and models come to now."""
    with services().database.read() as session:
        return asdict(usage.of(session, tenant()))


def refuse_when_over(session: Session) -> None:
    """Raise `errors.StorageFull` if there are too many bytes already; a second later at most.

    To count them is a look at every model of the tenant's: not for each of many jobs a second.
    """
    had_room, moment = services().had_room, time.monotonic()
    if moment - had_room.get(tenant(), -math.inf) > FRESH_SECONDS:
        refuse_when_full(session, 0)
        had_room[tenant()] = moment


def refuse_when_full(session: Session, more: int) -> None:
    """Raise `errors.StorageFull` if so many bytes more are too many, or there are too many already."""
    most, used = services().settings.max_tenant_bytes, usage.stored_bytes(session, tenant())
    if used + more > most:
        raise errors.StorageFull(
            f"your datasets and models have {used} bytes, this would add {more}, and {most} are the most: delete some"
        )
