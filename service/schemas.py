"""What requests and answers look like: the pydantic models that validate, and that the OpenAPI document shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    StringConstraints,
    model_validator,
)

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
Count = Annotated[Int, Field(ge=1, lt=2**31)]
Metadata = Annotated[dict[str, Any], AfterValidator(_lossless)]


class Input(BaseModel):
    """What comes in: unknown fields are refused, types are taken at their word."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Output(BaseModel):
    """What goes out. Fields may be added in time."""


# ── the network and its training ─────────────────────────────────────────────────────────────────────────────────

Rate = Annotated[float, Field(gt=0, le=1e6)]
Share = Annotated[float, Field(ge=0, lt=1)]
Amount = Annotated[float, Field(ge=0, le=1e6)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
Tiny = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(gt=0, lt=1)]
Anywhere = Annotated[float, Field(ge=-1e6, le=1e6)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9a-z_]+$", max_length=64)]


class Orthogonal(Input):
    """`gain` times a matrix with orthonormal columns or rows."""

    name: Literal["orthogonal"]
    gain: Positive = 1.0


class Uniform(Input):
    """Uniform from `low` to `high`."""

    name: Literal["uniform"]
    low: Anywhere = -0.05
    high: Anywhere = 0.05

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Normal(Input):
    """Normal with a mean and a standard deviation."""

    name: Literal["normal"]
    mean: Anywhere = 0.0
    std: Positive = 0.05


class PlainInitializer(Input):
    """An initializer without parameters."""

    name: Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "zeros"]


InitializerName = Literal[
    "auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "orthogonal", "uniform",
    "normal", "zeros",
]  # fmt: skip
Initializer = InitializerName | Annotated[PlainInitializer | Orthogonal | Uniform | Normal, Field(discriminator="name")]
HiddenActivation = Literal[
    "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "linear",
]  # fmt: skip
OutputActivation = HiddenActivation | Literal["auto", "softmax", "exponential"]


class Layer(Input):
    """A hidden layer; `dropout` is the share of its values that is dropped in training."""

    units: Annotated[Int, Field(ge=1, le=1_000_000)]
    activation: HiddenActivation = "tanh"
    initializer: Initializer = "auto"
    use_bias: bool = True
    dropout: Share = 0.0
    normalization: Literal["batch", "layer"] | None = None


class Network(Input):
    """A feed-forward network; `hidden: []` is a single layer of sigmoid neurons."""

    kind: Literal["feedforward"] = "feedforward"
    hidden: Annotated[list[Layer], Field(max_length=100)] = [Layer(units=16)]
    output_activation: OutputActivation = "auto"
    initializer: Initializer = "auto"


class SGD(Input):
    """Stochastic gradient descent, with momentum if asked."""

    name: Literal["sgd"]
    learning_rate: Rate = 0.1
    momentum: Share = 0.0
    nesterov: bool = False


class Adagrad(Input):
    """Adagrad (Duchi, Hazan, Singer 2011)."""

    name: Literal["adagrad"]
    learning_rate: Rate = 0.01
    initial_accumulator: Amount = 0.0
    epsilon: Tiny = 1e-10


class RMSprop(Input):
    """RMSprop (Tieleman and Hinton 2012), with momentum if asked."""

    name: Literal["rmsprop"]
    learning_rate: Rate = 0.01
    alpha: Share = 0.99
    epsilon: Tiny = 1e-8
    momentum: Share = 0.0


class Adadelta(Input):
    """Adadelta (Zeiler 2012)."""

    name: Literal["adadelta"]
    learning_rate: Rate = 1.0
    rho: Share = 0.9
    epsilon: Tiny = 1e-6


class Adam(Input):
    """Adam (Kingma and Ba 2015), or AMSGrad (Reddi, Kale, Kumar 2018)."""

    name: Literal["adam"] = "adam"
    learning_rate: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Tiny = 1e-8
    amsgrad: bool = False


class AdamW(Input):
    """Adam for decoupled weight decay (Loshchilov and Hutter 2019): see `weight_decay`."""

    name: Literal["adamw"]
    learning_rate: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Tiny = 1e-8
    amsgrad: bool = False


class Nadam(Input):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    name: Literal["nadam"]
    learning_rate: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Tiny = 1e-8
    momentum_decay: Share = 0.004


class LBFGS(Input):
    """Limited-memory BFGS with a line search, SciPy's, over all rows at once: an iteration an epoch."""

    name: Literal["lbfgs"]
    history: Annotated[Int, Field(ge=1, le=100)] = 10
    max_line_search: Annotated[Int, Field(ge=1, le=1000)] = 20
    gradient_tolerance: Annotated[float, Field(ge=0)] = 1e-5
    loss_tolerance: Annotated[float, Field(ge=0)] = 1e7 * 2.0**-52


Optimizer = SGD | Adagrad | RMSprop | Adadelta | Adam | AdamW | Nadam | LBFGS


class Constant(Input):
    """The optimizer's learning rate, always."""

    name: Literal["constant"]


class Step(Input):
    """Times `factor` after every `every` epochs."""

    name: Literal["step"]
    every: Count
    factor: Factor = 0.1


class Exponential(Input):
    """Times `factor` after every epoch."""

    name: Literal["exponential"]
    factor: Factor


class Cosine(Input):
    """Half a cosine down to `minimum_factor` over `period` epochs, and again (Loshchilov and Hutter 2017)."""

    name: Literal["cosine"]
    period: Count | None = None
    minimum_factor: Annotated[float, Field(ge=0, le=1)] = 0.0
    restart_multiplier: Annotated[Int, Field(ge=1, le=100)] = 1


class InverseScaling(Input):
    """1 / t^`power` at step t."""

    name: Literal["inverse_scaling"]
    power: Annotated[float, Field(gt=0, le=10)] = 0.5


class OneCycle(Input):
    """Up to `maximum_factor`, then down to `minimum_factor` (Smith and Topin 2017)."""

    name: Literal["one_cycle"]
    maximum_factor: Annotated[float, Field(ge=1, le=1e6)] = 25.0
    rising_fraction: Factor = 0.3
    minimum_factor: Annotated[float, Field(ge=0, le=1)] = 1e-4


class ReduceOnPlateau(Input):
    """Times `factor` after `patience` epochs without gain, by the validation loss where there is one."""

    name: Literal["reduce_on_plateau"]
    factor: Factor = 0.1
    patience: Count = 10
    min_delta: Amount = 0.0
    minimum_rate: Amount = 0.0


Schedule = Constant | Step | Exponential | Cosine | InverseScaling | OneCycle | ReduceOnPlateau


class EarlyStopping(Input):
    """Stop when `monitor` has not fallen by more than `min_delta` for `patience` epochs.

    The epochs before `start_epoch` are not looked at. `restore_best` takes back the parameters of the best of the
    others.
    """

    monitor: Literal["validation_loss", "loss"] | None = None
    patience: Count = 10
    min_delta: Amount = 0.0
    restore_best: bool = True
    start_epoch: Count = 1


class PlainLoss(Input):
    """A loss without parameters."""

    name: Literal["squared_error", "absolute_error", "cross_entropy", "binary_cross_entropy", "poisson"]


class Huber(Input):
    """Squared up to `delta`, straight beyond, in the unit that the target is scaled to (Huber 1964)."""

    name: Literal["huber"]
    delta: Positive = 1.0


LossName = Literal[
    "auto", "squared_error", "absolute_error", "huber", "cross_entropy", "binary_cross_entropy", "poisson"
]  # fmt: skip


class Training(Input):
    """How to train. What is left out is decided at submission, and shown in the job."""

    loss: LossName | Annotated[PlainLoss | Huber, Field(discriminator="name")] = "auto"
    label_smoothing: Share = 0.0
    class_weight: Literal["balanced"] | Annotated[dict[str, Amount], Field(min_length=1, max_length=1000)] | None = None
    sample_weight: ColumnName | None = None
    optimizer: Annotated[Optimizer, Field(discriminator="name")] = Adam()
    schedule: Annotated[Schedule, Field(discriminator="name")] | None = None
    warmup_epochs: Annotated[Int, Field(ge=0, lt=2**31)] = 0
    l1: Amount = 0.0
    l2: Amount = 0.0
    weight_decay: Amount | None = None
    max_norm: Positive | None = None
    gradient_clip_norm: Positive | None = None
    gradient_clip_value: Positive | None = None
    epochs: Count = 100
    batch_size: Literal["full"] | Count | None = None
    validation_fraction: Share | None = None
    validation_dataset_id: Identifier | None = None
    validation_column: ColumnName | None = None
    early_stopping: EarlyStopping | None = None
    max_seconds: Annotated[float, Field(gt=0, le=1e8)] | None = None
    target_loss: Annotated[float, Field(ge=-1e30, le=1e30)] | None = None
    metrics_every: Literal["auto"] | Count = "auto"
    keep_path: bool = False
    keep_optimizer_state: bool = False
    warm_start_model_id: Identifier | None = None
    seed: Annotated[Int, Field(ge=0, lt=2**63)] | None = None
    dtype: Literal["float32", "float64"] = "float32"
    engine: Literal["auto", "numpy", "numba"] = "auto"


class McCullochPitts(Input):
    """A neuron over booleans, each excitatory or inhibitory, and a threshold: set by hand, or searched for."""

    kind: Literal["mcculloch_pitts"]
    inhibitory: Literal["search"] | list[ColumnName] = "search"
    threshold: Literal["search"] | Annotated[Int, Field(ge=0, le=2**24)] = "search"


class Perceptron(Input):
    """A weighted sum and a step, learned row by row from its mistakes; one a class for more than two classes."""

    kind: Literal["perceptron"]


class PerceptronNetwork(Input):
    """A hidden perceptron for every row of a truth table, and one that learns to answer: any boolean function."""

    kind: Literal["perceptron_network"]


def _feedforward_by_default(value: Any) -> Any:
    return {"kind": "feedforward", **value} if isinstance(value, dict) else value


AnyNetwork = Annotated[
    Network | McCullochPitts | Perceptron | PerceptronNetwork,
    Field(discriminator="kind"),
    BeforeValidator(_feedforward_by_default),
]


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


class ModelWithReport(Model):
    """A model, and the report of the end of its training.

    The report is of the validation part if there is one, else of the training part: a confusion matrix, ROC and
    precision-recall points and calibration bins, or for regression the residuals.
    """

    report: dict[str, Any] | None


Cell = str | float | bool | None


class PredictionRequest(Input):
    """Rows as objects by column name, or as arrays in the order of the model's features."""

    rows: Annotated[list[dict[str, Cell]], Field(min_length=1)] | Annotated[list[list[Cell]], Field(min_length=1)]


class Prediction(Output):
    """`label` (by several targets `labels`) and `probabilities` for classification, `value` for regression."""

    label: str | None = None
    labels: dict[str, bool] | None = None
    probabilities: dict[str, float] | None = None
    value: float | dict[str, float] | None = None


class Predictions(Output):
    predictions: list[Prediction]


class CurveOutput(Output):
    """One output, of this class or target, for each x; null where it is not finite."""

    label: str | None = None
    name: str | None = None
    h: list[float | None]


class Curve(Output):
    """A model's outputs against one feature: `x` are numbers, or the levels of a category."""

    feature: str
    x: list[float | str]
    outputs: list[CurveOutput]
    held: dict[str, Cell]


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


class CurveQuery(Input):
    feature: ColumnName | None = None
    points: Annotated[int, Field(ge=2, le=1001)] = 101
    start: Annotated[float | None, Field(ge=-1e300, le=1e300, alias="from")] = None
    stop: Annotated[float | None, Field(ge=-1e300, le=1e300, alias="to")] = None
    hold: Json[dict[str, Cell]] = Field(default="{}", validate_default=True)


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
