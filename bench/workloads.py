"""The networks and data that every contender trains; it needs NumPy alone, for the peers import it too."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

LEARNING_RATE, MOMENTUM = 0.01, 0.9
NOISE = 0.1  # the share of labels that are drawn: without it, losses go to zero and numbers become subnormal


PEERS = ("scikit-learn", "pytorch", "jax")


class Workload(NamedTuple):
    """A data set's size, a network of relu layers, and how many rows a step sees.

    Every so many epochs the core computes metrics, as in a job; 0 for never, as the peers.
    """

    name: str
    rows: int
    inputs: int
    hidden: tuple[int, ...]
    classes: int
    batch_size: int
    metrics_every: int = 0

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.rows // self.batch_size)

    @property
    def outputs(self) -> int:
        """Two classes are one logistic output, as scikit-learn has it; more are softmax."""
        return 1 if self.classes == 2 else self.classes

    @property
    def products(self) -> list[int]:
        """How many weights each layer has."""
        return [fan_in * fan_out for fan_in, fan_out in pairwise((self.inputs, *self.hidden, self.outputs))]

    @property
    def multiply_adds(self) -> float:
        """Of a step, on average: forward, ∂L/∂W, and ∂L/∂h of all layers but the first."""
        return self.rows / self.steps_per_epoch * (3 * sum(self.products) - self.products[0])


WORKLOADS = {
    Workload("play", 500, 2, (4, 4), 2, 10): (70, 100, 6),
    Workload("breast_cancer", 569, 30, (64, 32), 2, 32): (15, 18, 3),
    Workload("digits", 1797, 64, (64,), 10, 64): (8.5, 10, 2.3),
    Workload("mnist-like", 12800, 784, (256, 128), 10, 128): (1.5, 1.6, 1.15),
    Workload("mnist-like, batch 32", 6400, 784, (128,), 10, 32): (2.2, 2.4, 0.95),
    Workload("wide", 4096, 1000, (1024, 1024), 10, 512): (1.15, 1.05, 1.3),
}
"""Each with how many of our steps must fit into one of scikit-learn's, of PyTorch's, of JAX's."""


def data(workload: Workload) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Normal features (rows, inputs) in float32, and classes (rows,) that a linear rule gives, but for some noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((workload.rows, workload.inputs), np.float32)
    y = (x @ rng.standard_normal((workload.inputs, workload.classes), np.float32)).argmax(axis=1)
    drawn = rng.random(workload.rows) < NOISE
    y[drawn] = rng.integers(workload.classes, size=np.count_nonzero(drawn))
    return x, y
