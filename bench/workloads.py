"""The networks and data that every contender trains. It imports NumPy alone: the peers' environment lacks backpropd."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

LEARNING_RATE, MOMENTUM = 0.01, 0.9
NOISE = 0.1  # the fraction of random labels; without them losses approach zero and numbers become subnormal


class Contender(NamedTuple):
    """Who trains the workloads: a key of `CONTENDERS` in a module of `bench.contenders`, and its marker in the plot."""

    module: str
    title: str
    color: str
    marker: str
    size: int


CONTENDERS = {
    "compiled": Contender("core", "backpropd, compiled", "#d1495b", "o", 90),
    "numpy": Contender("core", "backpropd, NumPy", "#edae49", "o", 55),
    "scikit-learn": Contender("scikit_learn", "scikit-learn", "#30638e", "s", 45),
    "pytorch": Contender("pytorch", "PyTorch eager", "#00798c", "D", 40),
    "jax, a call per step": Contender("jax_jit", "JAX, a call per step", "#8d96a3", "<", 50),
    "jax, a call per epoch": Contender("jax_jit", "JAX, a call per epoch", "#4b4e6d", ">", 50),
}
PEERS = ("scikit-learn", "pytorch", "jax, a call per step")
"""The contenders that targets are for: of JAX's two the plain loop, which calls a jitted step per batch."""


class Workload(NamedTuple):
    """A data set's size, a network of relu layers, and the rows of a step.

    The core computes metrics every `metrics_every` epochs, as a job does; with 0 never, as the peers.
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
        """One logistic output for two classes, as in scikit-learn, else one softmax output per class."""
        return 1 if self.classes == 2 else self.classes

    @property
    def weights(self) -> list[int]:
        """The number of weights of each layer."""
        return [fan_in * fan_out for fan_in, fan_out in pairwise((self.inputs, *self.hidden, self.outputs))]

    @property
    def multiply_adds(self) -> float:
        """Per step, on average: forward, ∂L/∂W, and ∂L/∂h of all layers but the first."""
        return self.rows / self.steps_per_epoch * (3 * sum(self.weights) - self.weights[0])


WORKLOADS = {
    Workload("play", 500, 2, (4, 4), 2, 10): (70, 100, 6),
    Workload("breast_cancer", 569, 30, (64, 32), 2, 32): (15, 18, 3),
    Workload("digits", 1797, 64, (64,), 10, 64): (8.5, 10, 2.3),
    Workload("mnist-like", 12800, 784, (256, 128), 10, 128): (1.5, 1.6, 1.15),
    Workload("mnist-like, batch 32", 6400, 784, (128,), 10, 32): (2.2, 2.4, 0.95),
    Workload("wide", 4096, 1000, (1024, 1024), 10, 512): (1.15, 1.05, 1.3),
}
"""Each workload with its targets: a step's speed-up over each of PEERS."""


def named(name: str) -> Workload:
    """The workload of this name."""
    return next(workload for workload in WORKLOADS if workload.name == name)


def data(workload: Workload) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Normal features (rows, inputs) in float32, and classes (rows,) from a linear rule with some noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((workload.rows, workload.inputs), np.float32)
    y = (x @ rng.standard_normal((workload.inputs, workload.classes), np.float32)).argmax(axis=1)
    noisy = rng.random(workload.rows) < NOISE
    y[noisy] = rng.integers(workload.classes, size=np.count_nonzero(noisy))
    return x, y
