"""`fit_neuron` trains any threshold neuron, as `fit` trains a feed-forward network."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from backpropd.errors import Diverged, Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.layout import Array
from backpropd.nn.neurons.step_units import Interrupt, Neuron
from backpropd.nn.training.epochs import Epoch
from backpropd.nn.training.state import State


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
    interrupt: Interrupt | None = None,
) -> Iterator[Epoch]:
    """Train epoch by epoch, until an epoch ends without a mistake or after `epochs`.

    Loss and metrics are those of theta at the end of the epoch over the whole set, not of the answers during it: `loss`
    is the share of rows answered wrongly, `metrics["mistakes"]` their number, and likewise for the validation set.
    So "converged" means that theta answers every training row correctly. The state's `best_theta` is the best theta at
    the end of an epoch, the earliest of several (the pocket algorithm, Gallant 1990). After the last epoch theta
    becomes this one, while that epoch reports its own theta. A McCulloch-Pitts neuron has one epoch.

    `state` and `interrupt` are as for `fit`: between two epochs the state is that of the last one
    yielded, from which a checkpoint resumes bit for bit; an interrupt ends the generator within a block of rows.

    Raises `NotRepresentable` for a table that no McCulloch-Pitts neuron represents, `Diverged` if theta stops being
    finite, and `Invalid` for sets that do not fit the neuron.
    """
    if epochs < 1:
        raise Invalid("epochs must be a whole number of at least 1")
    interrupt = np.zeros(1, np.int8) if interrupt is None else interrupt
    training_set = neuron.batch(training_set.x, training_set.y)
    validation_set = neuron.batch(validation_set.x, validation_set.y) if validation_set else None
    while state.stop_reason is None:
        snapshot = state.snapshot()
        try:
            learned = neuron.learn(state.theta, training_set, state.rng, interrupt)
            epoch = _end_epoch(neuron, training_set, validation_set, state, epochs) if learned else None
        except BaseException:
            state.restore_snapshot(snapshot)
            raise
        if epoch is None:
            state.restore_snapshot(snapshot)
            return
        yield epoch


def _end_epoch(neuron: Neuron, training_set: Batch, validation_set: Batch | None, state: State, epochs: int) -> Epoch:
    """Count the mistakes of an epoch, update the pocket, and decide whether the epoch is the last."""
    state.epoch += 1
    if not np.isfinite(state.theta).all():
        raise Diverged(
            f"theta stopped being finite in epoch {state.epoch}: the learning_rate, {neuron.learning_rate:g}, or the "
            "inputs are too large. Lower the learning_rate, or scale the inputs",
            epoch=state.epoch,
        )
    loss, metrics = _measure(neuron, state.theta, training_set)
    validation_loss, validation_metrics = (
        _measure(neuron, state.theta, validation_set) if validation_set else (None, None)
    )
    state.loss = loss
    state.record_loss(loss, min_delta=0.0, keep_theta=True)
    if loss == 0:
        state.stop_reason = "converged"
    elif state.epoch >= epochs or not neuron.iterative:
        state.stop_reason = "epochs"
        state.theta[:] = state.best_theta
    return Epoch(
        state.epoch, loss, validation_loss, metrics, validation_metrics, 0.0, neuron.learning_rate, state.stop_reason
    )


def _measure(neuron: Neuron, theta: Array, batch: Batch) -> tuple[float, dict[str, float]]:
    mistakes = neuron.mistakes(theta, batch)
    return mistakes / len(batch.y), {"mistakes": float(mistakes)}
