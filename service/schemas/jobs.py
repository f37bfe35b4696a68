"""Jobs and their epochs: what is asked for, and what is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from service.schemas.fields import ColumnName, Input, Int, Metadata, Name, Output
from service.schemas.network import AnyNetwork, Network
from service.schemas.pages import Page, PageQuery
from service.schemas.training import Training


class JobRequest(Input):
    """A training job. A warm start takes what is left out of task, features, network and loss from its model."""

    dataset_id: str
    target: ColumnName | Annotated[list[ColumnName], Field(min_length=1)]
    features: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    task: Literal["auto", "classification", "regression"] = "auto"
    name: Name | None = None
    metadata: Metadata = {}
    priority: Annotated[Int, Field(ge=-10, le=10)] = 0
    network: AnyNetwork = Network()
    training: Training = Training()

    def wanted(self) -> dict[str, Any]:
        """What `learn.resolve` takes. The neurons refuse much of `training`, so they hear only what was given."""
        wanted = self.model_dump(include={"target", "features", "task", "network", "training"})
        if not isinstance(self.network, Network):
            wanted["training"] = self.training.model_dump(exclude_unset=True)
        elif self.training.warm_start_model_id and "network" not in self.model_fields_set:
            wanted["network"] = None  # the model's own
        return wanted


class Progress(Output):
    epoch: int
    epochs: int


class JobError(Output):
    code: str
    detail: str


class Transition(Output):
    status: str
    at: datetime
    reason: str


Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "paused"]


class QueuePlace(Output):
    """Where a queued job stands: its position from 1, and when it may start, if that can be told."""

    position: int
    estimated_start_at: datetime | None


class Job(Output):
    """A job, with the whole resolved spec: nothing that decides the result stays hidden."""

    id: str
    name: str | None
    status: Status
    dataset_id: str
    target: str | list[str]
    features: list[str]
    task: Literal["classification", "regression"]
    network: dict[str, Any]
    training: dict[str, Any]
    progress: Progress
    model_id: str | None
    error: JobError | None
    stop_reason: str | None
    transitions: list[Transition]
    queue: QueuePlace | None = Field(description="of a queued job that is read alone; null in a list")
    attempts: int
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    metadata: dict[str, Any]


class Plan(Output):
    """What a job would become and cost: the answer to a dry run."""

    dataset_id: str
    target: str | list[str]
    features: list[str]
    task: Literal["classification", "regression"]
    network: dict[str, Any]
    training: dict[str, Any]
    cost: dict[str, Any]


class Epoch(Output):
    """One epoch of a job."""

    epoch: int
    loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    gradient_norm: float
    learning_rate: float
    seconds: float


class Epochs(Output):
    data: list[Epoch]
    next_after: int | None


class JobsQuery(PageQuery):
    status: Status | None = None
    dataset_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-z_]+$", max_length=64)] | None = None


class JobQuery(Input):
    wait: Annotated[float, Field(ge=0, le=60)] = 0.0


class DryRunQuery(Input):
    dry_run: bool = False


class EpochsQuery(Input):
    after: Annotated[int, Field(ge=0, lt=2**31)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    points: Annotated[int, Field(ge=4, le=10_000)] | None = None


class JobPage(Page):
    data: list[Job]
