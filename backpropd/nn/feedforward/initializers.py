"""Initializers: the weights (fan_in, fan_out) that a layer starts from, in float64. Biases start at zero.

Whatever an initializer takes beside the generator and the shape has a default.

The number after a source's year is that of its equation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from backpropd.nn.layout import Array

Initializer = Callable[..., Array]


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


def lecun_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Normal with variance 1 / fan_in (LeCun et al. 1998, Efficient BackProp, 16), which selu is made for."""
    return rng.normal(0.0, math.sqrt(1 / fan_in), (fan_in, fan_out))


def orthogonal(rng: np.random.Generator, fan_in: int, fan_out: int, gain: float = 1.0) -> Array:
    """`gain` times a matrix with orthonormal columns, or rows if there are fewer of them (Saxe et al. 2014).

    It is the Q of a normal matrix's QR decomposition; with R's diagonal made positive, every such matrix is
    equally likely (Mezzadri 2007, section 5).
    """
    q, r = np.linalg.qr(rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out))))
    q *= gain * np.sign(np.diag(r))
    return q if fan_in >= fan_out else q.T


def uniform(rng: np.random.Generator, fan_in: int, fan_out: int, low: float = -0.05, high: float = 0.05) -> Array:
    """Uniform from `low` to `high`."""
    return rng.uniform(low, high, (fan_in, fan_out))


def normal(rng: np.random.Generator, fan_in: int, fan_out: int, mean: float = 0.0, std: float = 0.05) -> Array:
    """Normal with the given mean and standard deviation."""
    return rng.normal(mean, std, (fan_in, fan_out))


def zeros(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Nothing but zeros, for a network of one layer: the units of a hidden layer would stay equal for ever."""
    return np.zeros((fan_in, fan_out))


INITIALIZERS: dict[str, Initializer] = {
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun_normal": lecun_normal,
    "orthogonal": orthogonal,
    "uniform": uniform,
    "normal": normal,
    "zeros": zeros,
}
