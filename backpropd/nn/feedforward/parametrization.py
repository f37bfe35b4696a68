"""Parametrizations: the learning rate of each parameter as a multiple of the run's, and the initial biases.

`standard` gives every parameter the run's rate, and biases start at 0.

`ntk` is the neural tangent parametrization, W / √fan_in with standard normal W (Jacot, Gabriel, Hongler 2018): here
the weights keep their size, and their rate is 1 / √fan_in of the run's, which is the same for optimizers whose steps
do not depend on the gradient's scale. Biases have a tenth of the rate, input scales six times, and hidden biases start
as standard normal numbers (Holzmüller, Grinsztajn, Steinwart 2024, Better by Default, table A.1).
"""

import math
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from backpropd.nn.layout import Array, Layout

ParametrizationKind: TypeAlias = Literal["standard", "ntk"]

NTK_RATES = {"bias": 0.1, "input_scale": 6.0}


class RateSegment(NamedTuple):
    """A range of theta, and the factor of its learning rate."""

    where: slice
    factor: float


def rate_segments(layout: Layout, parametrization: str) -> list[RateSegment]:
    """The learned parameters in their order, as ranges of the same factor."""
    if parametrization == "standard":
        return [RateSegment(slice(0, layout.trainable), 1.0)]
    named = [(name, where) for name, where in layout.slices.items() if where.stop <= layout.trainable]
    return [RateSegment(where, _ntk_rate(name, layout.shapes[name])) for name, where in named]


def _ntk_rate(name: str, shape: tuple[int, ...]) -> float:
    noun = name.rpartition(".")[2]
    return 1 / math.sqrt(shape[0]) if noun == "weight" else NTK_RATES.get(noun, 1.0)


def initial_bias(rng: np.random.Generator, units: int, parametrization: str, *, hidden: bool) -> Array:
    """The biases (units,) that a layer starts from."""
    return rng.standard_normal(units) if parametrization == "ntk" and hidden else np.zeros(units)
