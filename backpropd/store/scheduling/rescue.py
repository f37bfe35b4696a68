"""Rescue of jobs that lost their worker, and the cleaning of old rows: the SQL of the reaper."""

import logging
from collections.abc import Callable

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, defer

from backpropd.store import jobs
from backpropd.store.scheduling import job_endings, workers
from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.schema import QUEUED, RUNNING, IdempotencyKey, Job, Worker
from backpropd.store.status import Status

log = logging.getLogger(__name__)

# Large, not needed here, and if one cannot be read the job can still be rescued.
_UNREAD = [defer(column) for column in (Job.spec, Job.left_out, Job.warnings, Job.meta)]


def rescue_expired(session: Session, lease_seconds: float, max_crashes: int) -> list[str]:
    """Rescue the jobs whose lease has expired. Returns their ids.

    No lease runs longer than `lease_seconds`: one that expires more than twice that from now was written before the
    clock was set back, or before the machine restarted.
    """
    expired = or_(Job.lease_expires_at < steady(), Job.lease_expires_at > steady(2 * lease_seconds))
    return _rescue(session, expired, "its worker's lease ran out", max_crashes)


def rescue_dead(session: Session, is_alive: Callable[[str], bool], max_crashes: int) -> list[str]:
    """Rescue the jobs of workers that are known to be dead, before their leases expire. Returns the jobs' ids."""
    leased = session.execute(select(Job.number, Job.fencing_token, Job.worker).where(RUNNING))
    dead = [(number, token) for number, token, worker in leased if worker and not is_alive(worker)]
    condition = tuple_(Job.number, Job.fencing_token).in_(dead)
    return _rescue(session, condition, "its worker died", max_crashes) if dead else []


def _rescue(session: Session, condition: ColumnElement[bool], reason: str, max_crashes: int) -> list[str]:
    """Rescue each job in a savepoint of its own: one that cannot be rescued is logged, and the others are."""
    rescued = []
    for number in session.scalars(select(Job.number).where(RUNNING, condition).order_by(Job.number)).all():
        query = select(Job).options(*_UNREAD).where(Job.number == number, RUNNING, condition)
        try:
            with session.begin_nested():
                if job := session.scalar(query.with_for_update(skip_locked=True)):
                    _take_from_worker(session, job, reason, max_crashes)
                    rescued.append(job.id)
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            log.exception("job number %d cannot be rescued", number)
    return rescued


def _take_from_worker(session: Session, job: Job, reason: str, max_crashes: int) -> None:
    """Requeue a job; fail it after `max_crashes` without a checkpoint in between. A stop request has precedence."""
    job.crashes += 1
    if job.stop_request == "cancel":
        job.stop_reason = "cancelled"
        jobs.move(session, job, Status.CANCELLED, "cancelled by request; its worker was lost")
    elif job.crashes >= max_crashes:
        detail = (
            f"the job lost its worker {job.crashes} times without any progress in between, last at epoch "
            f"{job.epoch}: it may need more memory than a worker has; try a smaller network or fewer rows"
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
