"""The order in which queued jobs start, and an estimate of a job's position and start.

Tenants take turns, whatever the priorities of their jobs: who is due first by the rule in `queries.sql` starts one job.
A tenant's first job waits for one turn of each other, however many jobs they have queued. A tenant of twice the weight
has twice as many turns. Among one tenant's jobs the highest priority goes first, then the oldest.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.orm import Session

from backpropd.store.scheduling import queries
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import microseconds
from backpropd.store.sql.schema import STRIDE, Job, Turn


class QueueEstimate(NamedTuple):
    """A queued job's position, from 1, and its estimated start, or None if there is nothing to estimate it from."""

    position: int
    starts_at: datetime | None


def enroll(session: Session, tenant: str) -> None:
    """Add a tenant with its first job, or with its weight."""
    statements.insert_new(session, Turn, {"tenant": tenant, "virtual_time": 0, "stride": STRIDE})


def waiting_tenants(session: Session, max_running: int) -> list[str]:
    """The tenants with a queued job, in the order of their turns.

    Without those that run `max_running` jobs; concurrent claims may exceed that by one.
    """
    return [tenant for (tenant,) in statements.run(session, queries.WAITING_TENANTS, {"max_running": max_running})]


def record_turn(session: Session, job: Row[Any]) -> None:
    """Record the turn of a tenant whose `job`, a row of `claimed_job`, was claimed."""
    # A tenant that all others precede anyway stays where it is: moving the clock on would not change the order. Before
    # the first turn of all, new tenants would not precede it.
    others_precede = (job.due_of_others or 0) <= job.virtual_now < job.due
    if not (others_precede and job.virtual_now):
        statements.run(session, queries.RECORD_TURN, {"tenant": job.tenant, "virtual_time": job.due})


def must_yield(session: Session, tenant: str, priority: int) -> bool:
    """Whether a job of this tenant and priority, whose turn is over, leaves its worker to a queued job."""
    return statements.run(session, queries.MUST_YIELD, {"tenant": tenant, "rank": -priority}).first() is not None


def estimate(session: Session, job: Job, worker_timeout_seconds: float) -> QueueEstimate:
    """A queued job's position and start. Workers count that sent a heartbeat within `worker_timeout_seconds`."""
    parameters = {name: getattr(job, name) for name in ("tenant", "rank", "queued_at", "number")}
    parameters |= {"worker_timeout_microseconds": microseconds(worker_timeout_seconds), "new_stride": STRIDE}
    return estimate_from(statements.run(session, queries.QUEUE_OF_JOB, parameters).one())


def estimate_from(queue: Row[Any]) -> QueueEstimate:
    """The estimate for a job, from a row of `queue_state`, which counts the jobs that start before it.

    The jobs are assumed to last as long as the last finished ones. Without workers, or without finished jobs, there is
    no estimate of the start.
    """
    position = queue.own_before + int(queue.others_before) + 1
    must_end_before = position - (queue.slots - queue.running)
    if queue.slots == 0 or (queue.mean_seconds is None and must_end_before > 0):
        return QueueEstimate(position, None)
    wait = max(must_end_before, 0) * (queue.mean_seconds or 0.0) / queue.slots
    return QueueEstimate(position, queue.read_at + timedelta(seconds=wait))
