"""Tenants as an operator sees them: their weights in the fair queue, and their queued and running jobs."""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store.scheduling import fair_queue
from backpropd.store.sql.schema import QUEUED, RUNNING, STRIDE, Job, Turn

MIN_WEIGHT, MAX_WEIGHT = 0.01, 100.0


def set_weight(session: Session, tenant: str, weight: float) -> None:
    """Give a tenant a weight: of two that wait, one of twice the weight has twice as many turns. Raises `Invalid`."""
    if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
        raise errors.Invalid(f"a weight is a number from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}; every tenant begins with 1")
    fair_queue.enroll(session, tenant)
    session.execute(update(Turn).where(Turn.tenant == tenant).values(stride=math.ceil(STRIDE / weight)))


def overview(session: Session) -> Sequence[Row[Any]]:
    """The `tenant`, `weight`, and number of `queued` and `running` jobs of each tenant that has ever queued a job."""

    def count(status: Any) -> Any:
        return select(func.count()).where(status, Job.tenant == Turn.tenant).scalar_subquery()

    columns = Turn.tenant, (STRIDE * 1.0 / Turn.stride).label("weight")
    counts = count(QUEUED).label("queued"), count(RUNNING).label("running")
    return session.execute(select(*columns, *counts).order_by(Turn.tenant)).all()
