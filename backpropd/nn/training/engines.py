"""Gradient descent over whole epochs, in NumPy: a step for every batch, in buffers that are used again.

This is the reference; `nn.kernels` holds its compiled twin, and both do what `Engine` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.layout import Array, Layout
from backpropd.nn.optimization.optimizers import LBFGS
from backpropd.nn.optimization.regularization import weight_matrices
from backpropd.nn.training.state import State
from backpropd.nn.training.training_config import Training

Orders = NDArray[np.intp]
"""For each epoch the order in which it sees the rows (epochs, rows)."""


Outcome = Literal["complete", "interrupted", "diverged", "converged"]
"""Why no epoch follows; the last two, which only L-BFGS knows, are complete."""


class EngineResult(NamedTuple):
    """What some epochs came to.

    `figures` (epochs that are complete, 3): the loss, which is the mean over the epoch's batches, each before its step
    and weighted by its rows; the mean of the batches' gradient norms; the validation loss, NaN without a validation
    set. With L-BFGS they are those of theta at the epoch's end. `layer` names the first one whose values are not finite
    where they diverged, None if they only grew too large behind the last.
    """

    figures: Array
    outcome: Outcome
    layer: str | None = None


class Engine(Protocol):
    """An engine: what runs epochs over the theta and slots of one `State`."""

    steps_per_epoch: int

    def run(self, orders: Orders, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """One epoch for each of `orders`, with `rates` (epochs, steps_per_epoch) as the steps' learning rates.

        Where it ends early, interrupted between two batches or diverged, theta and slots are those of the last
        complete epoch.
        """


class NumpyEngine:
    """The readable engine."""

    def __init__(
        self,
        network: Network,
        training: Training,
        training_set: Batch,
        validation_set: Batch | None,
        state: State,
    ) -> None:
        """A batch size of all the rows or more means full batches; the last batch of an epoch has what is left."""
        rows = len(training_set.x)
        assert not isinstance(training.optimizer, LBFGS)  # noqa: S101 - for the type checker
        self.network, self.optimizer, self.regularization = network, training.optimizer, training.regularization
        self.training_set, self.validation_set, self.state = training_set, validation_set, state
        self.batch_size = min(training.batch_size, rows)
        self.steps_per_epoch = -(-rows // self.batch_size)
        self.gradient = np.zeros(network.parameters, state.theta.dtype)
        self.weights = weight_matrices(network.layout, state.theta)
        self.weight_gradients = weight_matrices(network.layout, self.gradient)
        sizes = {self.batch_size, rows % self.batch_size or self.batch_size}
        self.workspaces = {size: network.workspace(state.theta, self.gradient, size) for size in sizes}
        self.last = self.workspaces[self.batch_size]
        self.buffers = {size: _buffer(training_set, size) for size in sizes if size < rows}

    @np.errstate(all="ignore")  # what overflows is found by looking
    def run(self, orders: Orders, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """See `Engine`."""
        figures = np.full((len(orders), 3), np.nan)
        for number, order in enumerate(orders):
            kept = self.state.theta.copy(), self.state.slots.copy()
            steps = self.state.steps + number * self.steps_per_epoch
            interrupted = not self._descend(order, rates[number], figures[number], steps, interrupt)
            layer = None
            if not interrupted:
                if self.validation_set:
                    figures[number, 2] = self.network.evaluate(self.state.theta, self.validation_set)[0]
                watched = figures[number] if self.validation_set else figures[number, :2]
                if np.isfinite(watched).all() and np.isfinite(self.state.theta).all():
                    continue
                values = [(each.a, each.h) for each in self.last.layers]
                layer = first_not_finite(self.network.layout, self.state.theta, values)
            self.state.theta[:], self.state.slots[:] = kept
            return EngineResult(figures[:number], "interrupted" if interrupted else "diverged", layer)
        return EngineResult(figures, "complete")

    def _descend(
        self, order: NDArray[np.intp], rates: Array, figures: Array, steps: int, interrupt: NDArray[np.int8]
    ) -> bool:
        """One step a batch; False if it was interrupted. A loss that is not finite ends the epoch at once."""
        loss = norm = 0.0
        for number, batch in enumerate(self._batches(order)):
            if interrupt[0]:
                return False
            self.last = self.workspaces[len(batch.x)]
            value = self.network.loss_and_gradient(self.last, batch, self.state.rng)
            value += self.regularization.penalty(self.weights)
            loss += len(batch.x) * value
            if not math.isfinite(value):
                break
            norm += self._step(steps + number + 1, rates[number])
        figures[0] = loss / len(order)
        figures[1] = norm / self.steps_per_epoch
        return True

    def _step(self, steps: int, rate: float) -> float:
        """Step number `steps` of the run; gives the L2 norm of the whole loss's gradient."""
        held, theta = self.regularization, self.state.theta[: self.network.parameters]
        held.add_penalty_gradient(self.weights, self.weight_gradients)
        norm = math.sqrt(np.dot(self.gradient, self.gradient))
        held.clip(self.gradient)
        held.decay(self.weights, rate)
        self.optimizer.step(theta, self.gradient, self.state.slots, steps, rate)
        held.constrain(self.weights)
        return norm

    def _batches(self, order: NDArray[np.intp]) -> Iterator[Batch]:
        """The rows in this order, batch by batch; each batch is gathered over the one before."""
        if self.steps_per_epoch == 1:
            yield self.training_set
            return
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            batch = self.buffers[len(rows)]
            for source, out in zip(self.training_set, batch, strict=True):
                if source is not None and out is not None:
                    source.take(rows, axis=0, out=out, mode="clip")  # "clip" spares the copy that "raise" makes of out
            yield batch


def first_not_finite(layout: Layout, theta: Array, values: Sequence[tuple[Array, Array]]) -> str | None:
    """The first layer, as `layers.0`, whose values (a, h) or else whose parameters are not finite; None if all are."""
    for index, (a, h) in enumerate(values):
        if not (np.isfinite(a).all() and np.isfinite(h).all()):
            return f"layers.{index}"
    for name, view in layout.views(theta).items():
        if not np.isfinite(view).all():
            return name.rpartition(".")[0]
    return None


def _buffer(data: Batch, rows: int) -> Batch:
    return Batch(*(None if part is None else np.empty((rows, *part.shape[1:]), part.dtype) for part in data))  # type: ignore[arg-type]
