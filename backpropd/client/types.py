"""The responses of the service as typed dictionaries; a newer service may add fields."""

from typing import Any, NamedTuple, TypedDict


class Progress(TypedDict):
    """How many of its epochs a job has finished."""

    epoch: int
    epochs: int


class JobError(TypedDict):
    """Why a job failed."""

    code: str
    detail: str


class Transition(TypedDict):
    """A change of a job's status: the new status, when, and why."""

    status: str
    at: str
    reason: str


class QueuePosition(TypedDict):
    """A queued job's position, from 1, and its estimated start if the service can give one."""

    position: int
    estimated_start_at: str | None


class JobParent(TypedDict):
    """The job, and its epoch, that a fork continues from."""

    job_id: str
    epoch: int


class LeftOut(TypedDict):
    """A column that is neither target nor feature and that the request did not leave out, and why."""

    column: str
    reason: str
    detail: str


class JobWarning(TypedDict):
    """What may surprise in a job; `pointer` is the place in the request that would change it."""

    code: str
    pointer: str | None
    detail: str


class JobSummary(TypedDict):
    """A training job in a list."""

    id: str
    name: str | None
    status: str
    dataset_id: str
    target: str | list[str]
    task: str
    warnings: list[JobWarning]
    progress: Progress
    model_id: str | None
    error: JobError | None
    stop_reason: str | None
    transitions: list[Transition]
    queue: QueuePosition | None
    parent: JobParent | None
    attempts: int
    priority: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    metadata: dict[str, Any]


class KeptEpochs(TypedDict):
    """What is kept of a job's epochs: all (a `bucket` of 1), or those of the extremes of every `bucket` epochs."""

    thinned: bool
    bucket: int


class ShownDerivedFeature(TypedDict, total=False):
    """A feature that is computed from columns: `{"square": "x1"}`, `{"product": ["x1", "x2"]}`, sin or log."""

    square: str | None
    product: list[str] | None
    sin: str | None
    log: str | None


class Job(JobSummary):
    """A training job."""

    curve: KeptEpochs
    features: list[str | ShownDerivedFeature]
    kinds: dict[str, str]
    left_out: list[LeftOut]
    network: dict[str, Any]
    training: dict[str, Any]


class Epoch(TypedDict):
    """One epoch of a job."""

    epoch: int
    loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    gradient_norm: float
    learning_rate: float
    seconds: float


class Snapshot(TypedDict):
    """The parameters of a job after an epoch, by name, as nested lists."""

    epoch: int
    parameters: dict[str, list[Any]]


class ModelSummary(TypedDict):
    """The trained network of a succeeded job in a list."""

    id: str
    job_id: str | None
    name: str | None
    task: str
    target: str | list[str]
    classes: list[str] | None
    parameters: int
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    bytes: int
    sha256: str
    created_at: str


class Model(ModelSummary):
    """The trained network of a succeeded job."""

    network: dict[str, Any]
    features: list[str | ShownDerivedFeature]
    input_columns: list[str]
    report: dict[str, Any] | None


class PredictionWarning(TypedDict):
    """What a prediction ignored, or what differs from what training saw: in how many rows, and the first, from 0."""

    code: str
    column: str | None
    count: int
    rows: list[int]
    detail: str


class Curve(TypedDict):
    """A model's outputs against one feature; each output has a `label` or a `name`, and `h`, one number for each x."""

    feature: str
    x: list[float | str]
    outputs: list[dict[str, Any]]
    held: dict[str, Any]


class Trace(TypedDict):
    """All numbers of one forward and backward pass; `loss` and `update` are None without targets.

    `formulas`, here and in each layer, are in LaTeX.
    """

    loss: float | None
    input: list[list[float | None]]
    layers: list[dict[str, Any]]
    update: dict[str, Any] | None
    formulas: dict[str, Any]


class Surface(TypedDict):
    """The loss on a plane through the parameters: loss[j][i] is at (x[i], y[j]), the model at (0, 0)."""

    directions: str
    rows: int
    x: list[float]
    y: list[float]
    loss: list[list[float | None]]
    path: dict[str, Any] | None
    explained: list[float] | None


class Explanations(TypedDict):
    """For each row its `class`, the outputs `baseline` and `output`, the `attributions` by column, and the `error`."""

    explanations: list[dict[str, Any]]


class ColumnImportance(TypedDict):
    """By how much the metric drops when a column is shuffled, and the standard deviation over repeats."""

    column: str
    mean: float | None
    deviation: float | None


class Importance(TypedDict):
    """The permutation importance of each column, the largest first."""

    metric: str
    importance: list[ColumnImportance]


class Event(NamedTuple):
    """A Server-Sent Event: `kind` is `status` (data is the job) or `epoch` (data is the epoch)."""

    kind: str
    id: str
    data: dict[str, Any]
