"""Jobs and their epochs: requests and responses."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from backpropd import learn
from backpropd.store import epochs
from backpropd.store.curve_buckets import bucket_size
from backpropd.store.sql import schema
from backpropd.store.status import Status
from service.schemas.datasets import Kind, Kinds
from service.schemas.features import Features
from service.schemas.fields import ColumnName, ColumnNames, Identifier, Input, Metadata, Name, OneOf, Output, Whole
from service.schemas.network import AnyNetwork, Network
from service.schemas.paging import Page, PageQuery
from service.schemas.resolved_fields import TASKS, NetworkFields, TaskFields, target_to_json
from service.schemas.training import Training

JobStatus = Annotated[str, OneOf(tuple(Status))]


class JobRequest(Input):
    """A training job. A warm start takes what is left out of task, features, network and loss from its model."""

    dataset_id: Annotated[str, StringConstraints(max_length=100)]
    target: ColumnName | ColumnNames
    features: Features | None = None
    kinds: Annotated[Kinds, Field(description="of columns, instead of the dataset's")] = {}
    task: Annotated[str, OneOf(("auto", *TASKS))] = "auto"
    name: Name | None = None
    metadata: Metadata = {}
    priority: Annotated[int, Field(ge=-10, le=10), Whole] = 0
    network: AnyNetwork = Network()
    training: Training = Training()

    def to_learn(self) -> learn.JobRequest:
        """The request as `learn.resolve` takes it."""
        return learn.JobRequest(
            **self.model_dump(include={"target", "features", "kinds", "task", "network"}),
            network_given="network" in self.model_fields_set,
            training=learn.TrainingRequest.from_json(self.training.model_dump()),
            given=self.training.model_dump(exclude_unset=True),
        )

    def to_row(self) -> dict[str, Any]:
        """The columns of the job's row that the request states: its fields of their names, and a few others."""
        columns = self.model_dump(include=set(schema.Job.__mapper__.column_attrs.keys()))
        columns |= {"priority": self.priority, "meta": self.metadata}
        return columns | self.training.model_dump(include={"validation_dataset_id", "warm_start_model_id"})


class Progress(Output):
    epoch: int
    epochs: int


class JobError(Output):
    code: str = Field(validation_alias="error_code")
    detail: str = Field(validation_alias="error_detail")


class Transition(Output):
    status: str
    at: datetime
    reason: str


class QueuePosition(Output):
    """A queued job's position, from 1, and its estimated start if one can be given."""

    position: int
    estimated_start_at: datetime | None = Field(validation_alias="starts_at")


class JobParent(Output):
    """The snapshot that a fork continues from; the parent may have been deleted."""

    job_id: str = Field(validation_alias="parent_job_id")
    epoch: int = Field(validation_alias="parent_epoch")


class LeftOut(Output):
    """A column that is neither target nor feature and that the request did not leave out, and why."""

    column: str
    reason: str
    detail: str


class JobWarning(Output):
    """What may surprise in a job; `pointer` is the place in the request that would change it."""

    code: str
    pointer: str | None
    detail: str


class SpecFields(NetworkFields):
    """How a job learns and from what, without `auto`: nothing that decides the result stays hidden."""

    kinds: dict[str, Kind] = Field(description="of columns that have another kind here than in the dataset")
    left_out: list[LeftOut]
    training: dict[str, Any]


def spec_fields(spec: dict[str, Any]) -> dict[str, Any]:
    """The fields of a job that a stored spec has."""
    return {
        "target": target_to_json(spec["target"]),
        "features": spec["features"],
        "kinds": spec.get("kinds", {}),
        "task": spec["task"],
        "network": spec["network"],
        "training": spec["training"],
    }


class JobSummary(TaskFields):
    """A job in a list."""

    computed: ClassVar[tuple[str, ...]] = ("target", "warnings", "error", "transitions", "queue", "parent")

    id: str
    name: str | None
    status: JobStatus
    dataset_id: str
    warnings: list[JobWarning]
    progress: Progress
    model_id: str | None
    error: JobError | None
    stop_reason: str | None
    transitions: list[Transition]
    queue: QueuePosition | None = Field(description="of a queued job that is read alone; null in a list")
    parent: JobParent | None = Field(description="what a fork continues from; null for other jobs")
    attempts: int
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    metadata: dict[str, Any] = Field(validation_alias="meta")

    @classmethod
    def of(cls, row: Any, transitions: Iterable[Any], queue: Any = None) -> dict[str, Any]:
        """A row of `jobs` with its transitions, oldest first, and if it is queued and read alone its estimate."""
        computed = {
            "target": target_to_json(row.target),
            "warnings": row.warnings or [],
            "error": None if row.error_code is None else JobError.render(row),
            "transitions": Transition.render_all(transitions),
            "queue": None if queue is None else QueuePosition.render(queue),
            "parent": None if row.parent_job_id is None else JobParent.render(row),
        }
        return cls.render(row, computed | cls.details(row))

    @classmethod
    def details(cls, row: Any) -> dict[str, Any]:
        """What a list leaves out."""
        return {}


class KeptEpochs(Output):
    """What is kept of a job's epochs: all of up to 100,000; of more a thinned curve."""

    thinned: bool = Field(description="whether epochs are missing in `/epochs` and `/events`")
    bucket: int = Field(
        description="of every so many epochs those with the lowest and the highest loss and validation loss and with "
        "the last metrics are kept, and the first and the last epoch of all; 1: all are kept"
    )


class Job(JobSummary, SpecFields):
    """A job, with the whole resolved spec."""

    computed = (*JobSummary.computed, *SpecFields.model_fields, "curve")

    curve: KeptEpochs

    @classmethod
    def details(cls, row: Any) -> dict[str, Any]:
        """The fields of the spec, and what is kept of the curve."""
        bucket = bucket_size(row.epoch)
        curve = {"thinned": bucket > 1, "bucket": bucket}
        return spec_fields(row.spec) | {"left_out": row.left_out or [], "curve": curve}


class Plan(TaskFields, SpecFields):
    """What a job would become and cost: the answer to a dry run."""

    computed = (*TaskFields.model_fields, *SpecFields.model_fields, "warnings", "cost")

    dataset_id: str
    warnings: list[JobWarning]
    cost: dict[str, Any]

    @classmethod
    def of(cls, request: JobRequest, plan: learn.Plan) -> dict[str, Any]:
        """A resolved request."""
        return cls.render(request, {**spec_fields(plan.spec.to_json()), **notes(plan), "cost": plan.cost})


def notes(plan: learn.Plan) -> dict[str, Any]:
    """What there is to say about a plan, as JSON."""
    return {
        "left_out": [each._asdict() for each in plan.left_out],
        "warnings": [each._asdict() for each in plan.warnings],
    }


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

    @staticmethod
    def of(row: Iterable[Any]) -> dict[str, Any]:
        """A row of `epochs.FIELDS`, which are this schema's: the fastest way, for there may be a million."""
        return dict(zip(epochs.FIELDS, row, strict=True))


class Epochs(Output):
    data: list[Epoch]
    next_after: int | None


class JobsQuery(PageQuery):
    status: JobStatus | None = None
    dataset_id: Identifier | None = None


class JobQuery(Input):
    wait: Annotated[float, Field(ge=0, le=60)] = 0.0


class DryRunQuery(Input):
    dry_run: bool = False


class EpochsQuery(Input):
    after: Annotated[int, Field(ge=0, lt=2**31)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    points: Annotated[int, Field(ge=4, le=10_000)] | None = None


class JobPage(Page):
    data: list[JobSummary]
