"""What the sweeper does in SQL: takes up jobs whose lease ran out, finds those that nobody was told of, tidies up."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from backpropd.store import claims, jobs
from backpropd.store.schema import IdempotencyKey, Job, Worker
from backpropd.store.status import Status
from backpropd.store.types import now


def take_up_lost(session: Session, max_recoveries: int) -> list[str]:
    """Return every job whose lease ran out to the queue, or fail it after too many recoveries. Gives their ids."""
    lost = session.scalars(
        select(Job)
        .where(Job.status == Status.RUNNING, Job.lease_expires_at < now())
        .order_by(Job.number)
        .with_for_update(skip_locked=True)
    ).all()
    for job in lost:
        _recover(session, job, max_recoveries)
    return [job.id for job in lost]


def _recover(session: Session, job: Job, max_recoveries: int) -> None:
    if job.request == "cancel":
        job.stop_reason = "cancelled"
        jobs.move(session, job, Status.CANCELLED, "cancelled by request; its worker was lost")
    elif job.recoveries >= max_recoveries:
        detail = (
            f"the job lost its worker {job.recoveries + 1} times, last at epoch {job.epoch} on {job.worker}: "
            "it may need more memory than a worker has; try a smaller network or fewer rows"
        )
        claims.fail_job(session, job, "worker_lost", detail)
    else:
        job.recoveries += 1
        claims.requeue(session, job, f"the lease of {job.worker} ran out (recovery {job.recoveries})")


def unheard(session: Session, ring_again_seconds: float, limit: int) -> Sequence[int]:
    """The numbers of queued jobs that nobody was told of, or not lately: the oldest `limit` of them."""
    query = (
        select(Job.number)
        .where(Job.status == Status.QUEUED)
        .where(or_(Job.rung_at.is_(None), Job.rung_at < now(-ring_again_seconds)))
        .order_by(Job.priority.desc(), Job.number)
        .limit(limit)
    )
    return session.scalars(query).all()


def forget_old(session: Session, idempotency_seconds: float, worker_seconds: float) -> None:
    """Drop idempotency keys past their life and workers that have long been silent."""
    session.execute(
        sql_delete(IdempotencyKey).where(IdempotencyKey.created_at < now(-idempotency_seconds)),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        sql_delete(Worker).where(Worker.seen_at < now(-worker_seconds)),
        execution_options={"synchronize_session": False},
    )


def queue_depth(session: Session) -> dict[str, int]:
    """How many jobs have each status."""
    rows = session.execute(select(Job.status, func.count()).group_by(Job.status)).all()
    return {row[0]: row[1] for row in rows}
