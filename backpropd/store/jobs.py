"""Jobs as clients manage them: read, listed, cancelled, paused, resumed, deleted. They are created in `submission`."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Insert, String, bindparam, func, insert, select, union_all, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import idempotency, sizes
from backpropd.store.sql import statements, tenant_rows
from backpropd.store.sql.column_types import now
from backpropd.store.sql.paging import Page, page
from backpropd.store.sql.schema import Checkpoint, Job, Transition
from backpropd.store.status import ALLOWED_TRANSITIONS, TERMINAL, Status

MAX_TRANSITIONS = 1000  # recorded for one job, besides the one that ends it

_OF_JOBS = Transition.job_number.in_(bindparam("job_numbers", expanding=True))
_TRANSITIONS = select(Transition).where(_OF_JOBS).order_by(Transition.number)
_DELETE_CHECKPOINT = sql_delete(Checkpoint).where(Checkpoint.job_number == bindparam("number"))


class Step(NamedTuple):
    """A job's transition to a status, to be recorded. The fields are columns of `Transition`."""

    job_number: int
    tenant: str
    status: Status
    reason: str


def get(session: Session, tenant: str, job_id: str, *, lock: bool = False) -> Job:
    """The tenant's job of this id, its row locked on request. Raises `errors.NotFound`."""
    return tenant_rows.find(session, Job, tenant, job_id, lock=lock)


def list_page(
    session: Session, tenant: str, limit: int, cursor: str | None, status: str | None, dataset_id: str | None
) -> Page[Job]:
    """A page of the tenant's jobs, newest first, without their specs.

    Only those of the status and of the dataset, where given.
    """
    equal, conditions = {Job.status: status} if status is not None else {}, []
    if dataset_id is not None:
        equal, conditions = {Job.dataset_id: dataset_id}, [Job.status == status] if status is not None else []
    return page(session, Job, tenant, limit, cursor, equal, *conditions, unread=(Job.spec, Job.left_out))


def cancel(session: Session, tenant: str, job_id: str) -> Job:
    """Cancel a job at once, or, if it is running, request it from its worker, which reacts within two seconds.

    From here on the job can no longer end `succeeded`. Raises `errors.Conflict` for a finished job.
    """
    job = get(session, tenant, job_id, lock=True)
    if job.status == Status.RUNNING:
        job.stop_request = "cancel"
    else:
        job.stop_reason = "cancelled"
        move(session, job, Status.CANCELLED, "cancelled by request")
    return job


def pause(session: Session, tenant: str, job_id: str) -> Job:
    """Pause a job at once, or, if it is running, when its worker has written a checkpoint. Raises `errors.Conflict`."""
    job = get(session, tenant, job_id, lock=True)
    if job.status == Status.RUNNING and job.stop_request == "cancel":
        raise errors.Conflict("the job is being cancelled: it can no longer be paused")
    if job.status == Status.RUNNING:
        job.stop_request = "pause"
    else:
        move(session, job, Status.PAUSED, "paused by request")
    return job


def resume(session: Session, tenant: str, job_id: str) -> Job:
    """Queue a paused job again, or withdraw a pause request that its worker has not carried out yet.

    Raises `errors.Conflict` for a job that is neither paused nor about to be.
    """
    job = get(session, tenant, job_id, lock=True)
    if job.status == Status.RUNNING and job.stop_request == "pause":
        job.stop_request = None
        return job
    if job.status != Status.PAUSED:
        raise errors.Conflict(f"the job is {job.status}: only a paused job can be resumed")
    job.queued_at = now()
    move(session, job, Status.QUEUED, "resumed by request")
    return job


def delete(session: Session, tenant: str, job_id: str) -> None:
    """Delete a finished job with its epochs and snapshots; its model and its forks stay.

    Raises `errors.Conflict` for an unfinished job.
    """
    job = get(session, tenant, job_id, lock=True)
    if job.status not in TERMINAL:
        raise errors.Conflict(f"the job is {job.status}: cancel it, or wait until it has finished, then delete it")
    session.execute(sql_delete(Job).where(Job.number == job.number))
    idempotency.forget(session, tenant, job_id)


def move(session: Session, job: Job, status: Status, reason: str) -> Status:
    """Change the status of a job, whose row is locked, and record the transition. Returns the status.

    Raises `errors.Conflict` for a transition that `ALLOWED_TRANSITIONS` does not have.
    """
    if status not in ALLOWED_TRANSITIONS[Status(job.status)]:
        already = "already" if job.status == status else f"{job.status}, and cannot become"
        raise errors.Conflict(f"the job is {already} {status}")
    job.status = status
    recorded_bytes = sizes.TRANSITION * record(session, Step(job.number, job.tenant, status, reason))
    job.own_bytes += recorded_bytes
    job.stored_bytes += recorded_bytes
    job.lease_expires_at = job.worker = job.stop_request = None
    if status in TERMINAL:
        job.finished_at = now()
        own_epochs = job.epoch - (job.parent_epoch or 0)
        job.stored_bytes = job.own_bytes + job.snapshot_bytes + sizes.of_curve(own_epochs)
        delete_checkpoint(session, job.number)
    session.flush()
    return status


def record(session: Session, *steps: Step) -> int:
    """Insert transitions, in this order and with one statement. Returns how many.

    Of a job with `MAX_TRANSITIONS` only the one that ends it is recorded.
    """
    values = {f"{name}_{index}": value for index, step in enumerate(steps) for name, value in step._asdict().items()}
    return statements.run(session, _insert_transitions(len(steps)), values).rowcount


@cache
def _insert_transitions(count: int) -> Insert:
    columns = [Transition.__table__.c[name] for name in Step._fields]
    rows = (
        select(*(bindparam(f"{each.name}_{n}", type_=each.type) for each in columns), now()).where(_is_recorded(n))
        for n in range(count)
    )
    # From a union: SQLAlchemy would compile several rows of VALUES anew each time.
    inserted = insert(Transition).from_select([*Step._fields, Transition.at.key], union_all(*rows))
    return inserted.execution_options(preserve_rowcount=True)


def _is_recorded(n: int) -> ColumnElement[bool]:
    """Whether the transition of the parameters `…_n` ends its job, or the job has room for one more."""
    recorded = select(func.count()).where(Transition.job_number == bindparam(f"job_number_{n}")).scalar_subquery()
    return bindparam(f"status_{n}", type_=String()).in_(sorted(TERMINAL)) | (recorded < MAX_TRANSITIONS)


def transitions(session: Session, jobs: Sequence[Job]) -> dict[int, list[Transition]]:
    """The transitions of these jobs, oldest first, by the job's number, with one query."""
    found = {job.number: [first_transition(job)] for job in jobs}
    for transition in session.scalars(_TRANSITIONS, {"job_numbers": list(found)}):
        found[transition.job_number].append(transition)
    return found


def first_transition(job: Job) -> Transition:
    """The submission of a job, which has no row of its own."""
    return Transition(status=Status.QUEUED, at=job.created_at, reason="submitted")


def add_warnings(session: Session, number: int, warnings: Sequence[dict[str, Any]]) -> None:
    """Add warnings to those that a job has, whose row the transaction has locked."""
    known = session.scalar(select(Job.warnings).where(Job.number == number)) or []
    session.execute(update(Job).where(Job.number == number).values(warnings=[*known, *warnings]))


def delete_checkpoint(session: Session, number: int) -> None:
    """Delete the checkpoint of a finished job."""
    statements.run(session, _DELETE_CHECKPOINT, {"number": number})
