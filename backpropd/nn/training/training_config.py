"""`Training`: how a network is trained, and when training stops before its epochs are over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.regularization import Regularization
from backpropd.nn.optimization.schedules import Constant, Schedule


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs, none of which lowered the best loss by more than `min_delta` (Prechelt 1998).

    The epochs before `start_epoch` are not looked at. With `restore_best`, theta becomes that of the epoch with the
    lowest loss when the run ends, for whatever reason.
    """

    monitor: Literal["validation_loss", "loss"] = "validation_loss"
    patience: int = 10
    min_delta: float = 0.0
    restore_best: bool = True
    start_epoch: int = 1


@dataclass(frozen=True)
class Training:
    """How to train: the optimizer, at most how many epochs, how many rows a step, and when to stop before.

    `target_loss` ends the run at an epoch whose loss is no larger: the validation loss where there is a validation
    set. `max_seconds` ends it at the first epoch that is over later than that, by the clock that `fit` is given.
    `metrics_every` says which epochs have metrics: the first, every so many, and the last. With `path_every` theta is
    kept every so many epochs. `LBFGS` makes one iteration an epoch, on full batches, and ends the run where it is over.
    """

    optimizer: Optimizer | LBFGS
    epochs: int = 100
    batch_size: int = 32
    early_stopping: EarlyStopping | None = None
    schedule: Schedule = field(default_factory=Constant)
    regularization: Regularization = field(default_factory=Regularization)
    target_loss: float | None = None
    max_seconds: float | None = None
    metrics_every: int = 1
    path_every: int | None = None
    engine: Literal["numpy", "numba"] = "numpy"
