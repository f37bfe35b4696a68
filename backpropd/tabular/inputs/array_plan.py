"""The encoders of a model whose columns are all numbers as arrays: every column is encoded at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.column_encoders import MAX_DEVIATIONS, Array, Scaled, smoothly_clipped
from backpropd.tabular.feature_encoder import FeatureEncoder
from backpropd.tabular.inputs.known_column import known_columns


@dataclass(frozen=True)
class ArrayPlan:
    """What `Scaled` knows of each column, as arrays (columns,); `inputs` are the places of the columns' inputs."""

    mean: Array
    std: Array
    low: Array
    high: Array
    smooth: NDArray[np.bool_]
    inputs: NDArray[np.intp]
    width: int
    dtype: np.dtype

    @classmethod
    def of(cls, encoder: FeatureEncoder) -> ArrayPlan | None:
        """The plan of a model's encoder; None unless its features are scaled columns of numbers, none a marker."""
        if encoder.derived:
            return None
        encoders = [each for each in encoder.column_encoders if type(each) is Scaled]
        kinds = {info.kind for info in encoder.infos}
        if kinds != {"number"} or len(encoders) < len(encoder.infos):
            return None
        if any(column.markers.numbers for column in known_columns(encoder).values()):
            return None
        low = np.array([-np.inf if each.low is None else each.low for each in encoders])
        high = np.array([np.inf if each.high is None else each.high for each in encoders])
        mean, std = np.array([each.mean for each in encoders]), np.array([each.std for each in encoders])
        smooth = np.array([each.smooth for each in encoders])
        inputs = np.cumsum([0, *(each.width for each in encoders[:-1])])
        return cls(mean, std, low, high, smooth, inputs, encoder.width, encoder.dtype)

    def encode(self, x: NDArray[np.float64]) -> Array | None:
        """The inputs (n, width) of numbers (n, columns); None if training had nothing like one of them."""
        with np.errstate(over="ignore"):
            if (np.maximum(self.low - x, x - self.high) > self.high - self.low).any():
                return None
            z = (x - self.mean) / self.std
        np.clip(z, -MAX_DEVIATIONS, MAX_DEVIATIONS, z)
        if self.smooth.any():
            z = np.where(self.smooth, smoothly_clipped(z), z)
        out = np.zeros((len(x), self.width), self.dtype)
        out[:, self.inputs] = z
        return out
