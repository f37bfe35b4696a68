"""Jobs and their epochs: requests and responses."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from backpropd import learn
from backpropd.store import epochs
from backpropd.store.status import Status
from service.schemas.fields import ColumnName, Identifier, Input, Int, Metadata, Name, OneOf, Output
from service.schemas.network import AnyNetwork, Network
from service.schemas.paging import Page, PageQuery
from service.schemas.resolved_fields import TASKS, ResolvedFields, target_to_json
from service.schemas.training import Training

JobStatus = Annotated[str, OneOf(tuple(Status))]


class JobRequest(Input):
    """A training job. A warm start takes what is left out of task, features, network and loss from its model."""

    dataset_id: str
    target: ColumnName | Annotated[list[ColumnName], Field(min_length=1)]
    features: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    task: Annotated[str, OneOf(("auto", *TASKS))] = "auto"
    name: Name | None = None
    metadata: Metadata = {}
    priority: Annotated[Int, Field(ge=-10, le=10)] = 0
    network: AnyNetwork = Network()
    training: Training = Training()

    def to_learn(self) -> learn.JobRequest:
        """The request as `learn.resolve` takes it."""
        return learn.JobRequest(
            **self.model_dump(include={"target", "features", "task", "network"}),
            network_given="network" in self.model_fields_set,
            training=learn.TrainingRequest.from_json(self.training.model_dump()),
            given=self.training.model_dump(exclude_unset=True),
        )

    def to_row(self) -> dict[str, Any]:
        """The columns of the job's row that the request states."""
        columns = self.model_dump(include={"dataset_id", "name", "priority"}) | {"meta": self.metadata}
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


class ResolvedSpec(ResolvedFields):
    """What a job learns and how, without `auto`: nothing that decides the result stays hidden."""

    computed: ClassVar[tuple[str, ...]] = (*ResolvedFields.model_fields, "training")

    training: dict[str, Any]


def spec_fields(spec: dict[str, Any]) -> dict[str, Any]:
    """The computed fields of `ResolvedSpec`, from a stored spec."""
    return {
        "target": target_to_json(spec["target"]),
        "features": spec["features"],
        "task": spec["task"],
        "network": spec["network"],
        "training": spec["training"],
    }


class Job(ResolvedSpec):
    """A job, with the whole resolved spec: nothing that decides the result stays hidden."""

    computed = (*ResolvedSpec.computed, "error", "transitions", "queue")

    id: str
    name: str | None
    status: JobStatus
    dataset_id: str
    progress: Progress
    model_id: str | None
    error: JobError | None
    stop_reason: str | None
    transitions: list[Transition]
    queue: QueuePosition | None = Field(description="of a queued job that is read alone; null in a list")
    attempts: int
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    metadata: dict[str, Any] = Field(validation_alias="meta")

    @classmethod
    def of(cls, row: Any, transitions: Iterable[Any], queue: Any = None) -> dict[str, Any]:
        """A row of `jobs` with its transitions, oldest first, and if it is queued and read alone its estimate."""
        fields = {
            **spec_fields(row.spec),
            "error": None if row.error_code is None else JobError.render(row),
            "transitions": Transition.render_all(transitions),
            "queue": None if queue is None else QueuePosition.render(queue),
        }
        return cls.render(row, fields)


class Plan(ResolvedSpec):
    """What a job would become and cost: the answer to a dry run."""

    computed = (*ResolvedSpec.computed, "cost")

    dataset_id: str
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
    data: list[Job]
