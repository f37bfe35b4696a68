"""Training: `fit`, a generator of `Epoch`. It knows no database, no clock and no queue."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Diverged, Invalid
from backpropd.nn.descent import Descent
from backpropd.nn.network import Batch, Network
from backpropd.nn.optim import Optimizer
from backpropd.nn.params import Array
from backpropd.nn.state import State, StopReason

Metrics = Callable[[Array, Array], dict[str, float]]


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs, none of which lowered the best loss by more than `min_delta` (Prechelt 1998).

    With `restore_best`, theta becomes that of the epoch with the lowest loss when the run ends, for whatever
    reason.
    """

    monitor: Literal["validation_loss", "loss"] = "validation_loss"
    patience: int = 10
    min_delta: float = 0.0
    restore_best: bool = True


@dataclass(frozen=True)
class Training:
    """How to train: the optimizer, at most how many epochs, how many rows a step, and when to stop before."""

    optimizer: Optimizer
    epochs: int = 100
    batch_size: int = 32
    early_stopping: EarlyStopping | None = None


class Epoch(NamedTuple):
    """What one pass over the training set came to.

    `loss` is the mean over the epoch's batches, each before its step and weighted by its rows;
    `gradient_norm` the mean over the batches of the gradient's L2 norm. The other figures are those of theta
    at the epoch's end.
    """

    epoch: int  # from 1
    loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    gradient_norm: float
    learning_rate: float
    stop_reason: StopReason | None


def fit(
    network: Network,
    training_set: Batch,
    validation_set: Batch | None,
    training: Training,
    state: State,
    *,
    metrics: Metrics | None = None,
    interrupt: NDArray[np.int8] | None = None,
) -> Iterator[Epoch]:
    """Train until the epochs are over or early stopping ends the run, epoch after epoch (Bottou 2012).

    `state` is changed in place. Whenever the caller has control it is that of the last epoch yielded, and
    complete: between two epochs, after the end, after an interrupt, and after any exception; its checkpoint
    then resumes the run bit for bit. Set `interrupt[0]` from outside (another thread, a signal) to end the
    generator between two batches, without a half epoch: `state.stop_reason` is then still None, and another
    `fit` goes on from there. `metrics(h, y)` adds figures of its own, from the outputs (n, outputs) and
    targets, on both sets.

    Raises `Diverged` at the end of an epoch whose loss, gradient, parameters, validation loss or metrics are not
    finite, or whose step, the run's last, leaves a loss that is not; and `Invalid` for sets that do not fit the
    network.
    """
    _refuse_nonsense(training, validation_set)
    interrupt = np.zeros(1, np.int8) if interrupt is None else interrupt
    training_set = network.batch(*training_set)
    validation_set = network.batch(*validation_set) if validation_set else None
    descent = Descent(network, training.optimizer, training_set, training.batch_size, state)
    while state.stop_reason is None:
        mark = state.mark()
        try:
            epoch = _epoch(descent, validation_set, training, metrics, interrupt)
        except BaseException:
            state.back_to(mark)
            raise
        if epoch is None:
            state.back_to(mark)
            return
        yield epoch


@np.errstate(all="ignore")  # what overflows is found by looking, and raised as Diverged
def _epoch(
    descent: Descent,
    validation_set: Batch | None,
    training: Training,
    metrics: Metrics | None,
    interrupt: NDArray[np.int8],
) -> Epoch | None:
    """One epoch, looked at from all sides; None if it was interrupted."""
    network, state, (x, y) = descent.network, descent.state, descent.data
    rate = training.optimizer.learning_rate
    state.epoch += 1
    descended = descent.epoch(interrupt)
    if descended is None:
        return None
    loss, gradient_norm = descended
    validation_loss, h = network.evaluate(state.theta, validation_set) if validation_set else (None, None)
    _refuse_divergence(state, rate, loss, gradient_norm, validation_loss or 0.0)
    figures = metrics(network.predict(state.theta, x), y) if metrics else {}
    validation_figures = None
    if validation_set and h is not None:
        validation_figures = metrics(h, validation_set.y) if metrics else {}
    _refuse_divergence(state, rate, *figures.values(), *(validation_figures or {}).values())
    _close(state, training, loss, validation_loss)
    if state.stop_reason:  # no other epoch will come to see what the last step did
        _refuse_divergence(state, rate, network.evaluate(state.theta, descent.data)[0])
    return Epoch(
        state.epoch, loss, validation_loss, figures, validation_figures, gradient_norm, rate, state.stop_reason
    )


def _close(state: State, training: Training, loss: float, validation_loss: float | None) -> None:
    """Note the epoch's loss, decide whether it is the last, and put the best theta back if it is."""
    state.loss = loss
    if state.epoch >= training.epochs:
        state.stop_reason = "epochs"
    if stopping := training.early_stopping:
        monitored = loss if validation_loss is None or stopping.monitor == "loss" else validation_loss
        state.observe(monitored, min_delta=stopping.min_delta, keep_theta=stopping.restore_best)
        if state.wait >= stopping.patience:
            state.stop_reason = "early_stopping"
    if state.stop_reason and state.best_theta is not None:
        state.theta[:] = state.best_theta


def _refuse_divergence(state: State, learning_rate: float, *figures: float) -> None:
    if all(map(math.isfinite, figures)) and np.isfinite(state.theta).all():
        return
    before = "No epoch came before it" if state.loss is None else f"The last finite loss was {state.loss:g}"
    raise Diverged(
        f"training diverged in epoch {state.epoch}: the numbers grew until they were not finite any more. "
        f"{before}. The learning_rate is {learning_rate:g}: try {learning_rate / 10:g}",
        epoch=state.epoch,
    )


def _refuse_nonsense(training: Training, validation_set: Batch | None) -> None:
    stopping = training.early_stopping
    if training.epochs < 1 or training.batch_size < 1 or (stopping and stopping.patience < 1):
        raise Invalid("epochs, batch_size and patience are whole numbers from 1 up")
    if stopping and stopping.monitor == "validation_loss" and validation_set is None:
        raise Invalid("early stopping on the validation_loss needs a validation set: give one, or monitor the loss")
