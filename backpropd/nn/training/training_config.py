"""`Training`: the settings of a training run, with its stopping rules."""

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

    Epochs before `start_epoch` are ignored. With `restore_best`, theta becomes that of the epoch with the lowest loss
    when the run ends for any reason.
    """

    monitor: Literal["validation_loss", "loss"] = "validation_loss"
    patience: int = 10
    min_delta: float = 0.0
    restore_best: bool = True
    start_epoch: int = 1


@dataclass(frozen=True)
class Training:
    """The optimizer, the maximum number of epochs, the rows of a step, the stopping rules, and what is recorded.

    `target_loss` ends the run at the first epoch whose loss is at most that: the validation loss if there is a
    validation set. `max_seconds` ends it at the first epoch that ends later, by the clock given to `fit`. Metrics are
    measured in the first epoch, in multiples of `metrics_every`, and in the last; `path_every` records theta likewise.
    `LBFGS` runs one iteration an epoch, on full batches, and ends the run when it has converged.
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
