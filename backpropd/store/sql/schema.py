"""The tables, as classes of SQLAlchemy's ORM. An attribute may have a more telling name than its column."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, UniqueConstraint, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from backpropd.store.sql.base import Base as Base
from backpropd.store.sql.base import Resource, index_of_status
from backpropd.store.sql.column_types import BigInt
from backpropd.store.status import Status


class Dataset(Resource):
    """An uploaded table: its description. The Parquet bytes are in the blob named by `sha256`.

    `stored_bytes`, of the blob and the description, count in the quota, like those of jobs and models.
    """

    noun = "dataset"
    __tablename__ = "datasets"
    __table_args__ = (
        Index("ix_datasets_tenant", "tenant", "id"),
        Index("ix_datasets_sha256", "sha256"),
        Index("ix_datasets_usage", "tenant", "stored_bytes", "rows"),
    )

    name: Mapped[str]
    format: Mapped[str]
    rows: Mapped[int] = mapped_column(BigInt)
    width: Mapped[int] = mapped_column(server_default="0")
    size: Mapped[int] = mapped_column("bytes", BigInt)
    stored_bytes: Mapped[int] = mapped_column(BigInt, default=0)
    sha256: Mapped[str]
    columns: Mapped[list[Any]]
    dialect: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[Any] | None]  # None in rows from before there were warnings
    created_at: Mapped[datetime]


class Job(Resource):
    """A training job. `number` is its internal key and orders jobs by age; clients know it by `id`.

    `fencing_token` rises with every claim; a worker's write takes effect only with the current one.
    `lease_expires_at` is in microseconds of the steady clock.
    `stop_request` is "cancel" or "pause" while the worker of a running job has still to carry it out.
    `crashes` counts the workers that the job lost since its last checkpoint.
    `training_seconds` is the time that workers have leased it, over all attempts.
    `own_bytes` are those of its description and its transitions, `snapshot_bytes` those of its snapshots;
    `stored_bytes` are both, and those of its epochs and its checkpoint, as of the last checkpoint or the end.
    `parent_job_id` and `parent_epoch` name the snapshot that a fork continues from; its own epochs follow that one.
    `rank` is minus the priority. The queue is ordered fairly by tenant, then by rank, then by `queued_at`.
    `validation_dataset_id` and `warm_start_model_id` repeat what the spec names, so that a DELETE can check for them,
    `task` and `target` so that lists need not read the spec.
    """

    noun = "job"
    __tablename__ = "jobs"
    __table_args__ = (
        index_of_status(Status.QUEUED, "ix_jobs_queue", "tenant", "rank", "queued_at", "number"),
        index_of_status(Status.RUNNING, "ix_jobs_running", "tenant"),
        Index("ix_jobs_finished", "finished_at"),
        Index("ix_jobs_tenant", "tenant", "id"),
        Index("ix_jobs_usage", "tenant", "stored_bytes"),
        Index("ix_jobs_status", "tenant", "status", "id"),
        Index("ix_jobs_dataset", "tenant", "dataset_id", "id"),
        Index("ix_jobs_validation_dataset", "validation_dataset_id"),
        Index("ix_jobs_warm_start_model", "warm_start_model_id"),
    )

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    status: Mapped[str]
    rank: Mapped[int] = mapped_column(default=0)
    dataset_id: Mapped[str]  # no foreign key: a finished job names it after it was deleted
    validation_dataset_id: Mapped[str | None]
    warm_start_model_id: Mapped[str | None]
    traceparent: Mapped[str | None]  # of the request that submitted it, where traces are sent
    spec: Mapped[dict[str, Any]]
    task: Mapped[str | None]
    target: Mapped[list[Any] | None]
    left_out: Mapped[list[Any] | None]  # None in rows from before there were such notes, as in `warnings`
    warnings: Mapped[list[Any] | None]
    meta: Mapped[dict[str, Any]] = mapped_column("metadata")
    epoch: Mapped[int] = mapped_column(default=0)
    epochs: Mapped[int]
    stop_reason: Mapped[str | None]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    model_id: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    crashes: Mapped[int] = mapped_column("losses", default=0)
    training_seconds: Mapped[float] = mapped_column("seconds", default=0.0)
    own_bytes: Mapped[int] = mapped_column(BigInt, default=0)
    snapshot_bytes: Mapped[int] = mapped_column(BigInt, default=0)
    stored_bytes: Mapped[int] = mapped_column(BigInt, default=0)
    parent_job_id: Mapped[str | None]  # no foreign key: the parent may be deleted
    parent_epoch: Mapped[int | None]
    fencing_token: Mapped[int] = mapped_column("token", BigInt, default=0)
    worker: Mapped[str | None]
    lease_expires_at: Mapped[int | None] = mapped_column(BigInt)
    stop_request: Mapped[str | None] = mapped_column("request")
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def priority(self) -> int:
        """From -10 to 10; the highest goes first."""
        return -self.rank


def _is(status: Status) -> ColumnElement[bool]:
    """Whether a job has this status, as a literal: behind a parameter the planner does not see the partial index."""
    return Job.status == literal_column(f"'{status.value}'")


QUEUED, RUNNING = _is(Status.QUEUED), _is(Status.RUNNING)

STRIDE = 1_000_000


class Turn(Base):
    """A tenant in the fair queue: the virtual time of its last turn, and the `stride` from one turn to its next.

    The stride of the weight 1 is `STRIDE`, that of the weight w is STRIDE / w. The limits are the tenant's own, if any.
    """

    __tablename__ = "turns"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    virtual_time: Mapped[int] = mapped_column(BigInt)
    stride: Mapped[int] = mapped_column(BigInt)
    max_stored_bytes: Mapped[int | None] = mapped_column(BigInt)
    max_queued_jobs: Mapped[int | None] = mapped_column(BigInt)
    max_running_jobs: Mapped[int | None] = mapped_column(BigInt)


class Transition(Base):
    """A change of a job's status after its submission: the new status, the time, and the reason."""

    __tablename__ = "transitions"

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    job_number: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), index=True)
    tenant: Mapped[str]
    status: Mapped[str]
    at: Mapped[datetime]
    reason: Mapped[str]


class Epoch(Base):
    """One epoch of a job: a point of its learning curve."""

    __tablename__ = "epochs"
    __table_args__ = {"sqlite_with_rowid": False}

    job_number: Mapped[int] = mapped_column(
        BigInt, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tenant: Mapped[str]
    loss: Mapped[float]
    validation_loss: Mapped[float | None]
    metrics: Mapped[dict[str, Any]]
    validation_metrics: Mapped[dict[str, Any] | None]
    gradient_norm: Mapped[float]
    learning_rate: Mapped[float]
    seconds: Mapped[float]


class Checkpoint(Base):
    """The last checkpoint of a job: the whole state of its training after `epoch`."""

    __tablename__ = "checkpoints"

    job_number: Mapped[int] = mapped_column(
        BigInt, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    tenant: Mapped[str]
    epoch: Mapped[int]
    data: Mapped[bytes]
    at: Mapped[datetime]


class Snapshot(Base):
    """The state of a job's training after `epoch`; `weights` is a safetensors file, as a model's weights are."""

    __tablename__ = "snapshots"

    job_number: Mapped[int] = mapped_column(
        BigInt, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tenant: Mapped[str]
    size: Mapped[int] = mapped_column("bytes", BigInt)
    weights: Mapped[bytes]
    state: Mapped[bytes]


class Model(Resource):
    """The result of a succeeded job, or a model that was imported, which has no `job_id`.

    `weights` is a safetensors file, `encoders` converts raw rows to arrays and back, `report` describes the end of the
    training. `path` (the thetas of each epoch) and `training_state` (the optimizer's state) are safetensors files too,
    null unless the job stored them. The five deferred columns are read on demand.
    """

    noun = "model"
    __tablename__ = "models"
    __table_args__ = (Index("ix_models_tenant", "tenant", "id"), Index("ix_models_usage", "tenant", "stored_bytes"))

    job_id: Mapped[str | None]
    name: Mapped[str | None]
    task: Mapped[str]
    network: Mapped[dict[str, Any]]
    features: Mapped[list[Any]]
    target: Mapped[list[Any]]
    classes: Mapped[list[Any] | None]
    parameters: Mapped[int] = mapped_column(BigInt)
    metrics: Mapped[dict[str, Any]]
    validation_metrics: Mapped[dict[str, Any] | None]
    encoders: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    weights: Mapped[bytes] = mapped_column(deferred=True)
    report: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    path: Mapped[bytes | None] = mapped_column(deferred=True)
    training_state: Mapped[bytes | None] = mapped_column(deferred=True)
    size: Mapped[int] = mapped_column("bytes", BigInt)
    stored_bytes: Mapped[int] = mapped_column(BigInt, default=0)
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class IdempotencyKey(Base):
    """An Idempotency-Key, the hash of its request, and the id of the resource that the request created."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("tenant", "route", "key"),)

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    tenant: Mapped[str]
    route: Mapped[str]
    key: Mapped[str]
    request_sha256: Mapped[str]
    made_id: Mapped[str]
    created_at: Mapped[datetime]


class Worker(Base):
    """A worker or a reaper: its slots for jobs, its last heartbeat on the steady clock, the errors it has survived."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(default="worker")  # or "reaper"
    slots: Mapped[int]
    failures: Mapped[int] = mapped_column(BigInt, default=0)
    started_at: Mapped[datetime]
    seen_at: Mapped[int] = mapped_column(BigInt)


class ApiKey(Resource):
    """An API key: its scopes, its expiry, and the SHA-256 of its token, which is not stored.

    After a rotation the previous token is valid until `previous_expires_at`.
    """

    noun = "key"
    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_tenant", "tenant", "id"),)

    name: Mapped[str | None]
    scopes: Mapped[list[Any]]
    sha256: Mapped[str]
    previous_sha256: Mapped[str | None]
    previous_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Audit(Base):
    """An entry of the audit trail: a change of a key, or a deletion. `actor` is a key's id, "local", or "operator".

    `entry` numbers the entries of its tenant from 1: `number` would tell how much other tenants do.
    """

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_entry", "tenant", "entry", unique=True),)

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    entry: Mapped[int] = mapped_column(BigInt)
    at: Mapped[datetime]
    tenant: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
