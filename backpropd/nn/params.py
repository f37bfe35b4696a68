"""The layout of theta: every weight and bias is a named view of one flat array."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""An array of the network's dtype; its shape stands in the docstring or the comment beside it."""


class Layout:
    """Names, shapes and places of the parameters in theta, in the order given.

    `layers.0.weight` (fan_in, fan_out) comes first, then `layers.0.bias` (fan_out,), and so on to the output
    layer. A gradient has the same layout, so an optimizer needs to know nothing of layers.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.slices: dict[str, slice] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            end = self.size + math.prod(shape)
            self.slices[name] = slice(self.size, end)
            self.size = end

    def views(self, theta: Array) -> dict[str, Array]:
        """Each parameter by name, a view of `theta` (size,): what is written to it is written to theta."""
        return {name: theta[place].reshape(self.shapes[name]) for name, place in self.slices.items()}

    def zeros(self, dtype: str) -> Array:
        """A flat array (size,) of zeros: an empty theta, or an empty gradient."""
        return np.zeros(self.size, dtype)
