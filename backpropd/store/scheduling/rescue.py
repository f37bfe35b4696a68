"""Rescue of jobs that lost their worker, and the cleaning of old rows: the SQL of the reaper."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from backpropd.store import jobs
from backpropd.store.scheduling import job_endings, workers
from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.schema import QUEUED, RUNNING, IdempotencyKey, Job, Worker
from backpropd.store.status import Status


def rescue_expired(session: Session, lease_seconds: float, max_crashes: int) -> list[str]:
    """Rescue the jobs whose lease has expired. Returns their ids.

    No lease runs longer than `lease_seconds`: one that expires more than twice that from now was written before the
    clock was set back, or before the machine restarted.
    """
    expired = or_(Job.lease_expires_at < steady(), Job.lease_expires_at > steady(2 * lease_seconds))
    return _rescue(session, expired, "the lease of {worker} ran out", max_crashes)


def rescue_dead(session: Session, is_alive: Callable[[str], bool], max_crashes: int) -> list[str]:
    """Rescue the jobs of workers that are known to be dead, before their leases expire. Returns the jobs' ids."""
    leased = session.execute(select(Job.number, Job.fencing_token, Job.worker).where(RUNNING))
    dead = [(number, token) for number, token, worker in leased if worker and not is_alive(worker)]
    condition = tuple_(Job.number, Job.fencing_token).in_(dead)
    return _rescue(session, condition, "{worker} died", max_crashes) if dead else []


def _rescue(session: Session, condition: ColumnElement[bool], reason: str, max_crashes: int) -> list[str]:
    running = select(Job).where(RUNNING, condition).order_by(Job.number).with_for_update(skip_locked=True)
    lost = session.scalars(running).all()
    for job in lost:
        _take_from_worker(session, job, reason.format(worker=job.worker), max_crashes)
    return [job.id for job in lost]


def _take_from_worker(session: Session, job: Job, reason: str, max_crashes: int) -> None:
    """Requeue a job; fail it after `max_crashes` without a checkpoint in between. A stop request has precedence."""
    job.crashes += 1
    if job.stop_request == "cancel":
        job.stop_reason = "cancelled"
        jobs.move(session, job, Status.CANCELLED, "cancelled by request; its worker was lost")
    elif job.crashes >= max_crashes:
        detail = (
            f"the job lost its worker {job.crashes} times without any progress in between, last on {job.worker} at "
            f"epoch {job.epoch}: it may need more memory than a worker has; try a smaller network or fewer rows"
        )
        job_endings.fail_job(session, job, "worker_lost", detail)
    elif job.stop_request == "pause":
        jobs.move(session, job, Status.PAUSED, "paused by request; its worker was lost")
    else:
        job_endings.requeue(session, job, f"{reason} (crash {job.crashes})")


def count_startable(session: Session, worker_timeout_seconds: float) -> int:
    """How many queued jobs could start now in the free slots of living workers."""
    _, slots = workers.alive(session, worker_timeout_seconds)
    running = session.scalar(select(func.count()).where(RUNNING)) or 0
    free = max(slots - running, 0)
    return len(session.scalars(select(Job.number).where(QUEUED).limit(free)).all())


def delete_stale(session: Session, idempotency_seconds: float, worker_seconds: float) -> None:
    """Delete idempotency keys and workers' heartbeats that are older than this."""
    for stale in (
        sql_delete(IdempotencyKey).where(IdempotencyKey.created_at < now(-idempotency_seconds)),
        sql_delete(Worker).where(Worker.seen_at < steady(-worker_seconds)),
    ):
        session.execute(stale, execution_options={"synchronize_session": False})
