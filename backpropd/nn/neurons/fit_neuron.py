"""`fit_neuron` trains any threshold neuron, as `fit` trains a feed-forward network."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from backpropd.errors import Diverged, Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.interrupts import TIME_IS_UP
from backpropd.nn.layout import Array
from backpropd.nn.neurons.step_units import Interrupt, Neuron
from backpropd.nn.training.epochs import Epoch
from backpropd.nn.training.sample import BLOCK_ROWS, sample
from backpropd.nn.training.state import State, StopReason


def start_neuron(neuron: Neuron, rng: np.random.Generator) -> State:
    """The state before the first epoch; `rng` later draws the order of the rows."""
    theta = neuron.initialize(rng)
    return State(theta, np.zeros((0, theta.size), theta.dtype), rng)


def restore_neuron(neuron: Neuron, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> State:
    """The state whose `arrays()` and `meta()` these are. Raises `Invalid` if they fit another neuron."""
    return State.of(neuron.layout, neuron.dtype, np.zeros((0, neuron.layout.trainable), neuron.dtype), arrays, meta)


def fit_neuron(
    neuron: Neuron,
    training_set: Batch,
    validation_set: Batch | None,
    state: State,
    *,
    epochs: int = 100,
    max_seconds: float | None = None,
    interrupt: Interrupt | None = None,
    clock: Callable[[], float] | None = None,
) -> Iterator[Epoch]:
    """Train epoch by epoch, until an epoch ends without a mistake or after `epochs`.

    Loss and metrics are those of theta at the end of the epoch over the whole set, not of the answers during it: `loss`
    is the share of rows answered wrongly, `metrics["mistakes"]` their number, and likewise for the validation set.
    So "converged" means that theta answers every training row correctly. The state's `best_theta` is the best theta at
    the end of an epoch, the earliest of several (the pocket algorithm, Gallant 1990). After the last epoch theta
    becomes this one, while that epoch reports its own theta. A McCulloch-Pitts neuron has one epoch.

    `state`, `max_seconds`, `interrupt` and `clock` are as for `fit`: between two epochs the state is that of the last
    one yielded, from which a checkpoint resumes bit for bit; an interrupt ends the generator within a block of rows.

    Raises `NotRepresentable` for a table that no McCulloch-Pitts neuron represents, `Diverged` if theta stops being
    finite, and `Invalid` for sets that do not fit the neuron.
    """
    if epochs < 1:
        raise Invalid("epochs must be a whole number of at least 1")
    interrupt = np.zeros(1, np.int8) if interrupt is None else interrupt
    training_set = neuron.batch(training_set.x, training_set.y)
    validation_set = neuron.batch(validation_set.x, validation_set.y) if validation_set else None
    before = state.seconds - clock() if clock else 0.0
    while state.stop_reason is None:
        snapshot = state.snapshot()
        try:
            learned = neuron.learn(state.theta, training_set, state.rng, interrupt)
            state.seconds = before + clock() if clock else 0.0
            reason = _reason_to_end(neuron, state, epochs, math.inf if max_seconds is None else max_seconds)
            epoch = _end_epoch(neuron, training_set, validation_set, state, reason, interrupt) if learned else None
        except BaseException:
            state.restore_snapshot(snapshot)
            raise
        if epoch is None:
            if state.epoch or interrupt[0] != TIME_IS_UP:
                state.restore_snapshot(snapshot)
            return
        yield epoch


def _reason_to_end(neuron: Neuron, state: State, epochs: int, max_seconds: float) -> StopReason | None:
    """Why the epoch after the state's is the last, though it has mistakes, or None."""
    if state.epoch + 1 >= epochs or not neuron.iterative:
        return "epochs"
    return "max_seconds" if state.seconds >= max_seconds else None


def _end_epoch(
    neuron: Neuron,
    training_set: Batch,
    validation_set: Batch | None,
    state: State,
    reason: StopReason | None,
    interrupt: Interrupt,
) -> Epoch:
    """Count the mistakes of an epoch, update the pocket, and end the run if there are none or another `reason`."""
    state.epoch += 1
    if not np.isfinite(state.theta).all():
        raise Diverged(
            f"theta stopped being finite in epoch {state.epoch}: the learning_rate, {neuron.learning_rate:g}, or the "
            "inputs are too large. Lower the learning_rate, or scale the inputs",
            epoch=state.epoch,
        )
    loss, metrics = _measure(neuron, state.theta, training_set, interrupt)
    validation_loss, validation_metrics = (
        _measure(neuron, state.theta, validation_set, interrupt) if validation_set else (None, None)
    )
    state.loss = loss
    state.record_loss(loss, min_delta=0.0, keep_theta=True)
    if loss == 0:
        state.stop_reason = "converged"
    elif reason:
        state.end(reason)
    return Epoch(
        state.epoch, loss, validation_loss, metrics, validation_metrics, 0.0, neuron.learning_rate, state.stop_reason
    )


def _measure(neuron: Neuron, theta: Array, batch: Batch, interrupt: Interrupt) -> tuple[float, dict[str, float]]:
    mistakes = _mistakes_in_time(neuron, theta, batch, interrupt)
    return mistakes / len(batch.y), {"mistakes": float(mistakes)}


def _mistakes_in_time(neuron: Neuron, theta: Array, batch: Batch, interrupt: Interrupt) -> int:
    """The number of rows answered wrongly, once `TIME_IS_UP` estimated from a sample."""
    mistakes = 0
    for start in range(0, len(batch.x), BLOCK_ROWS):
        if start and interrupt[0] == TIME_IS_UP:
            rows = sample(batch, theta.size)
            return round(neuron.mistakes(theta, rows) / len(rows.y) * len(batch.y))
        block = slice(start, start + BLOCK_ROWS)
        mistakes += neuron.mistakes(theta, Batch(batch.x[block], batch.y[block]))
    return mistakes
