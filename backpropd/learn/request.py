"""A training job as a client requests it: what is left out has a default here, or is decided by `resolve`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backpropd import nn
from backpropd.learn.json_fields import JsonFields, algorithm
from backpropd.nn.feedforward.losses import Loss
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.schedules import Schedule
from backpropd.tabular import Feature


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The options of training that a resolved spec repeats as they were requested. All are off by default."""

    class_weight: str | Mapping[str, float] | None = None
    sample_weight: str | None = None
    warmup_epochs: int = 0
    l1: float = 0.0
    max_norm: float | None = None
    gradient_clip_norm: float | None = None
    gradient_clip_value: float | None = None
    max_seconds: float | None = None
    target_loss: float | None = None
    keep_path: bool = False
    keep_optimizer_state: bool = False
    warm_start_model_id: str | None = None
    validation_dataset_id: str | None = None
    validation_column: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingRequest(TrainingOptions, JsonFields):
    """The requested training. None stands for "to be decided", as does "auto"; a loss of None is decided too."""

    loss: Loss | None = field(default=None, metadata=algorithm(nn.LOSSES))
    preset: str | None = None
    label_smoothing: float | None = None
    optimizer: Optimizer | LBFGS | None = field(default=None, metadata=algorithm(nn.OPTIMIZERS))
    schedule: Schedule | None = field(default=None, metadata=algorithm(nn.SCHEDULES))
    l2: float | None = None
    weight_decay: float | None = None
    epochs: int | None = None
    batch_size: int | str | None = None
    validation_fraction: float | None = None
    early_stopping: Mapping[str, Any] | None = None
    refit: bool | None = None
    ensemble_size: int | None = None
    feature_scaling: str = "auto"
    target_scaling: str = "auto"
    snapshots: str | Mapping[str, int] | None = None
    clip_predictions: bool | None = None
    metrics_every: int | str = "auto"
    seed: int | None = None
    dtype: str = "float32"
    engine: str = "auto"


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What is to be learned from which columns, by which network and training.

    `network` is JSON, with the `kind` and the fields of that kind. `given` are the fields of training that the client
    stated: kinds that support few of them reject the others, and have defaults of their own. `kinds` are kinds of
    columns, instead of the dataset's. `features` are names of columns, and derived ones such as `{"square": "x1"}`.
    """

    target: str | Sequence[str]
    features: Sequence[Feature] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    task: str = "auto"
    network: Mapping[str, Any]
    network_given: bool = True
    training: TrainingRequest
    given: Mapping[str, Any]

    @classmethod
    def from_json(cls, *, training: Mapping[str, Any], **fields: Any) -> JobRequest:
        """From `training` with the fields that were given alone."""
        return cls(training=TrainingRequest.from_json(training), given=training, **fields)
