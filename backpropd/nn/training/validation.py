"""Validation of the arguments of `fit`: settings that contradict each other raise `Invalid` with the reason."""

from __future__ import annotations

from typing import Any

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.feedforward.spec import Spec
from backpropd.nn.optimization.schedules import Constant
from backpropd.nn.training.training_config import Training


def check_training(spec: Spec, training: Training, rows: int, validation_set: Batch | None, clock: Any) -> None:
    """Raise `Invalid` for settings that cannot train a network of `spec` on `rows` training rows."""
    stopping = training.early_stopping
    counts = [training.epochs, training.batch_size, training.metrics_every]
    if min([*counts, stopping.patience if stopping else 1, training.path_every or 1]) < 1:
        raise Invalid("epochs, batch_size, patience, metrics_every and path_every are whole numbers from 1 up")
    if stopping and stopping.monitor == "validation_loss" and validation_set is None:
        raise Invalid("early stopping on the validation_loss needs a validation set: give one, or monitor the loss")
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
