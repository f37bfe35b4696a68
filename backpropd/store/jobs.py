"""Jobs as their owners see them: made, read, listed, cancelled, paused, resumed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Insert, bindparam, insert, inspect, select, union_all
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import idempotency, tenants
from backpropd.store.ids import new_id
from backpropd.store.scheduling import fair_queue
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import in_seconds, now
from backpropd.store.sql.paging import Page, page
from backpropd.store.sql.schema import Checkpoint, Dataset, Job, Model, Transition
from backpropd.store.status import MOVES, OVER, Status

TRANSITIONS = (
    select(Transition).where(Transition.job_number.in_(bindparam("jobs", expanding=True))).order_by(Transition.number)
)
NEW = insert(Job).values(created_at=now(), queued_at=now())
NEW = NEW.returning(Job.number, Job.created_at, Job.queued_at, fair_queue.ENROLLED.label("enrolled"))
# What the table gives a new row, for the object that stands for it: reading it back would take longer than writing it.
DEFAULTS = {each.key: each.columns[0].default.arg for each in inspect(Job).column_attrs if each.columns[0].default}
# What it says of its worker when nobody holds it.
LET_GO: dict[str, None] = {"lease_expires_at": None, "worker": None, "request": None}
FORGET = sql_delete(Checkpoint).where(Checkpoint.job_number == bindparam("job"))


class Room(NamedTuple):
    """How many jobs may be queued: a tenant's own, and those of all."""

    own: int
    all: int


ENDLESS = Room(2**31 - 1, 2**31 - 1)


class Queued(NamedTuple):
    """A job that has just been queued, and what it can look forward to."""

    job: Job
    outlook: fair_queue.QueueEstimate


def create(
    session: Session,
    tenant: str,
    *,
    dataset_id: str,
    epochs: int,
    priority: int = 0,
    room: Room = ENDLESS,
    within_seconds: float = 30.0,
    **fields: Any,
) -> Queued:
    """Add a queued job: `name, spec, meta`, and its `id, validation_dataset_id, warm_start_model_id` if any.

    The rows of what it needs are locked, so that neither goes unseen. Workers count for its outlook that were heard of
    `within_seconds`. Raises `errors.NotFound` when something is gone, and `errors.QueueFull` when there is no room.
    """
    figures = (*fair_queue.COUNTS, *fair_queue.FIGURES_OF_NEXT)
    place = {"whose": tenant, "rank": -priority, "within": in_seconds(-within_seconds), "most": max(room)}
    queue = tenants.look(session, Dataset, tenant, dataset_id, *figures, keep=True, **place)
    _refuse_when_full(queue.own, queue.all, room)
    if other := fields.get("validation_dataset_id"):
        tenants.look(session, Dataset, tenant, other, Dataset.id, keep=True)
    if model := fields.get("warm_start_model_id"):
        tenants.look(session, Model, tenant, model, Model.id, keep=True)
    row = {"id": new_id("job"), "tenant": tenant, "dataset_id": dataset_id, "epochs": epochs, "rank": -priority}
    row |= {"status": Status.QUEUED.value, **fields}
    made = statements.run(session, NEW, {**statements.by_column(Job, row), "whose": tenant}).one()
    if not made.enrolled:
        fair_queue.enrol(session, tenant)
    job = Job(**{**DEFAULTS, **row}, number=made.number, created_at=made.created_at, queued_at=made.queued_at)
    return Queued(job, fair_queue.estimate_from(queue))


def _refuse_when_full(own: int, in_all: int, room: Room) -> None:
    if own >= room.own or in_all >= room.all:
        which = f"{room.own} jobs of yours" if own >= room.own else f"{room.all} jobs of all tenants together"
        raise errors.QueueFull(f"{which} are queued, the most that are taken: post again when some are done")


def get(session: Session, tenant: str, job_id: str, *, lock: bool = False) -> Job:
    """The tenant's job of this id, its row locked if asked. Raises `errors.NotFound`."""
    return tenants.find(session, Job, tenant, job_id, lock=lock)


def list_page(
    session: Session, tenant: str, limit: int, cursor: str | None, status: str | None, dataset_id: str | None
) -> Page[Job]:
    """A page of the tenant's jobs, newest first, narrowed by status and dataset where given."""
    if dataset_id is not None:
        narrowed = [Job.status == status] if status is not None else []
        return page(session, Job, tenant, limit, cursor, {Job.dataset_id: dataset_id}, *narrowed)
    return page(session, Job, tenant, limit, cursor, {Job.status: status} if status is not None else None)


def transitions(session: Session, jobs: Sequence[Job]) -> dict[int, list[Transition]]:
    """Each job's transitions, oldest first, by the job's number: one query for a whole page."""
    found = {job.number: [submitted(job)] for job in jobs}
    for transition in session.scalars(TRANSITIONS, {"jobs": list(found)}):
        found[transition.job_number].append(transition)
    return found


def submitted(job: Job) -> Transition:
    """A job's first transition, of which its own row tells all."""
    return Transition(status=Status.QUEUED, at=job.created_at, reason="submitted")


class Step(NamedTuple):
    """That a job takes a status, and why."""

    job_number: int
    tenant: str
    status: Status
    reason: str


def record(session: Session, *steps: Step) -> None:
    """Write down the steps that jobs have just taken, in this order and in one statement."""
    values = {f"{name}_{place}": value for place, step in enumerate(steps) for name, value in step._asdict().items()}
    statements.run(session, _recording(len(steps)), values)


@cache
def _recording(steps: int) -> Insert:
    columns = [Transition.__table__.c[name] for name in Step._fields]
    rows = (select(*(bindparam(f"{each.name}_{n}", type_=each.type) for each in columns), now()) for n in range(steps))
    # From a union, for SQLAlchemy would compile several rows of values anew each time.
    return insert(Transition).from_select([*Step._fields, Transition.at.key], union_all(*rows))


def forget_checkpoint(session: Session, number: int) -> None:
    """Drop the checkpoint of a job that is over."""
    statements.run(session, FORGET, {"job": number})


def move(session: Session, job: Job, status: Status, reason: str) -> None:
    """Take the job to another status, as `MOVES` allows, and record it. The row must be locked.

    Raises `errors.Conflict` where the table has no such move.
    """
    if status not in MOVES[Status(job.status)]:
        raise errors.Conflict(f"the job is {job.status}, and from there it cannot become {status}")
    job.status = status
    if status is not Status.RUNNING:
        for name, nothing in LET_GO.items():
            setattr(job, name, nothing)
    if status in OVER:
        job.finished_at = now()
        forget_checkpoint(session, job.number)
    record(session, Step(job.number, job.tenant, status, reason))
    session.flush()


def cancel(session: Session, tenant: str, job_id: str) -> Job:
    """Cancel at once what no worker holds; ask the worker of a running job, which answers within two seconds.

    From here on the job can no longer end `succeeded`. Raises `errors.Conflict` for a job that is over.
    """
    job = get(session, tenant, job_id, lock=True)
    if job.status == Status.RUNNING:
        job.request = "cancel"
    else:
        job.stop_reason = "cancelled"
        move(session, job, Status.CANCELLED, "cancelled by request")
    return job


def pause(session: Session, tenant: str, job_id: str) -> Job:
    """Put a job aside; a running one's worker checkpoints it first. Raises `errors.Conflict`."""
    job = get(session, tenant, job_id, lock=True)
    if job.status == Status.RUNNING and job.request == "cancel":
        raise errors.Conflict("the job is being cancelled: it cannot be paused any more")
    if job.status == Status.RUNNING:
        job.request = "pause"
    else:
        move(session, job, Status.PAUSED, "paused by request")
    return job


def resume(session: Session, tenant: str, job_id: str) -> Job:
    """Queue a paused job again, from its checkpoint; withdraw a pause that its worker has not carried out yet.

    Raises `errors.Conflict` for any other status.
    """
    job = get(session, tenant, job_id, lock=True)
    if job.status == Status.RUNNING and job.request == "pause":
        job.request = None
        return job
    if job.status != Status.PAUSED:
        raise errors.Conflict(f"the job is {job.status}: only a paused one can be resumed")
    job.queued_at = now()
    move(session, job, Status.QUEUED, "resumed by request")
    return job


def delete(session: Session, tenant: str, job_id: str) -> None:
    """Delete a job that is over, with its epochs; its model stays. Raises `errors.Conflict` before."""
    job = get(session, tenant, job_id, lock=True)
    if job.status not in OVER:
        raise errors.Conflict(f"the job is {job.status}: cancel it, or wait until it is over, then delete it")
    session.execute(sql_delete(Job).where(Job.number == job.number))
    idempotency.forget(session, tenant, job_id)
