"""Initializers: the weights (fan_in, fan_out) that a layer starts from, in float64. Biases start at zero.

The number after a source's year is that of its equation.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.hyperparameter_bounds import Bounded, Positive
from backpropd.nn.layout import Array


class Initializer(Protocol):
    """A distribution of initial weights, with its parameters."""

    name: ClassVar[str]

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Weights (fan_in, fan_out)."""


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """Uniform in ±√(6 / (fan_in + fan_out)), variance 2 / (fan_in + fan_out) (Glorot, Bengio 2010, 16)."""

    name = "glorot_uniform"

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        limit = math.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, (fan_in, fan_out))


@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """Normal with variance 2 / (fan_in + fan_out) (Glorot, Bengio 2010, 12)."""

    name = "glorot_normal"

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return rng.normal(0.0, math.sqrt(2 / (fan_in + fan_out)), (fan_in, fan_out))


@dataclass(frozen=True)
class HeUniform(Initializer):
    """Uniform in ±√(6 / fan_in), variance 2 / fan_in (He et al. 2015)."""

    name = "he_uniform"

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        limit = math.sqrt(6 / fan_in)
        return rng.uniform(-limit, limit, (fan_in, fan_out))


@dataclass(frozen=True)
class HeNormal(Initializer):
    """Normal with variance 2 / fan_in (He et al. 2015, 10)."""

    name = "he_normal"

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return rng.normal(0.0, math.sqrt(2 / fan_in), (fan_in, fan_out))


@dataclass(frozen=True)
class LecunNormal(Initializer):
    """Normal with variance 1 / fan_in (LeCun et al. 1998, Efficient BackProp, 16), which selu needs."""

    name = "lecun_normal"

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return rng.normal(0.0, math.sqrt(1 / fan_in), (fan_in, fan_out))


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """`gain` times a matrix with orthonormal columns, or rows if there are fewer of them (Saxe et al. 2014).

    It is the Q of a normal matrix's QR decomposition; with R's diagonal made positive, every such matrix is
    equally likely (Mezzadri 2007, section 5).
    """

    name = "orthogonal"
    gain: Positive = 1.0

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        q, r = np.linalg.qr(rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out))))
        q *= self.gain * np.sign(np.diag(r))
        return q if fan_in >= fan_out else q.T


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform from `low` to `high`."""

    name = "uniform"
    low: Bounded = -0.05
    high: Bounded = 0.05

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise Invalid("low must be below high")

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return rng.uniform(self.low, self.high, (fan_in, fan_out))


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal with a mean and a standard deviation."""

    name = "normal"
    mean: Bounded = 0.0
    std: Positive = 0.05

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return rng.normal(self.mean, self.std, (fan_in, fan_out))


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zeros, for a network of one layer: the units of a hidden layer would never differ."""

    name = "zeros"

    def draw(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return np.zeros((fan_in, fan_out))


INITIALIZERS: dict[str, type[Initializer]] = {
    each.name: each
    for each in (
        GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunNormal, Orthogonal, Uniform, Normal, Zeros,
    )
}  # fmt: skip
