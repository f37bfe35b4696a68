"""Initializers: the weights (fan_in, fan_out) that a layer starts from. Biases start at zero.

The number after a source's year is that of its equation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from backpropd.nn.params import Array

Initializer = Callable[[np.random.Generator, int, int], Array]


def glorot_uniform(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Uniform in ±√(6 / (fan_in + fan_out)), variance 2 / (fan_in + fan_out) (Glorot, Bengio 2010, 16)."""
    limit = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def glorot_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Normal with variance 2 / (fan_in + fan_out) (Glorot, Bengio 2010, 12)."""
    return rng.normal(0.0, math.sqrt(2 / (fan_in + fan_out)), (fan_in, fan_out))


def he_uniform(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Uniform in ±√(6 / fan_in), variance 2 / fan_in (He et al. 2015)."""
    limit = math.sqrt(6 / fan_in)
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def he_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Normal with variance 2 / fan_in (He et al. 2015, 10)."""
    return rng.normal(0.0, math.sqrt(2 / fan_in), (fan_in, fan_out))


INITIALIZERS: dict[str, Initializer] = {
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
}
