"""The NumPy engine: gradient descent, a step for each batch, in buffers that are allocated once.

It is the reference for the compiled engine in `numba_engine`, and readable.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Batch
from backpropd.nn.layout import Array
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.regularization import weight_matrices
from backpropd.nn.training.divergence import first_not_finite
from backpropd.nn.training.engine import EngineResult, Permutations
from backpropd.nn.training.epochs import FitRun


class NumpyEngine:
    """Mini-batch gradient descent in NumPy; it implements `Engine`."""

    def __init__(self, run: FitRun) -> None:
        """A batch size of all the rows or more means full batches; the last batch of an epoch has the rest."""
        self.network, self.training_set, self.validation_set, training, self.state, _ = run
        self.regularization, self.optimizer = training.regularization, cast(Optimizer, training.optimizer)
        network, state, rows = self.network, self.state, len(self.training_set.x)
        self.batch_size = min(training.batch_size, rows)
        self.steps_per_epoch = -(-rows // self.batch_size)
        self.gradient = np.zeros(network.parameters, state.theta.dtype)
        self.weights = weight_matrices(network.layout, state.theta)
        self.weight_gradients = weight_matrices(network.layout, self.gradient)
        sizes = {self.batch_size, rows % self.batch_size or self.batch_size}
        self.workspaces = {size: network.workspace(state.theta, self.gradient, size) for size in sizes}
        self.last_workspace = self.workspaces[self.batch_size]
        self.buffers = {size: _buffer(self.training_set, size) for size in sizes if size < rows}

    @np.errstate(all="ignore")  # overflow is detected afterwards
    def run(self, permutations: Permutations, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """See `Engine`."""
        state, stats = self.state, np.full((len(permutations), 3), np.nan)
        for epoch, permutation in enumerate(permutations):
            saved = state.theta.copy(), state.slots.copy()
            first_step = state.steps + epoch * self.steps_per_epoch + 1
            interrupted = not self._run_epoch(permutation, rates[epoch], stats[epoch], first_step, interrupt)
            layer = None
            if not interrupted:
                if self.validation_set:
                    stats[epoch, 2] = self.network.evaluate(state.theta, self.validation_set)[0]
                finite = np.isfinite(stats[epoch] if self.validation_set else stats[epoch, :2]).all()
                if finite and np.isfinite(state.theta).all():
                    continue
                values = [(each.a, each.h) for each in self.last_workspace.layers]
                layer = first_not_finite(self.network.layout, state.theta, values)
            state.theta[:], state.slots[:] = saved
            return EngineResult(stats[:epoch], "interrupted" if interrupted else "diverged", layer)
        return EngineResult(stats, "complete")

    def _run_epoch(
        self, permutation: NDArray[np.intp], rates: Array, stats: Array, first_step: int, interrupt: NDArray[np.int8]
    ) -> bool:
        """One step for each batch; False if interrupted. A loss that is not finite ends the epoch at once."""
        loss = norm = 0.0
        for number, batch in enumerate(self._batches(permutation)):
            if interrupt[0]:
                return False
            self.last_workspace = self.workspaces[len(batch.x)]
            value = self.network.loss_and_gradient(self.last_workspace, batch, self.state.rng)
            value += self.regularization.penalty(self.weights)
            loss += len(batch.x) * value
            if not math.isfinite(value):
                break
            norm += self._step(first_step + number, rates[number])
        stats[0] = loss / len(permutation)
        stats[1] = norm / self.steps_per_epoch
        return True

    def _step(self, step: int, rate: float) -> float:
        """Step number `step` of the run, from 1; returns the L2 norm of the gradient of the loss with its penalty."""
        regularization, theta = self.regularization, self.state.theta[: self.network.parameters]
        regularization.add_penalty_gradient(self.weights, self.weight_gradients)
        norm = math.sqrt(np.dot(self.gradient, self.gradient))
        regularization.clip(self.gradient)
        regularization.decay(self.weights, rate)
        self.optimizer.step(theta, self.gradient, self.state.slots, step, rate)
        regularization.constrain(self.weights)
        return norm

    def _batches(self, permutation: NDArray[np.intp]) -> Iterator[Batch]:
        """The rows in this order, batch by batch; each batch overwrites the one before."""
        if self.steps_per_epoch == 1:
            yield self.training_set
            return
        for start in range(0, len(permutation), self.batch_size):
            rows = permutation[start : start + self.batch_size]
            batch = self.buffers[len(rows)]
            for source, out in zip(self.training_set, batch, strict=True):
                if source is not None and out is not None:
                    source.take(rows, axis=0, out=out, mode="clip")  # mode "raise" would copy `out`
            yield batch


def _buffer(data: Batch, rows: int) -> Batch:
    return Batch(*(None if array is None else np.empty((rows, *array.shape[1:]), array.dtype) for array in data))  # type: ignore[arg-type]
