"""The layout of theta: every weight and bias is a named view of one flat array."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""An array of the network's dtype; its shape is in the docstring or the comment beside it."""

DType: TypeAlias = Literal["float32", "float64"]


class Layout:
    """Names, shapes and slices of the parameters in theta, in the order given.

    `layers.0.weight` (fan_in, fan_out) comes first, then `layers.0.bias` (fan_out,), and so on to the output
    layer. A gradient has the same layout, so optimizers do not depend on layers. At theta's end, after the
    `trainable` parameters, are the `statistics`, which have no gradient: running means and variances of batch
    normalization.
    """

    def __init__(
        self, parameters: Mapping[str, tuple[int, ...]], statistics: Mapping[str, tuple[int, ...]] | None = None
    ) -> None:
        self.shapes = {**parameters, **(statistics or {})}
        self.slices: dict[str, slice] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            end = self.size + math.prod(shape)
            self.slices[name] = slice(self.size, end)
            self.size = end
        self.trainable = sum(math.prod(shape) for shape in parameters.values())

    def views(self, vector: Array) -> dict[str, Array]:
        """Views by name of theta (size,), or of a gradient (trainable,), which has no statistics."""
        return {
            name: vector[where] if len(shape) == 1 else vector[where].reshape(shape)
            for (name, shape), where in zip(self.shapes.items(), self.slices.values(), strict=True)
            if where.stop <= len(vector)
        }

    def zeros(self, dtype: str) -> Array:
        """A theta (size,) of zeros."""
        return np.zeros(self.size, dtype)
