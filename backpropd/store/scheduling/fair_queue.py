"""The order in which queued jobs start, and an estimate of a job's position and start.

The highest priority goes first. Within a priority the tenants take turns: in each round every waiting tenant starts one
job, its oldest. So a tenant's first job waits for one turn, however many jobs another tenant has queued.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.orm import Session

from backpropd.store.scheduling import queries
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import microseconds
from backpropd.store.sql.schema import Job, Turn


class QueueEstimate(NamedTuple):
    """A queued job's position, from 1, and its estimated start, or None if there is nothing to estimate it from."""

    position: int
    starts_at: datetime | None


def enroll(session: Session, tenant: str) -> None:
    """Add a tenant to the rounds, with its first job."""
    statements.insert_new(session, Turn, {"tenant": tenant, "round": 0})


def waiting_tenants(session: Session, max_running: int) -> list[str]:
    """The tenants with a queued job, in the order of their turns.

    Without those that run `max_running` jobs; concurrent claims may exceed that by one.
    """
    return [tenant for (tenant,) in statements.run(session, queries.WAITING_TENANTS, {"max_running": max_running})]


def record_turn(session: Session, job: Row[Any]) -> None:
    """Record the turn of a tenant whose `job`, a row of `claimed_job`, was claimed.

    A tenant's second turn in a round begins the next round.
    """
    had_turn = job.tenant_round >= job.current_round
    # A new tenant is in round 0, where no other is ahead of it. A tenant that is alone in the current round stays
    # there: another round would not change the order.
    if not (had_turn and job.tenants_in_current_round == 1 and job.current_round):
        turn = {"tenant": job.tenant, "round": job.current_round + had_turn}
        statements.run(session, queries.RECORD_TURN, turn)


def has_queued_job(session: Session, min_priority: int) -> bool:
    """Whether a job of at least this priority is queued."""
    return statements.run(session, queries.HAS_QUEUED_JOB, {"max_rank": -min_priority}).first() is not None


def estimate(session: Session, job: Job, worker_timeout_seconds: float) -> QueueEstimate:
    """A queued job's position and start. Workers count that sent a heartbeat within `worker_timeout_seconds`."""
    parameters = {name: getattr(job, name) for name in ("tenant", "rank", "queued_at", "number")}
    parameters["worker_timeout_microseconds"] = microseconds(worker_timeout_seconds)
    return estimate_from(statements.run(session, queries.QUEUE_OF_JOB, parameters).one())


def estimate_from(queue: Row[Any]) -> QueueEstimate:
    """The estimate for a job, from a row of `queue_state`, which counts the jobs that start before it.

    The jobs are assumed to last as long as the last finished ones. Without workers, or without finished jobs, there is
    no estimate of the start.
    """
    position = queue.more_urgent + queue.own_before + int(queue.others_before) + 1
    must_end_before = position - (queue.slots - queue.running)
    if queue.slots == 0 or (queue.mean_seconds is None and must_end_before > 0):
        return QueueEstimate(position, None)
    wait = max(must_end_before, 0) * (queue.mean_seconds or 0.0) / queue.slots
    return QueueEstimate(position, queue.read_at + timedelta(seconds=wait))
