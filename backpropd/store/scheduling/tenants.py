"""Tenants as an operator sees them: their weights in the fair queue, their limits, and what they have."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import exists, func, select, union, update
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import usage
from backpropd.store.scheduling import fair_queue
from backpropd.store.sql.schema import QUEUED, RUNNING, STRIDE, ApiKey, Audit, Base, Dataset, Job, Model, Turn

MIN_WEIGHT, MAX_WEIGHT = 0.01, 100.0
MAX_LIMIT = 2**62
# By the public name that `GET /v1/limits` shows.
LIMITS = {"stored_bytes": "max_stored_bytes", "queued_jobs": "max_queued_jobs", "running_jobs": "max_running_jobs"}


class Overview(NamedTuple):
    """A tenant: its weight, its own limits by public name, its queued and running jobs, and its usage."""

    tenant: str
    weight: float
    limits: dict[str, int]
    queued: int
    running: int
    usage: usage.Usage


def set_weight(session: Session, tenant: str, weight: float) -> None:
    """Give a tenant a weight: of two that wait, one of twice the weight has twice as many turns. Raises `Invalid`."""
    if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
        raise errors.Invalid(f"a weight is a number from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}; every tenant begins with 1")
    fair_queue.enroll(session, tenant)
    session.execute(update(Turn).where(Turn.tenant == tenant).values(stride=math.ceil(STRIDE / weight)))


def set_limits(session: Session, tenant: str, limits: Mapping[str, int | None]) -> None:
    """Give a tenant limits of its own, by public name; None for the service's. Raises `Invalid`."""
    for name, limit in limits.items():
        least = 1 if name == "running_jobs" else 0  # a tenant whose jobs never run would wait for ever
        if limit is not None and not least <= limit <= MAX_LIMIT:
            raise errors.Invalid(f"the limit {name} must be at least {least}, or `default` for that of the service")
    fair_queue.enroll(session, tenant)
    values = {LIMITS[name]: limit for name, limit in limits.items()}
    session.execute(update(Turn).where(Turn.tenant == tenant).values(**values))


def check_known(session: Session, tenant: str) -> None:
    """Raise `NotFound` for a tenant without a row in any table."""
    tables = [table for table in Base.metadata.sorted_tables if "tenant" in table.columns]
    if not any(session.scalar(select(exists().where(table.c.tenant == tenant))) for table in tables):
        raise errors.NotFound(f"there is no tenant {tenant}: `python -m service tenants list` shows all")


def limits_of(session: Session, tenant: str) -> dict[str, int]:
    """The tenant's own limits, by public name: those that an operator set."""
    return _limits(session.scalar(select(Turn).where(Turn.tenant == tenant)))


def overview(session: Session) -> list[Overview]:
    """Every tenant that has keys, data, jobs, a weight, a limit or audit entries, by name."""
    kinds = (Turn, ApiKey, Dataset, Job, Model, Audit)
    names = session.scalars(union(*(select(kind.tenant) for kind in kinds))).all()
    turns = {turn.tenant: turn for turn in session.scalars(select(Turn))}
    return [_overview(session, name, turns.get(name)) for name in sorted(names)]


def _overview(session: Session, tenant: str, turn: Turn | None) -> Overview:
    def count(status: Any) -> int:
        return session.scalar(select(func.count()).where(status, Job.tenant == tenant)) or 0

    weight = STRIDE / turn.stride if turn else 1.0
    return Overview(tenant, weight, _limits(turn), count(QUEUED), count(RUNNING), usage.of(session, tenant))


def _limits(turn: Turn | None) -> dict[str, int]:
    values = {public: getattr(turn, name, None) for public, name in LIMITS.items()}
    return {public: limit for public, limit in values.items() if limit is not None}
