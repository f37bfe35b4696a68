"""What the threshold neurons share: the step activation, the values of a layer, checked rows, and the row order."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Invalid
from backpropd.nn.layout import Array

BLOCK_ROWS = 1024  # between two checks of the interrupt, or in one buffer of activations

Interrupt = NDArray[np.int8]


class LayerValues(NamedTuple):
    """One layer's pre-activations a and activations h for n rows, both (n, units)."""

    a: Array
    h: Array


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
