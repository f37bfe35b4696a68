"""What requests and answers look like: the pydantic models that validate, and that the OpenAPI document shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from backpropd.tabular import list_samples


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 1.0 is a whole number too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _lossless(value: dict[str, Any]) -> dict[str, Any]:
    if len(str(value)) > 16_384:
        raise ValueError("metadata may have 16,384 characters at most: keep the rest elsewhere")
    return value


Int = Annotated[int, BeforeValidator(_whole)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Count = Annotated[Int, Field(ge=1)]
Metadata = Annotated[dict[str, Any], AfterValidator(_lossless)]


class Input(BaseModel):
    """What comes in: unknown fields are refused, types are taken at their word."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Output(BaseModel):
    """What goes out. Fields may be added in time."""


# ── the network and its training ─────────────────────────────────────────────────────────────────────────────────

Initializer = Literal["auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]


class Layer(Input):
    """A hidden layer."""

    units: Annotated[Int, Field(ge=1, le=1_000_000)]
    activation: Literal["logistic", "tanh", "relu", "linear"] = "tanh"
    initializer: Initializer = "auto"


class Network(Input):
    """A feed-forward network; `hidden: []` is a single layer of sigmoid neurons."""

    kind: Literal["feedforward"] = "feedforward"
    hidden: Annotated[list[Layer], Field(max_length=100)] = [Layer(units=16)]
    output_activation: Literal["auto", "linear", "logistic", "tanh", "relu", "softmax"] = "auto"
    initializer: Initializer = "auto"


class SGD(Input):
    """Stochastic gradient descent, with momentum if asked."""

    name: Literal["sgd"]
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Adam(Input):
    """Adam (Kingma and Ba 2015)."""

    name: Literal["adam"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    epsilon: Annotated[float, Field(gt=0)] = 1e-8


class EarlyStopping(Input):
    """Stop when `monitor` has not fallen by more than `min_delta` for `patience` epochs, and keep the best."""

    monitor: Literal["validation_loss", "loss"] | None = None
    patience: Count = 10
    min_delta: Annotated[float, Field(ge=0)] = 0.0


class Training(Input):
    """How to train. What is left out is decided at submission, and shown in the job."""

    loss: Literal["auto", "squared_error", "cross_entropy", "binary_cross_entropy"] = "auto"
    optimizer: Annotated[SGD | Adam, Field(discriminator="name")] = Adam()
    epochs: Count = 100
    batch_size: Literal["full"] | Count | None = None
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] | None = None
    early_stopping: EarlyStopping | None = None
    seed: Annotated[Int, Field(ge=0, lt=2**63)] | None = None
    dtype: Literal["float32", "float64"] = "float32"
    engine: Literal["auto", "numpy", "numba"] = "auto"


class JobRequest(Input):
    """A training job."""

    dataset_id: str
    target: ColumnName | Annotated[list[ColumnName], Field(min_length=1)]
    features: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    task: Literal["auto", "classification", "regression"] = "auto"
    name: Name | None = None
    metadata: Metadata = {}
    priority: Annotated[Int, Field(ge=-10, le=10)] = 0
    network: Network = Network()
    training: Training = Training()


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


# ── datasets ─────────────────────────────────────────────────────────────────────────────────────────────────────


class SampleRequest(Input):
    """A bundled sample as a dataset; `noise`, `rows` and `seed` are for those that are generated."""

    sample: Annotated[Name, Field(json_schema_extra={"enum": [sample.name for sample in list_samples()]})]
    name: Name | None = None
    noise: Annotated[float, Field(ge=0, le=1)] | None = None
    rows: Annotated[Int, Field(ge=4, le=1_000_000)] | None = None
    seed: Annotated[Int, Field(ge=0, lt=2**63)] | None = None


class Column(Output):
    """A column and the statistics that fit its kind."""

    model_config = ConfigDict(extra="allow")

    name: str
    kind: Literal["number", "category", "boolean", "text"]
    missing: int


class Dataset(Output):
    id: str
    name: str
    format: str
    rows: int
    bytes: int
    sha256: str
    created_at: datetime
    columns: list[Column]


class Rows(Output):
    data: list[dict[str, Any]]


class Sample(Output):
    model_config = ConfigDict(extra="allow")

    name: str


class Samples(Output):
    data: list[Sample]


# ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Model(Output):
    """What a succeeded job made."""

    id: str
    job_id: str
    name: str | None
    task: Literal["classification", "regression"]
    network: dict[str, Any]
    features: list[str]
    target: str | list[str]
    classes: list[str] | None
    parameters: int
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    bytes: int
    sha256: str
    created_at: datetime


Cell = str | float | bool | None


class PredictionRequest(Input):
    """Rows as objects by column name, or as arrays in the order of the model's features."""

    rows: Annotated[list[dict[str, Cell]], Field(min_length=1)] | Annotated[list[list[Cell]], Field(min_length=1)]


class Prediction(Output):
    """`label` and `probabilities` for classification, `value` (by target, if there are several) for regression."""

    label: str | None = None
    probabilities: dict[str, float] | None = None
    value: float | dict[str, float] | None = None


class Predictions(Output):
    predictions: list[Prediction]


# ── a look inside a model ────────────────────────────────────────────────────────────────────────────────────────

Vector = list[float | None]
Matrix = list[Vector]


class TraceRequest(PredictionRequest):
    """Rows, and a target for each: a label or a value, with several targets objects by name or arrays in their order.

    Without targets there is a forward pass alone. `learning_rate` is that of the update, the job's unless given.
    """

    targets: list[Cell] | list[dict[str, Cell]] | list[list[Cell]] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None


class Gradients(Output):
    """The loss's gradient at a layer's h and a, a row of data a row, and at its parameters."""

    h: Matrix
    a: Matrix
    weight: Matrix
    bias: Vector | None
    z: Matrix | None = None
    scale: Vector | None = None
    shift: Vector | None = None


class TracedLayer(Output):
    """A layer's pre-activation a and activation h, a row of data a row; z is a before it is normalized."""

    name: str
    activation: str
    z: Matrix | None = None
    a: Matrix
    h: Matrix
    gradients: Gradients | None


class Trace(Output):
    """Every number of one forward and backward pass; null where a number is not finite."""

    loss: float | None
    input: Matrix
    layers: list[TracedLayer]
    update: dict[str, float | Vector | Matrix] | None


class SurfaceQuery(Input):
    points: Annotated[int, Field(ge=3, le=51)] = 25
    span: Annotated[float, Field(gt=0, le=1000)] = 1.0
    directions: Literal["random", "path"] = "random"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    format: Literal["json", "png"] = "json"


class SurfacePath(Output):
    """Where training went, as it falls on the plane: after epochs[i] at x[i], y[i]."""

    epochs: list[int]
    x: list[float]
    y: list[float]


class Surface(Output):
    """The loss on a plane through the parameters, which are at x = y = 0: loss[j][i] is that at x[i], y[j]."""

    directions: Literal["random", "path"]
    rows: int
    x: list[float]
    y: list[float]
    loss: Matrix
    path: SurfacePath | None
    explained: list[float] | None


# ── queries, lists, health, problems ─────────────────────────────────────────────────────────────────────────────


class PageQuery(Input):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(pattern=r"^[a-z]+_[0-9a-z]+$", max_length=64)] | None = None


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


class RowsQuery(Input):
    limit: Annotated[int, Field(ge=1, le=1000)] = 20


class UploadQuery(Input):
    name: Name | None = None


class WeightsQuery(Input):
    format: Literal["safetensors", "npz", "json"] = "safetensors"


class Page(Output):
    has_more: bool
    next_cursor: str | None


class DatasetPage(Page):
    data: list[Dataset]


class JobPage(Page):
    data: list[Job]


class ModelPage(Page):
    data: list[Model]


class Health(Output):
    status: Literal["alive"]


class Part(Output):
    ready: bool
    detail: str


class Readiness(Output):
    status: Literal["ready", "not_ready"]
    database: Part
    broker: Part
    workers: Part


class Mistake(Output):
    pointer: str
    detail: str


class ProblemDocument(Output):
    """RFC 9457, with a stable `code`, and for validation the places that are wrong."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Mistake] | None = None
