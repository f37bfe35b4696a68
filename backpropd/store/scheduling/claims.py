"""A worker's hold on a job: claim, heartbeat, epochs, checkpoint, end. Every write is fenced by the claim's token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Label, Row, ScalarSelect, bindparam, func, insert, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.dml import ReturningUpdate

from backpropd import errors
from backpropd.store import epochs as curves
from backpropd.store import jobs
from backpropd.store.ids import new_id
from backpropd.store.scheduling import fair_queue
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import in_seconds, now, seconds_named, steady
from backpropd.store.sql.schema import RUNNING, Checkpoint, Dataset, Epoch, Job, Model
from backpropd.store.status import Status


@dataclass(frozen=True)
class Table:
    """Where a dataset lies, and its columns."""

    sha256: str
    columns: list[Any]


@dataclass(frozen=True)
class WarmStart:
    """A model that a job goes on from: its encoders, weights, and what its optimizer remembered if it was kept."""

    encoders: dict[str, Any]
    weights: bytes
    training_state: bytes | None


@dataclass(frozen=True)
class ResumePoint:
    """What a job goes on from: its last checkpoint, and the model that its spec names; None where there is none."""

    checkpoint: bytes | None = None
    warm_start: WarmStart | None = None


@dataclass(frozen=True)
class Claim:
    """What a worker was given: the job's spec, where its data lie, and its token. What it goes on from is read later.

    `validation` is a dataset of its own to validate on; `seconds` is how long workers have held the job before;
    `checkpointed` says whether it has a checkpoint.
    """

    number: int
    job_id: str
    tenant: str
    name: str | None
    token: int
    attempt: int
    priority: int
    seconds: float
    spec: dict[str, Any]
    dataset_sha256: str
    columns: list[Any]
    validation: Table | None
    checkpointed: bool
    warm_start_model_id: str | None


class StopRequested(Exception):
    """Something else was asked of the job than what its worker was about to do."""

    def __init__(self, request: str) -> None:
        super().__init__(request)
        self.request = request


class ClaimOptions(NamedTuple):
    """Who claims, for how long, and how many jobs of a tenant may run at once: one with so many must wait."""

    worker: str
    lease_seconds: float
    most_running: int = 2**31 - 1


def claim_best(session: Session, claimant: ClaimOptions) -> Claim | None:
    """Take the best queued job: the highest priority, then a tenant that waits for its turn, then the oldest.

    Sets the lease and the fencing token and removes the epochs past the last checkpoint, all in this transaction, so
    that the epochs of a job are contiguous whatever happened to the worker before.
    """
    claim = _take(session, claimant)
    if claim:
        jobs.record(session, _claimed(claim, claimant.worker))
    return claim


def _claimed(claim: Claim, worker: str) -> jobs.Step:
    reason = f"claimed by {worker}, attempt {claim.attempt}"
    return jobs.Step(claim.number, claim.tenant, Status.RUNNING, reason)


def _take(session: Session, claimant: ClaimOptions) -> Claim | None:
    job = _first_job(session, claimant)
    if job is None:
        return None
    fair_queue.note(session, job)
    return Claim(
        number=job.number,
        job_id=job.id,
        tenant=job.tenant,
        name=job.name,
        token=job.token,
        attempt=job.attempts,
        priority=-job.rank,
        seconds=job.seconds,
        spec=job.spec,
        dataset_sha256=job.sha256,
        columns=job.columns,
        validation=_table(session, job.validation_dataset_id) if job.validation_dataset_id else None,
        checkpointed=job.attempts > 1 and _back_to_checkpoint(session, job.number),
        warm_start_model_id=job.warm_start_model_id,
    )


def _first_job(session: Session, claimant: ClaimOptions) -> Row[Any] | None:
    taking = {"claimant": claimant.worker, "held_for": in_seconds(claimant.lease_seconds)}
    most = {"most_running": claimant.most_running}
    if job := statements.run(session, TAKE, taking | most).one_or_none():
        return job
    # The jobs of the first tenant may be locked by other workers.
    for tenant in fair_queue.waiting(session, claimant.most_running):
        if job := statements.run(session, TAKE_OF_ONE, taking | {"whose": tenant}).one_or_none():
            return job
    return None


def _of_its_dataset(column: InstrumentedAttribute[Any]) -> Label[Any]:
    return select(column).where(Dataset.id == Job.dataset_id).correlate(Job).scalar_subquery().label(column.key)


def _taking(first: ScalarSelect[int]) -> ReturningUpdate[Any]:
    return (
        update(Job)
        .where(Job.number == first)
        .values(
            status=Status.RUNNING.value,
            token=Job.token + 1,
            attempts=Job.attempts + 1,
            worker=bindparam("claimant"),
            lease_expires_at=steady(seconds_named("held_for")),
            started_at=func.coalesce(Job.started_at, now()),
        )
        .returning(
            *(Job.number, Job.id, Job.tenant, Job.name, Job.token, Job.attempts, Job.rank, Job.seconds, Job.spec),
            *(Job.validation_dataset_id, Job.warm_start_model_id),
            *(_of_its_dataset(Dataset.sha256), _of_its_dataset(Dataset.columns), *fair_queue.STANDING),
        )
    )


TAKE, TAKE_OF_ONE = _taking(fair_queue.FIRST), _taking(fair_queue.FIRST_OF_ONE)


def _back_to_checkpoint(session: Session, number: int) -> bool:
    epoch = session.scalar(select(Checkpoint.epoch).where(Checkpoint.job_number == number))
    statements.run(session, update(Job).where(Job.number == number).values(epoch=epoch or 0), {})
    statements.run(session, sql_delete(Epoch).where(Epoch.job_number == number, Epoch.epoch > (epoch or 0)), {})
    return epoch is not None


def _table(session: Session, dataset_id: str) -> Table:
    return Table(*statements.run(session, TABLE, {"named": dataset_id}).one())


TABLE = select(Dataset.sha256, Dataset.columns).where(Dataset.id == bindparam("named"))


def resume_point(session: Session, claim: Claim) -> ResumePoint:
    """What a claimed job goes on from. It may be large: a claim would hold SQLite's lock while it is read."""
    checkpoint = select(Checkpoint.data).where(Checkpoint.job_number == claim.number)
    model = select(Model.encoders, Model.weights, Model.training_state).where(Model.id == claim.warm_start_model_id)
    return ResumePoint(
        session.scalar(checkpoint) if claim.checkpointed else None,
        WarmStart(*session.execute(model).one()) if claim.warm_start_model_id else None,
    )


def renew(session: Session, claim: Claim, lease_seconds: float, seconds: float, **progress: Any) -> str | None:
    """Extend the lease, note that the job was held for `seconds` in all, and read what was asked of it.

    That is 'cancel', 'pause' or None. Raises `errors.LeaseLost` when another claim holds the job, or nobody does.
    """
    changed = {"held_for": in_seconds(lease_seconds), "now_seconds": seconds}
    progress = {f"now_{name}": value for name, value in progress.items()}
    row = statements.run(session, _renewal(*progress), _holder(claim) | changed | progress).one_or_none()
    if row is None:
        raise _lost(claim)
    request: str | None = row.request
    return request


def _holder(claim: Claim) -> dict[str, Any]:
    return {"held": claim.number, "held_token": claim.token}


def _lost(claim: Claim) -> errors.LeaseLost:
    return errors.LeaseLost(f"job {claim.job_id} is no longer held with token {claim.token}")


HELD = (Job.number == bindparam("held"), Job.token == bindparam("held_token"), RUNNING)


@cache
def _renewal(*progress: str) -> ReturningUpdate[str | None]:
    renewed = update(Job).where(*HELD).values(lease_expires_at=steady(seconds_named("held_for")))
    for name in ("now_seconds", *progress):
        renewed = renewed.values({name.removeprefix("now_"): bindparam(name)})
    return renewed.returning(Job.request)


def write_epochs(
    session: Session,
    claim: Claim,
    epochs: Sequence[dict[str, Any]],
    lease_seconds: float,
    seconds: float,
    checkpoint: tuple[int, bytes] | None = None,
) -> str | None:
    """Write a batch of epochs and the job's progress, and a checkpoint with its epoch; renew the lease on the way.

    Each epoch: `epoch, loss, validation_loss, metrics, validation_metrics, gradient_norm, learning_rate, seconds`.
    Those that are there already stay: a transaction whose answer was lost on the way is simply written once more.
    """
    progress: dict[str, Any] = {"epoch": epochs[-1]["epoch"]} if epochs else {}
    if checkpoint:
        progress["losses"] = 0
    request = renew(session, claim, lease_seconds, seconds, **progress)
    if epochs:
        curves.add(session, claim.number, claim.tenant, epochs)
    if checkpoint:
        epoch, data = checkpoint
        session.merge(Checkpoint(job_number=claim.number, tenant=claim.tenant, epoch=epoch, data=data, at=now()))
        session.flush()
    return request


def _held(session: Session, claim: Claim) -> Job:
    """The job's row, locked, if this claim still holds it."""
    job = session.scalar(HOLD, _holder(claim))
    if job is None:
        raise _lost(claim)
    return job


HOLD = select(Job).where(*HELD).with_for_update()


def succeed(
    session: Session,
    claim: Claim,
    stop_reason: str,
    model: dict[str, Any],
    epochs: Sequence[dict[str, Any]] = (),
    seconds: float | None = None,
    *,
    checkpointed: bool = True,
    then_for: ClaimOptions | None = None,
) -> tuple[Status, Claim | None]:
    """The last transaction of a good run: the epochs that were not written yet, the model and `succeeded` together.

    `seconds` is how long the job was held in all; `checkpointed` says whether there may be a checkpoint to drop. With
    `then_for` the next job is claimed, too. A cancel that was acknowledged before wins: then the job ends `cancelled`
    and no model is made. Raises `StopRequested` for a pause: it needs a checkpoint, and the job ends when it is
    resumed.
    """
    made = {"id": new_id("model"), "tenant": claim.tenant, "job_id": claim.job_id, "name": claim.name, **model}
    last = epochs[-1]["epoch"] if epochs else None
    end = {**_holder(claim), "made": made["id"], "why": stop_reason, "last": last, "held_seconds": seconds}
    ended = statements.run(session, SUCCEED, end).one_or_none() is not None
    job = None if ended else _held(session, claim)
    if job and job.request != "cancel":
        raise StopRequested(str(job.request))
    if epochs:
        curves.add(session, claim.number, claim.tenant, epochs)
    if job:
        job.epoch = last or job.epoch
        return _cancelled(session, job), None
    statements.run(session, MADE, statements.by_column(Model, made))
    if checkpointed:
        jobs.forget_checkpoint(session, claim.number)
    steps, then = [jobs.Step(claim.number, claim.tenant, Status.SUCCEEDED, stop_reason)], None
    if then_for and (then := _take(session, then_for)):
        steps.append(_claimed(then, then_for.worker))
    jobs.record(session, *steps)
    return Status.SUCCEEDED, then


SUCCEED = (
    update(Job)
    .where(*HELD, Job.request.is_(None))
    .values(
        status=Status.SUCCEEDED.value,
        model_id=bindparam("made"),
        stop_reason=bindparam("why"),
        epoch=func.coalesce(bindparam("last", type_=Job.epoch.type), Job.epoch),
        seconds=func.coalesce(bindparam("held_seconds", type_=Job.seconds.type), Job.seconds),
        finished_at=now(),
        **jobs.LET_GO,
    )
    .returning(Job.number)
)
MADE = insert(Model).values(created_at=now())


def fail(session: Session, claim: Claim, code: str, detail: str) -> Status:
    """End the job with an error; a cancel that was acknowledged before wins."""
    job = _held(session, claim)
    if job.request == "cancel":
        return _cancelled(session, job)
    return fail_job(session, job, code, detail)


def fail_job(session: Session, job: Job, code: str, detail: str) -> Status:
    """End a job whose row is locked with an error."""
    job.stop_reason, job.error_code, job.error_detail = "error", code, detail
    jobs.move(session, job, Status.FAILED, code)
    return Status.FAILED


def apply_request(session: Session, claim: Claim) -> Status:
    """Carry out what was asked of a running job: end it `cancelled`, or put it aside `paused`.

    A request that was withdrawn in the meantime leaves the job in the queue.
    """
    job = _held(session, claim)
    if job.request == "cancel":
        return _cancelled(session, job)
    if job.request is None:
        return requeue(session, job, "resumed before it was paused")
    jobs.move(session, job, Status.PAUSED, "paused by request")
    return Status.PAUSED


def hand_back(session: Session, claim: Claim, reason: str, *, behind: bool = False) -> Status:
    """Return a job to the queue without counting a loss, to its old place or `behind` those who wait.

    What somebody asked of it comes first.
    """
    job = _held(session, claim)
    if job.request is not None:
        return apply_request(session, claim)
    if behind:
        job.queued_at = now()
    return requeue(session, job, reason)


def requeue(session: Session, job: Job, reason: str) -> Status:
    """Put a running job, whose row is locked, back into the queue. Whoever held it is fenced from now on."""
    job.token += 1
    jobs.move(session, job, Status.QUEUED, reason)
    return Status.QUEUED


def _cancelled(session: Session, job: Job) -> Status:
    job.stop_reason = "cancelled"
    jobs.move(session, job, Status.CANCELLED, "cancelled by request")
    return Status.CANCELLED


def asked(session: Session, claim: Claim) -> str | None:
    """What was asked of the job, read without renewing. Raises `errors.LeaseLost`."""
    row = statements.run(session, ASKED, _holder(claim)).one_or_none()
    if row is None:
        raise _lost(claim)
    request: str | None = row.request
    return request


ASKED = select(Job.request).where(*HELD)
