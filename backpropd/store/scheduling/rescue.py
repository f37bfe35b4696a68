"""What the reaper does in SQL: takes up jobs that lost their worker, counts those that could run, tidies up."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from backpropd.store import jobs
from backpropd.store.scheduling import claims, workers
from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.schema import QUEUED, RUNNING, IdempotencyKey, Job, Worker
from backpropd.store.status import Status


def take_up_expired(session: Session, lease_seconds: float, max_losses: int) -> list[str]:
    """Take every job from its worker whose lease ran out. Gives their ids.

    A lease further ahead than a lease is long was given before the clock was set back, or the machine started anew.
    """
    expired = or_(Job.lease_expires_at < steady(), Job.lease_expires_at > steady(2 * lease_seconds))
    return _take_up(session, expired, "the lease of {worker} ran out", max_losses)


def take_up_dead(session: Session, lives: Callable[[str], bool], max_losses: int) -> list[str]:
    """Take the jobs of workers that are known to live no more, without waiting for their leases. Gives their ids."""
    held = session.execute(select(Job.number, Job.token, Job.worker).where(RUNNING))
    dead = [(number, token) for number, token, worker in held if worker and not lives(worker)]
    return _take_up(session, tuple_(Job.number, Job.token).in_(dead), "{worker} died", max_losses) if dead else []


def _take_up(session: Session, which: ColumnElement[bool], reason: str, max_losses: int) -> list[str]:
    """Return these running jobs to the queue; give up on those that lost too many workers without any progress."""
    lost = session.scalars(
        select(Job).where(RUNNING, which).order_by(Job.number).with_for_update(skip_locked=True)
    ).all()
    for job in lost:
        _lose(session, job, reason.format(worker=job.worker), max_losses)
    return [job.id for job in lost]


def _lose(session: Session, job: Job, reason: str, max_losses: int) -> None:
    job.losses += 1
    if job.request == "cancel":
        job.stop_reason = "cancelled"
        jobs.move(session, job, Status.CANCELLED, "cancelled by request; its worker was lost")
    elif job.losses >= max_losses:
        detail = (
            f"the job lost its worker {job.losses} times without any progress in between, last on {job.worker} at "
            f"epoch {job.epoch}: it may need more memory than a worker has; try a smaller network or fewer rows"
        )
        claims.fail_job(session, job, "worker_lost", detail)
    elif job.request == "pause":
        jobs.move(session, job, Status.PAUSED, "paused by request; its worker was lost")
    else:
        claims.requeue(session, job, f"{reason} (loss {job.losses})")


def places_to_fill(session: Session, within_seconds: float) -> int:
    """How many queued jobs could run at once on the places of living workers that are free."""
    _, slots = workers.alive(session, within_seconds)
    running = session.scalar(select(func.count()).where(RUNNING)) or 0
    free = max(slots - running, 0)
    return len(session.scalars(select(Job.number).where(QUEUED).limit(free)).all())


def forget_old(session: Session, idempotency_seconds: float, worker_seconds: float) -> None:
    """Drop idempotency keys past their life and workers that have long been silent."""
    session.execute(
        sql_delete(IdempotencyKey).where(IdempotencyKey.created_at < now(-idempotency_seconds)),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        sql_delete(Worker).where(Worker.seen_at < steady(-worker_seconds)),
        execution_options={"synchronize_session": False},
    )
