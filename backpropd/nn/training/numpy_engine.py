"""The NumPy engine: gradient descent, a step for each batch, in buffers that are allocated once.

It is the reference for the compiled engine in `numba_engine`, and readable.
"""

import math
from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Batch
from backpropd.nn.layout import Array
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.training.engine import NumpyEpochs, Outcome
from backpropd.nn.training.epochs import FitRun


class NumpyEngine(NumpyEpochs):
    """Mini-batch gradient descent in NumPy."""

    def __init__(self, run: FitRun) -> None:
        """A batch size of all the rows or more means full batches; the last batch of an epoch has the rest."""
        super().__init__(run, run.state.theta)
        self.optimizer, rows = cast(Optimizer, run.training.optimizer), len(self.training_set.x)
        self.batch_size = min(run.training.batch_size, rows)
        self.steps_per_epoch = -(-rows // self.batch_size)
        sizes = {self.batch_size, rows % self.batch_size or self.batch_size}
        self.workspaces = {size: self.network.workspace(self.theta, self.gradient, size) for size in sizes}
        self.workspace = self.workspaces[self.batch_size]
        self.buffers = {size: _buffer(self.training_set, size) for size in sizes if size < rows}

    def _run_epoch(
        self, permutation: NDArray[np.intp], rates: Array, stats: Array, first_step: int, interrupt: NDArray[np.int8]
    ) -> Outcome:
        """One step for each batch. A loss that is not finite ends the epoch at once."""
        loss = norm = 0.0
        for number, batch in enumerate(self._batches(permutation)):
            if interrupt[0]:
                return "interrupted"
            self.workspace = self.workspaces[len(batch.x)]
            value = self.network.loss_and_gradient(self.workspace, batch, self.state.rng)
            value += self.regularization.penalty(self.weights)
            loss += len(batch.x) * value
            if not math.isfinite(value):
                break
            norm += self._step(first_step + number, rates[number])
        stats[:2] = loss / len(permutation), norm / self.steps_per_epoch
        return "complete"

    def _step(self, step: int, rate: float) -> float:
        """Step number `step` of the run, from 1; returns the L2 norm of the gradient of the loss with its penalty."""
        regularization, theta = self.regularization, self.theta[: self.network.parameters]
        regularization.add_penalty_gradient(self.weights, self.weight_gradients)
        norm = math.sqrt(np.dot(self.gradient, self.gradient))
        regularization.clip(self.gradient)
        regularization.decay(self.weights, rate)
        for where, factor in self.rate_segments:
            self.optimizer.step(theta[where], self.gradient[where], self.state.slots[:, where], step, rate * factor)
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
