"""The training of a request: loss, optimizer, schedule, and when to stop."""

from typing import Annotated, Literal

from pydantic import Field

from backpropd import nn
from backpropd.nn.hyperparameter_bounds import Fraction, NonNegative, Positive
from service.schemas.algorithms import Loss, Optimizer, Schedule
from service.schemas.fields import ColumnName, Count, Identifier, Input, StopAtFirst, Whole


class EarlyStopping(Input):
    """Stop when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    Epochs before `start_epoch` do not count. `restore_best` restores the parameters of the best epoch at the end: of
    several equally good ones the first, or the last, as `ties` says.
    """

    monitor: Literal["validation_loss", "loss", "validation_accuracy"] | None = None
    patience: Count = 10
    min_delta: NonNegative = 0.0
    restore_best: bool = True
    start_epoch: Count = 1
    ties: Literal["first", "last"] = "first"


class SnapshotInterval(Input):
    """Store the whole state of training at the start and after every `every` epochs."""

    every: Count


class Training(Input):
    """How to train. Fields without a value are decided at submission, and the job shows them."""

    loss: Loss = "auto"
    preset: Literal["fast", "best"] | None = None
    label_smoothing: Fraction | None = None
    class_weight: (
        Literal["balanced"]
        | Annotated[dict[str, NonNegative], StopAtFirst(), Field(min_length=1, max_length=1000)]
        | None
    ) = None
    sample_weight: ColumnName | None = None
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    warmup_epochs: Annotated[int, Field(ge=0, lt=2**31), Whole] = 0
    l1: NonNegative = 0.0
    l2: NonNegative | None = None
    weight_decay: NonNegative | None = None
    max_norm: Positive | None = None
    gradient_clip_norm: Positive | None = None
    gradient_clip_value: Positive | None = None
    epochs: Count | None = None
    batch_size: Literal["full"] | Count | None = None
    validation_fraction: Fraction | None = None
    validation_dataset_id: Identifier | None = None
    validation_column: ColumnName | None = None
    early_stopping: EarlyStopping | None = None
    refit: bool | None = None
    ensemble_size: Annotated[int, Field(ge=1, le=16), Whole] | None = None
    feature_scaling: Literal["auto", "standard", "robust", "none"] = "auto"
    target_scaling: Literal["auto", "standard", "unit", "symmetric", "none"] = "auto"
    clip_predictions: bool | None = None
    max_seconds: Annotated[float, Field(gt=0, le=1e8)] | None = None
    target_loss: Annotated[float, Field(ge=-1e30, le=1e30)] | None = None
    metrics_every: Literal["auto"] | Count = "auto"
    snapshots: Literal["auto"] | SnapshotInterval | None = None
    keep_path: bool = False
    keep_optimizer_state: bool = False
    warm_start_model_id: Identifier | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63), Whole] | None = None
    dtype: nn.DType = "float32"
    engine: Literal["auto", "numpy", "numba"] = "auto"
