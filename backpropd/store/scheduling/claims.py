"""Claims: a worker takes the next queued job, with a lease and a new fencing token, and reads what it needs."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from backpropd.store import jobs, models, snapshots
from backpropd.store.scheduling import fair_queue, queries
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import microseconds
from backpropd.store.sql.schema import Checkpoint, Dataset, Model
from backpropd.store.status import Status


@dataclass(frozen=True)
class DatasetSource:
    """A dataset, the name of its blob, and its columns; without the latter if its row is gone."""

    dataset_id: str
    sha256: str | None = None
    columns: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class WarmStart:
    """The model that a job starts from; `training_state` is the optimizer's state if the model stored it."""

    encoders: dict[str, Any]
    weights: bytes
    training_state: bytes | None


@dataclass(frozen=True)
class ResumePoint:
    """What a job continues from: its last checkpoint, and the model that its spec names; None without one."""

    checkpoint: bytes | None = None
    warm_start: WarmStart | None = None


@dataclass(frozen=True)
class Claim:
    """A worker's right to a job: the fencing token, the job's spec, and where its data is.

    `validation` is the separate validation dataset, if any. `training_seconds` is the time that workers have leased
    the job before. `checkpointed` and `warm_start_model_id` say whether there is a `resume_point` to read.
    """

    number: int
    job_id: str
    tenant: str
    name: str | None
    fencing_token: int
    attempt: int
    priority: int
    training_seconds: float
    spec: dict[str, Any]
    dataset_id: str
    dataset_sha256: str | None
    columns: list[Any]
    validation: DatasetSource | None
    checkpointed: bool
    warm_start_model_id: str | None
    traceparent: str | None


class ClaimOptions(NamedTuple):
    """Who claims, for how long, and how many jobs of one tenant may run at the same time."""

    worker: str
    lease_seconds: float
    max_running: int = 2**31 - 1


_SOURCE = select(Dataset.sha256, Dataset.columns).where(Dataset.id == bindparam("dataset_id"))


def claim_next(session: Session, options: ClaimOptions) -> Claim | None:
    """Claim the next job of the fair queue; returns None if no job can be claimed.

    Sets the lease and the fencing token and deletes the epochs and snapshots after the last checkpoint, all in this
    transaction: a job's epochs are contiguous whatever happened to the worker before.
    """
    claim = fetch_next(session, options)
    if claim:
        jobs.record(session, transition(claim))
    return claim


def fetch_next(session: Session, options: ClaimOptions) -> Claim | None:
    """Claim the next job without recording the `transition`, for a caller that records several."""
    job = _lease_next(session, options)
    if job is None:
        return None
    fair_queue.record_turn(session, job)
    validation = None
    if job.validation_dataset_id:
        found = statements.run(session, _SOURCE, {"dataset_id": job.validation_dataset_id}).one_or_none()
        validation = DatasetSource(job.validation_dataset_id, *(found or ()))
    may_have_checkpoint = job.attempt > 1 or job.parent_job_id is not None  # a fork begins with one
    checkpointed = may_have_checkpoint and _return_to_checkpoint(session, job.number)
    columns = {name: value for name, value in job._mapping.items() if name in Claim.__annotations__}
    return Claim(**columns, validation=validation, checkpointed=checkpointed)


def transition(claim: Claim) -> jobs.Step:
    """The transition that a claim is, to be recorded. Tenants read its reason: it does not name the worker."""
    return jobs.Step(claim.number, claim.tenant, Status.RUNNING, f"claimed by a worker, attempt {claim.attempt}")


def resume_point(session: Session, claim: Claim) -> ResumePoint:
    """Read what a claimed job continues from. Raises `errors.NotFound`, `errors.BlobDamaged`.

    Not part of the claim, because it may be large and a claim has SQLite's write lock.
    """
    checkpoint = select(Checkpoint.data).where(Checkpoint.job_number == claim.number)
    start = None
    if claim.warm_start_model_id:
        needed = Model.weights, Model.training_state
        model = models.get(session, claim.tenant, claim.warm_start_model_id, *needed)
        start = WarmStart(model.encoders, model.weights, model.training_state)
    return ResumePoint(session.scalar(checkpoint) if claim.checkpointed else None, start)


def _lease_next(session: Session, options: ClaimOptions) -> Row[Any] | None:
    lease = {"worker": options.worker, "lease_microseconds": microseconds(options.lease_seconds)}
    limit = {"max_running": options.max_running}
    if job := statements.run(session, queries.CLAIM_NEXT, lease | limit).one_or_none():
        return job
    # Other workers may have locked the jobs of the first tenant: try the others, in their order.
    for tenant in fair_queue.waiting_tenants(session, options.max_running):
        if job := statements.run(session, queries.CLAIM_FROM_TENANT, lease | {"tenant": tenant}).one_or_none():
            return job
    return None


def _return_to_checkpoint(session: Session, number: int) -> bool:
    """Set the progress back to the last checkpoint. Returns whether there is one."""
    job = {"number": number}
    statements.run(session, queries.DELETE_LATER_EPOCHS, job)
    returned = statements.run(session, queries.RETURN_TO_CHECKPOINT, job).one()
    snapshots.return_to(session, number, returned.epoch if returned.checkpointed else -1)
    return bool(returned.checkpointed)
