"""`Training`: the settings of a training run, with its stopping rules, and the checks that they go together."""

from dataclasses import dataclass, field
from typing import Any, Literal

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.feedforward.spec import Spec
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.regularization import Regularization
from backpropd.nn.optimization.schedules import Constant, Schedule

NTK_NEEDS = "use adam, or another optimizer that divides by it, or the standard parametrization"


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs, none of which lowered the best loss by more than `min_delta` (Prechelt 1998).

    `monitor` is what is watched: a loss, or the share of validation rows that are predicted wrongly, as
    `validation_accuracy`. Epochs before `start_epoch` are ignored. With `restore_best`, theta becomes that of the best
    epoch when the run ends for any reason; of several equally good ones it is the first, or the last, as `ties` says.
    """

    monitor: Literal["validation_loss", "loss", "validation_accuracy"] = "validation_loss"
    patience: int = 10
    min_delta: float = 0.0
    restore_best: bool = True
    start_epoch: int = 1
    ties: Literal["first", "last"] = "first"


@dataclass(frozen=True)
class Training:
    """The optimizer, the maximum number of epochs, the rows of a step, the stopping rules, and what is recorded.

    `target_loss` ends the run at the first epoch whose loss is at most that: the validation loss if there is a
    validation set. `max_seconds` ends it at the first chunk that ends later, by `State.seconds`. Metrics are
    measured in the first epoch, in multiples of `metrics_every`, and in the last; `path_every` records theta likewise.
    A chunk ends at every multiple of `snapshot_every`, so that the caller can store the state of that epoch.
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
    snapshot_every: int | None = None
    engine: Literal["numpy", "numba"] = "numpy"


def check_training(spec: Spec, training: Training, rows: int, validation_set: Batch | None, clock: Any) -> None:
    """Raise `Invalid` for settings that cannot train a network of `spec` on `rows` training rows."""
    stopping = training.early_stopping
    counts = [training.epochs, training.batch_size, training.metrics_every]
    intervals = [training.path_every or 1, training.snapshot_every or 1]
    if min([*counts, stopping.patience if stopping else 1, *intervals]) < 1:
        names = "epochs, batch_size, patience, metrics_every, path_every and snapshot_every"
        raise Invalid(f"{names} must be whole numbers of at least 1")
    if stopping and stopping.monitor != "loss" and validation_set is None:
        raise Invalid(f"early stopping on the {stopping.monitor} needs a validation set: give one, or monitor the loss")
    if spec.parametrization == "ntk" and not training.optimizer.scale_free:
        raise Invalid(f"steps of {training.optimizer.name} depend on the gradient's scale: {NTK_NEEDS}")
    if training.max_seconds is not None and clock is None:
        raise Invalid("max_seconds needs a clock: pass one, such as time.monotonic")
    check_full_batch(spec, training, rows)


def check_full_batch(spec: Spec, training: Training, rows: int) -> None:
    """Raise `Invalid` for settings that contradict L-BFGS, if that is the optimizer, on `rows` training rows."""
    regularization, optimizer = training.regularization, training.optimizer
    if not optimizer.full_batch:
        return
    normalizations = {layer.normalization for layer in spec.layers}
    conflicts = {
        f"its gradient is that of all rows, so let batch_size be all {rows} of them": training.batch_size < rows,
        "its line search chooses the step lengths, so leave the schedule constant": training.schedule != Constant(),
        "it runs in NumPy, so let the engine be numpy": training.engine != "numpy",
        "l1 has no derivative at 0, where it drives the weights: use l2": regularization.l1 > 0,
        "weight_decay belongs to a step of gradient descent: use l2": regularization.weight_decay > 0,
        "max_norm moves theta off the line that is searched: use l2": regularization.max_norm is not None,
        "a line search needs the gradient as it is, not clipped": (regularization.clip_norm, regularization.clip_value)
        != (None, None),
        "dropout makes the loss random, and a line search compares losses": any(each.dropout for each in spec.layers),
        "batch normalization would update its statistics at points that the line search rejects: use layer "
        "normalization": "batch" in normalizations,
    }
    for reason, holds in conflicts.items():
        if holds:
            raise Invalid(f"lbfgs does not go with these settings: {reason}")
