"""Optimizers: a few lines over flat vectors, changed in place.

The formulas are PyTorch's, and so are most names of parameters; g is the gradient, t the number of the step, from 1.
The order of the operations decides the last bits of a trained model: keep it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np

from backpropd.nn.hyperparameter_bounds import Epsilon, Fraction, NonNegative, Positive
from backpropd.nn.layout import Array
from backpropd.nn.optimization.lbfgs import LBFGS

BLOCK = 4096


def blocks(*vectors: Array) -> Iterator[tuple[Array, ...]]:
    """Views (..., 4096) of the same positions of vectors (..., P): temporaries of that size stay in the cache."""
    for start in range(0, vectors[0].shape[-1], BLOCK):
        yield tuple(vector[..., start : start + BLOCK] for vector in vectors)


@dataclass(frozen=True)
class Optimizer(ABC):
    """An optimizer with its hyper-parameters. `learning_rate` is the base rate: a schedule may change it by step.

    `full_batch`: every step takes all rows. `default_weight_decay`: the decoupled decay where a request gives none.
    `scale_free`: the size of steps depends on neither the gradient's scale, but for epsilon, nor on theta's.
    `has_temporaries`: the formula allocates arrays, so it is applied block by block.
    """

    name: ClassVar[str]
    full_batch: ClassVar[Literal[False]] = False
    slots_dtype: ClassVar[None] = None
    default_weight_decay: ClassVar[float] = 0.0
    scale_free: ClassVar[bool] = True
    has_temporaries: ClassVar[bool] = True
    learning_rate: Positive

    @property
    @abstractmethod
    def slots(self) -> int:
        """The number k of vectors that it carries from step to step."""

    def step(self, theta: Array, gradient: Array, slots: Array, t: int, learning_rate: float) -> None:
        """Move `theta` (P,) by step number `t`, in place, and overwrite `gradient` (P,).

        `slots` (k, P), zeros at the start, belong to the caller: with theta and `t` they are all that a checkpoint
        needs. No vector is allocated.
        """
        whole = theta.size <= BLOCK or not self.has_temporaries
        for some_theta, g, some_slots in [(theta, gradient, slots)] if whole else blocks(theta, gradient, slots):
            self.update(some_theta, g, some_slots, t, learning_rate)

    @abstractmethod
    def update(self, theta: Array, g: Array, slots: Array, t: int, learning_rate: float) -> None:
        """The formula, for all parameters or a block of them; it may overwrite `g`."""


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent with momentum: v ← μ v - η g, theta ← theta + v (Sutskever et al. 2013, eq. 1).

    With `nesterov` theta ← theta + μ v - η g, the same v a step further (their eq. 3, as seen from the point
    where the gradient is taken).
    """

    name = "sgd"
    scale_free = False
    has_temporaries = False
    learning_rate: Positive = 0.1
    momentum: Fraction = 0.0
    nesterov: bool = False

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def update(self, theta: Array, g: Array, slots: Array, t: int, learning_rate: float) -> None:
        g *= learning_rate
        if not self.momentum:
            theta -= g
            return
        v = slots[0]
        v *= self.momentum
        v -= g
        if self.nesterov:
            theta -= g
            np.multiply(v, self.momentum, out=g)
            theta += g
        else:
            theta += v


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan, Singer 2011): s ← s + g², theta ← theta - η g / (√s + ε).

    `initial_accumulator` is what s starts from; the slot holds only what was added to it.
    """

    name = "adagrad"
    slots = 1
    learning_rate: Positive = 0.01
    initial_accumulator: NonNegative = 0.0
    epsilon: Epsilon = 1e-10

    def update(self, theta: Array, g: Array, slots: Array, t: int, learning_rate: float) -> None:
        (s,) = slots
        s += g * g
        g /= np.sqrt(s + self.initial_accumulator) + self.epsilon
        g *= learning_rate
        theta -= g


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5): s ← α s + (1 - α) g², theta ← theta - η g / (√s + ε).

    With momentum v ← μ v - η g / (√s + ε), theta ← theta + v.
    """

    name = "rmsprop"
    learning_rate: Positive = 0.01
    alpha: Fraction = 0.99
    epsilon: Epsilon = 1e-8
    momentum: Fraction = 0.0

    @property
    def slots(self) -> int:
        return 2 if self.momentum else 1

    def update(self, theta: Array, g: Array, slots: Array, t: int, learning_rate: float) -> None:
        s, *velocity = slots
        s *= self.alpha
        s += (1 - self.alpha) * g * g
        g /= np.sqrt(s) + self.epsilon
        g *= learning_rate
        for v in velocity:  # one with momentum, else none
            g -= self.momentum * v
            np.negative(g, v)
        theta -= g


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, algorithm 1), whose steps have theta's unit.

    s ← ρ s + (1 - ρ) g², d = g √(u + ε) / √(s + ε), u ← ρ u + (1 - ρ) d², theta ← theta - η d.
    """

    name = "adadelta"
    scale_free = False  # steps have the unit of theta
    slots = 2
    learning_rate: Positive = 1.0
    rho: Fraction = 0.9
    epsilon: Epsilon = 1e-6

    def update(self, theta: Array, g: Array, slots: Array, t: int, learning_rate: float) -> None:
        s, u = slots
        s *= self.rho
        s += (1 - self.rho) * g * g
        g *= np.sqrt(u + self.epsilon) / np.sqrt(s + self.epsilon)  # now g is d
        u *= self.rho
        u += (1 - self.rho) * g * g
        g *= learning_rate
        theta -= g


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ),
    theta ← theta - η m̂ / (√v̂ + ε). With `amsgrad` the largest v so far replaces v in v̂ (Reddi, Kale, Kumar 2018).
    """

    name = "adam"
    has_temporaries = False
    learning_rate: Positive = 0.01
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Epsilon = 1e-8
    amsgrad: bool = False

    @property
    def slots(self) -> int:
        return 3 if self.amsgrad else 2

    def update(self, theta: Array, g: Array, slots: Array, t: int, learning_rate: float) -> None:
        m, v = slots[:2]
        m -= g
        m *= self.beta1
        m += g  # m ← β₁ (m - g) + g = β₁ m + (1 - β₁) g
        g *= g
        g *= 1 - self.beta2
        v *= self.beta2
        v += g  # v ← β₂ v + (1 - β₂) g²
        if self.amsgrad:
            v = np.maximum(slots[2], v, out=slots[2])
        np.sqrt(v, out=g)
        g /= math.sqrt(1 - self.beta2**t)  # √v̂
        g += self.epsilon
        np.divide(m, g, out=g)
        g *= learning_rate / (1 - self.beta1**t)
        theta -= g  # theta ← theta - η m̂ / (√v̂ + ε)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam for decoupled weight decay (Loshchilov and Hutter 2019): the decay is `Regularization.decay`."""

    name = "adamw"
    default_weight_decay = 0.01


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Nadam, Adam with Nesterov's momentum (Dozat 2016, algorithm 2).

    m and v as in Adam, theta ← theta - η ((1 - μ_t) g / (1 - μ_1…μ_t) + μ_t+1 m / (1 - μ_1…μ_t+1)) / (√v̂ + ε),
    with μ_t = β₁ (1 - 0.96^(t ψ) / 2) and ψ the `momentum_decay`.
    """

    name = "nadam"
    slots = 2
    learning_rate: Positive = 0.01
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Epsilon = 1e-8
    momentum_decay: Fraction = 0.004

    def update(self, theta: Array, g: Array, slots: Array, t: int, learning_rate: float) -> None:
        product, mu, mu_next = self.mu_product(t), self.mu(t), self.mu(t + 1)
        m, v = slots
        m += (1 - self.beta1) * (g - m)
        v *= self.beta2
        v += (1 - self.beta2) * g * g
        g *= (1 - mu) / (1 - product)
        g += mu_next / (1 - product * mu_next) * m
        g /= np.sqrt(v / (1 - self.beta2**t)) + self.epsilon
        g *= learning_rate
        theta -= g

    def mu(self, t: int) -> float:
        """μ_t."""
        return self.beta1 * (1 - 0.5 * math.pow(0.96, t * self.momentum_decay))

    @lru_cache(maxsize=1)  # noqa: B019 - every block of a step needs it
    def mu_product(self, t: int) -> float:
        """μ_1 μ_2 … μ_t, from t alone, so that a checkpoint needs no product; 0 as soon as 1 minus it rounds to 1.

        By default that is after 55 factors, because the first ones are near one half.
        """
        product = 1.0
        for s in range(1, t + 1):
            product *= self.mu(s)
            if product < 2**-54:
                return 0.0
        return product


OPTIMIZERS: dict[str, type[Any]] = {
    each.name: each for each in (SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW, Nadam, LBFGS)
}
