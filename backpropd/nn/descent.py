"""Gradient descent over one epoch: a step for every batch, in buffers that are used again."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.network import Batch, Network
from backpropd.nn.optim import Optimizer
from backpropd.nn.state import State


class Descent:
    """The batches of `data` and a workspace for each of their sizes, over the theta of `state`.

    A batch size of all the rows or more means full batches, which need no shuffle. The last batch of an epoch
    has the rows that are left.
    """

    def __init__(self, network: Network, optimizer: Optimizer, data: Batch, batch_size: int, state: State) -> None:
        rows = len(data.x)
        self.network, self.optimizer, self.data, self.state = network, optimizer, data, state
        self.batch_size = min(batch_size, rows)
        self.gradient = np.zeros_like(state.theta)
        self.workspaces = {
            size: network.workspace(state.theta, self.gradient, size)
            for size in {self.batch_size, rows % self.batch_size or self.batch_size}
        }

    def epoch(self, interrupt: NDArray[np.int8]) -> tuple[float, float] | None:
        """One step a batch: the mean loss over the rows, and the mean L2 norm of the batches' gradients.

        None as soon as `interrupt[0]` is not zero, between two batches.
        """
        loss = norm = 0.0
        batches = 0
        for batch in self._batches():
            if interrupt[0]:
                return None
            batches += 1
            loss += len(batch.x) * self.network.loss_and_gradient(self.workspaces[len(batch.x)], batch)
            norm += math.sqrt(np.dot(self.gradient, self.gradient))
            self.state.steps += 1
            rate = self.optimizer.learning_rate
            self.optimizer.step(self.state.theta, self.gradient, self.state.slots, self.state.steps, rate)
        return loss / len(self.data.x), norm / batches

    def _batches(self) -> Iterator[Batch]:
        """The rows in a fresh order, batch by batch; each batch is gathered over the one before."""
        x, y = self.data
        if self.batch_size == len(x):
            yield self.data
            return
        order = self.state.rng.permutation(len(x))
        buffers = {size: self._buffer(size) for size in self.workspaces}
        for start in range(0, len(x), self.batch_size):
            rows = order[start : start + self.batch_size]
            batch = buffers[len(rows)]
            x.take(rows, axis=0, out=batch.x, mode="clip")  # "clip" spares the copy that "raise" makes of out
            y.take(rows, axis=0, out=batch.y, mode="clip")
            yield batch

    def _buffer(self, rows: int) -> Batch:
        x, y = self.data
        return Batch(np.empty((rows, *x.shape[1:]), x.dtype), np.empty((rows, *y.shape[1:]), y.dtype))
