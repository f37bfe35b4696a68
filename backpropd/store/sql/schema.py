"""The tables. A tenant stands on every row that somebody owns; a job carries its lease, token and checkpoint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, literal_column, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backpropd.store.sql.column_types import BigInt, Instant, Json
from backpropd.store.status import Status


class Base(DeclarativeBase):
    __mapper_args__ = {"eager_defaults": True}  # what the database's clock said comes back with the row
    type_annotation_map = {
        str: Text,
        datetime: Instant,
        dict[str, Any]: Json,
        list[Any]: Json,
        bytes: LargeBinary,
    }


class Dataset(Base):
    """A table that was uploaded: its description here, its Parquet bytes in the blob named by `sha256`."""

    __tablename__ = "datasets"
    __table_args__ = (
        Index("ix_datasets_tenant", "tenant", "id"),
        Index("ix_datasets_sha256", "sha256"),
        Index("ix_datasets_usage", "tenant", "bytes", "rows"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    name: Mapped[str]
    format: Mapped[str]
    rows: Mapped[int] = mapped_column(BigInt)
    size: Mapped[int] = mapped_column("bytes", BigInt)
    sha256: Mapped[str]
    columns: Mapped[list[Any]]
    created_at: Mapped[datetime]


def _of_status(status: Status, name: str, *columns: str) -> Index:
    """An index of the jobs of one status alone: however many others there are, it is small, and a planner sees it."""
    where = text(f"status = '{status.value}'")
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class Job(Base):
    """One training job. `number` is its short key and its age; `id` is its name outside.

    `token` is the fencing token: it rises with every claim, and every write of a worker names the one it was given.
    `lease_expires_at` is on the steady clock. `request` is what somebody asked of a running job ('cancel', 'pause') and
    its worker has not yet carried out. `losses` counts the workers that it lost since its last checkpoint, `seconds`
    how long workers have held it in all. The least `rank`, which is minus the priority, goes first,
    and of a tenant's jobs of one rank the earliest `queued_at`.
    `validation_dataset_id` and `warm_start_model_id` are what else the spec names; they stay while the job is not over.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        _of_status(Status.QUEUED, "ix_jobs_queue", "tenant", "rank", "queued_at", "number"),
        _of_status(Status.RUNNING, "ix_jobs_running", "tenant"),
        Index("ix_jobs_finished", "finished_at"),
        Index("ix_jobs_tenant", "tenant", "id"),
        Index("ix_jobs_status", "tenant", "status", "id"),
        Index("ix_jobs_dataset", "tenant", "dataset_id", "id"),
        Index("ix_jobs_validation_dataset", "validation_dataset_id"),
        Index("ix_jobs_warm_start_model", "warm_start_model_id"),
    )

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    tenant: Mapped[str]
    name: Mapped[str | None]
    status: Mapped[str]
    rank: Mapped[int] = mapped_column(default=0)
    dataset_id: Mapped[str]  # no foreign key: a finished job remembers a dataset that was deleted since
    validation_dataset_id: Mapped[str | None]
    warm_start_model_id: Mapped[str | None]
    spec: Mapped[dict[str, Any]]
    meta: Mapped[dict[str, Any]] = mapped_column("metadata")
    epoch: Mapped[int] = mapped_column(default=0)
    epochs: Mapped[int]
    stop_reason: Mapped[str | None]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    model_id: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    token: Mapped[int] = mapped_column(BigInt, default=0)
    worker: Mapped[str | None]
    lease_expires_at: Mapped[int | None] = mapped_column(BigInt)
    request: Mapped[str | None]
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def priority(self) -> int:
        """How urgent its owner says that it is, from -10 to 10."""
        return -self.rank


def _is(status: Status) -> ColumnElement[bool]:
    """Whether a job has this status, which stands in the statement: a parameter would hide it from the planner."""
    return Job.status == literal_column(f"'{status.value}'")


QUEUED, RUNNING = _is(Status.QUEUED), _is(Status.RUNNING)


class Turn(Base):
    """In which round of the queue a tenant last had a turn. A round is over when everybody who waits has had one."""

    __tablename__ = "turns"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(BigInt, default=0)


class Transition(Base):
    """One step in a job's life, after it was submitted: which status it took, when, and why."""

    __tablename__ = "transitions"

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    job_number: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), index=True)
    tenant: Mapped[str]
    status: Mapped[str]
    at: Mapped[datetime]
    reason: Mapped[str]


class Epoch(Base):
    """One epoch of a job: what the learning curve is drawn from."""

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
    """The last checkpoint of a job: all that decides the rest of its training."""

    __tablename__ = "checkpoints"

    job_number: Mapped[int] = mapped_column(
        BigInt, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    tenant: Mapped[str]
    epoch: Mapped[int]
    data: Mapped[bytes]
    at: Mapped[datetime]


class Model(Base):
    """What a succeeded job made. `weights` is a safetensors file; `encoders` takes raw rows to arrays and back.

    `report` is that of the end of training. `path`, the thetas that training came by, and `training_state`, what the
    optimizer remembered, are safetensors files too, and null unless the job kept them. The four are read on demand.
    """

    __tablename__ = "models"
    __table_args__ = (Index("ix_models_tenant", "tenant", "id"), Index("ix_models_usage", "tenant", "bytes"))

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    job_id: Mapped[str]
    name: Mapped[str | None]
    task: Mapped[str]
    network: Mapped[dict[str, Any]]
    features: Mapped[list[Any]]
    target: Mapped[list[Any]]
    classes: Mapped[list[Any] | None]
    parameters: Mapped[int] = mapped_column(BigInt)
    metrics: Mapped[dict[str, Any]]
    validation_metrics: Mapped[dict[str, Any] | None]
    encoders: Mapped[dict[str, Any]]
    weights: Mapped[bytes] = mapped_column(deferred=True)
    report: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    path: Mapped[bytes | None] = mapped_column(deferred=True)
    training_state: Mapped[bytes | None] = mapped_column(deferred=True)
    size: Mapped[int] = mapped_column("bytes", BigInt)
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class IdempotencyKey(Base):
    """A key that a request came with, the hash of that request, and what it made."""

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
    """A worker process and when it was last heard of, on the steady clock."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    slots: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[int] = mapped_column(BigInt)


class ApiKey(Base):
    """A key that lets its bearer in: what it may, until when, and the SHA-256 of its text, which is kept nowhere.

    After a rotation the text before counts until `previous_expires_at`.
    """

    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_tenant", "tenant", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    name: Mapped[str | None]
    scopes: Mapped[list[Any]]
    sha256: Mapped[str]
    previous_sha256: Mapped[str | None]
    previous_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Audit(Base):
    """Who did what to a key, or deleted what, and when. `actor` is a key's id, `local`, or `operator`."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_tenant", "tenant", "number"),)

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    tenant: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
