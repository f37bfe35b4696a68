"""What the threshold neurons share: `Neuron`, the step activation, checked rows, and the order of the rows."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.layout import Array, Layout

BLOCK_ROWS = 1024  # between two checks of the interrupt, or in one buffer of activations

Interrupt = NDArray[np.int8]


class LayerValues(NamedTuple):
    """One layer's pre-activations a and activations h for n rows, both (n, units)."""

    a: Array
    h: Array


class Neuron(ABC):
    """A threshold neuron, or a network of them. It has no parameters of its own: theta is passed in."""

    inputs: int
    learning_rate: float
    dtype: str
    iterative: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.inputs < 1 or self.dtype not in ("float32", "float64"):
            raise Invalid("a neuron needs at least one input and the dtype float32 or float64")
        if self.iterative and not 0 < self.learning_rate < math.inf:
            raise Invalid("a learning_rate is a finite number above 0")

    @property
    def outputs(self) -> int:
        """The number of units that answer."""
        return 1

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """The positions of the weights and biases in theta."""

    def initialize(self, rng: np.random.Generator) -> Array:
        """The theta before training, (layout.size,): zeros, because the perceptron rule needs no random start."""
        del rng
        return self.layout.zeros(self.dtype)

    @abstractmethod
    def forward(self, theta: Array, x: Array) -> list[LayerValues]:
        """The values of each layer for rows x (n, inputs). Raises `Invalid` for rows that the neuron does not take."""

    def predict(self, theta: Array, x: Array) -> Array:
        """The answers h (n, outputs) for rows x (n, inputs), a block of rows at a time; errors as in `forward`."""
        starts = range(0, max(len(x), 1), BLOCK_ROWS)
        return np.concatenate([self.forward(theta, x[start : start + BLOCK_ROWS])[-1].h for start in starts])

    @abstractmethod
    def batch(self, x: Array, y: Array) -> Batch:
        """Rows x (n, inputs) and targets y as `learn` and `mistakes` take them. Raises `Invalid`."""

    def mistakes(self, theta: Array, batch: Batch) -> int:
        """The number of rows answered wrongly."""
        return int(np.count_nonzero(self.predict(theta, batch.x)[:, 0] != batch.y))

    @abstractmethod
    def learn(self, theta: Array, batch: Batch, rng: np.random.Generator, interrupt: Interrupt) -> bool:
        """One epoch, in place; the only one unless `iterative`. False if it was interrupted in the middle."""


def step(a: Array) -> Array:
    """The step activation, in the dtype of `a`: 1 where a >= 0, else 0 (Rosenblatt 1958)."""
    return (a >= 0).astype(a.dtype)


def checked_rows(x: Array, inputs: int, dtype: str) -> Array:
    """The rows x (n, inputs) in `dtype`, contiguous. Raises `Invalid` if they have another shape."""
    if x.ndim != 2 or x.shape[1] != inputs:
        raise Invalid(f"x has the shape {x.shape}: this neuron takes (rows, {inputs})")
    return np.ascontiguousarray(x, dtype)


def boolean_rows(x: Array, inputs: int) -> Array:
    """Rows x (n, inputs) of 0 and 1 as booleans. Raises `Invalid` for other values."""
    return _boolean(checked_rows(x, inputs, x.dtype.name), "inputs")


def boolean_targets(y: Array, n: int) -> Array:
    """Targets (n, 1) of 0 and 1 for one output, as booleans (n,). Raises `Invalid` for other values."""
    if y.shape != (n, 1) or n == 0:
        raise Invalid(
            f"y has the shape {y.shape} for {n} rows: give a 0 or 1 for each, (rows, 1), and one row at least"
        )
    return _boolean(y[:, 0], "targets")


def _boolean(x: Array, noun: str) -> Array:
    other = (x != 0) & (x != 1)
    if other.any():
        raise Invalid(f"the {noun} hold {x[other][0]:g}: this neuron takes only 0 and 1. Map the values to these two")
    return x.astype(np.bool_)


def learn_in_random_order(
    learn: Callable[[NDArray[np.intp]], None], n: int, rng: np.random.Generator, interrupt: Interrupt
) -> bool:
    """Call `learn` with the indices of all n rows, block by block of a new permutation; False if interrupted."""
    order = rng.permutation(n)
    for start in range(0, n, BLOCK_ROWS):
        if interrupt[0]:
            return False
        learn(order[start : start + BLOCK_ROWS])
    return True
