"""The layout of theta: every weight and bias is a named view of one flat array."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""An array of the network's dtype; its shape is in the docstring or the comment beside it."""

DType: TypeAlias = Literal["float32", "float64"]


class Layout:
    """Names, shapes and places of the parameters in theta, in the order given.

    `layers.0.weight` (fan_in, fan_out) comes first, then `layers.0.bias` (fan_out,), and so on to the output
    layer. A gradient has the same layout, so an optimizer needs to know nothing of layers. At theta's end,
    behind the `trainable` parameters, lies what a layer remembers without being taught by a gradient: the
    running statistics of batch normalization.
    """

    def __init__(
        self, parameters: Mapping[str, tuple[int, ...]], remembered: Mapping[str, tuple[int, ...]] | None = None
    ) -> None:
        self.shapes = {**parameters, **(remembered or {})}
        self.slices: dict[str, slice] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            end = self.size + math.prod(shape)
            self.slices[name] = slice(self.size, end)
            self.size = end
        self.trainable = sum(math.prod(shape) for shape in parameters.values())

    def views(self, vector: Array) -> dict[str, Array]:
        """Each parameter by name, a view of theta (size,) or of a gradient (trainable,), which ends before the rest."""
        return {
            name: vector[place] if len(shape) == 1 else vector[place].reshape(shape)
            for (name, shape), place in zip(self.shapes.items(), self.slices.values(), strict=True)
            if place.stop <= len(vector)
        }

    def zeros(self, dtype: str) -> Array:
        """A flat array (size,) of zeros: an empty theta."""
        return np.zeros(self.size, dtype)
