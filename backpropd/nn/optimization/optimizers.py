"""Optimizers: a few lines over flat vectors, changed in place.

`step` moves `theta` (P,) against `gradient` (P,), which it uses up as working space, by this step's
`learning_rate` η: a schedule may have changed it from the optimizer's own. `slots` (k, P) is what the
optimizer remembers from one step to the next, zeros at the start; `steps` counts from 1. Both belong to the
caller: with theta they are all that a checkpoint needs. A step allocates no vector; a formula that needs more
room than the gradient's goes over the vectors in `blocks`.

The formulas, and the defaults but for the names, are PyTorch's, t is the step, g the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from backpropd.nn.layout import Array
from backpropd.nn.optimization.lbfgs import LBFGS

BLOCK = 4096


def blocks(*vectors: Array) -> Iterator[tuple[Array, ...]]:
    """Views (..., 4096) of vectors (..., P), side by side: what is computed from one is small, and stays in cache."""
    for start in range(0, vectors[0].shape[-1], BLOCK):
        yield tuple(vector[..., start : start + BLOCK] for vector in vectors)


class Optimizer(Protocol):
    """An optimizer that takes one step for each batch. `LBFGS` takes `full_batch`es, and slots in its own dtype."""

    full_batch: ClassVar[Literal[False]] = False
    slots_dtype: ClassVar[None] = None

    @property
    def learning_rate(self) -> float:
        """The base rate: that of every step, unless a schedule says otherwise."""

    @property
    def slots(self) -> int:
        """The number k of vectors that it remembers."""

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int, learning_rate: float) -> None: ...


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent with momentum: v ← μ v - η g, theta ← theta + v (Sutskever et al. 2013, eq. 1).

    With `nesterov` theta ← theta + μ v - η g, the same v a step further (their eq. 3, as seen from the point
    where the gradient is taken).
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int, learning_rate: float) -> None:
        """One step in place, without momentum simply theta ← theta - η g."""
        gradient *= learning_rate
        if not self.momentum:
            theta -= gradient
            return
        velocity = slots[0]
        velocity *= self.momentum
        velocity -= gradient
        if self.nesterov:
            theta -= gradient
            np.multiply(velocity, self.momentum, gradient)
            theta += gradient
        else:
            theta += velocity


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan, Singer 2011): s ← s + g², theta ← theta - η g / (√s + ε).

    `initial_accumulator` is what s starts from; the slot holds only what was added to it.
    """

    learning_rate: float = 0.01
    initial_accumulator: float = 0.0
    epsilon: float = 1e-10

    @property
    def slots(self) -> int:
        return 1

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int, learning_rate: float) -> None:
        """One step in place."""
        for part, g, (s,) in blocks(theta, gradient, slots):
            s += g * g
            g /= np.sqrt(s + self.initial_accumulator) + self.epsilon
            g *= learning_rate
            part -= g


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5): s ← α s + (1 - α) g², theta ← theta - η g / (√s + ε).

    With momentum v ← μ v - η g / (√s + ε), theta ← theta + v.
    """

    learning_rate: float = 0.01
    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    @property
    def slots(self) -> int:
        return 2 if self.momentum else 1

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int, learning_rate: float) -> None:
        """One step in place."""
        for part, g, (s, *velocity) in blocks(theta, gradient, slots):
            s *= self.alpha
            s += (1 - self.alpha) * g * g
            g /= np.sqrt(s) + self.epsilon
            g *= learning_rate
            for v in velocity:  # one, or none
                g -= self.momentum * v
                np.negative(g, v)
            part -= g


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, algorithm 1), whose steps have theta's unit.

    s ← ρ s + (1 - ρ) g², d = g √(u + ε) / √(s + ε), u ← ρ u + (1 - ρ) d², theta ← theta - η d.
    """

    learning_rate: float = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6

    @property
    def slots(self) -> int:
        return 2

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int, learning_rate: float) -> None:
        """One step in place."""
        for part, g, (s, u) in blocks(theta, gradient, slots):
            s *= self.rho
            s += (1 - self.rho) * g * g
            g *= np.sqrt(u + self.epsilon) / np.sqrt(s + self.epsilon)  # from here on, g is d
            u *= self.rho
            u += (1 - self.rho) * g * g
            g *= learning_rate
            part -= g


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², theta ← theta - η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ)
    and v̂ = v / (1 - β₂ᵗ). With `amsgrad` the largest v so far takes the place of v in v̂ (Reddi, Kale, Kumar
    2018).
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool = False

    @property
    def slots(self) -> int:
        return 3 if self.amsgrad else 2

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int, learning_rate: float) -> None:
        """Step number `steps` (from 1), in place."""
        m, v = slots[:2]
        m -= gradient
        m *= self.beta1
        m += gradient  # β₁ (m - g) + g, which needs no second vector
        gradient *= gradient
        gradient *= 1 - self.beta2
        v *= self.beta2
        v += gradient
        if self.amsgrad:
            v = np.maximum(slots[2], v, out=slots[2])
        np.sqrt(v, gradient)
        gradient /= math.sqrt(1 - self.beta2**steps)
        gradient += self.epsilon
        np.divide(m, gradient, gradient)
        gradient *= learning_rate / (1 - self.beta1**steps)
        theta -= gradient


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam for decoupled weight decay (Loshchilov and Hutter 2019): the decay is `Regularization.decay`."""


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Nadam, Adam with Nesterov's momentum (Dozat 2016, algorithm 2).

    m and v as in Adam, theta ← theta - η ((1 - μ_t) g / (1 - μ_1…μ_t) + μ_t+1 m / (1 - μ_1…μ_t+1)) / (√v̂ + ε),
    with μ_t = β₁ (1 - 0.96^(t ψ) / 2) and ψ the `momentum_decay`.
    """

    learning_rate: float = 0.002
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 0.004

    @property
    def slots(self) -> int:
        return 2

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int, learning_rate: float) -> None:
        """Step number `steps` (from 1), in place."""
        product, mu, mu_next = self.mu_product(steps), self.mu(steps), self.mu(steps + 1)
        for part, g, (m, v) in blocks(theta, gradient, slots):
            m += (1 - self.beta1) * (g - m)
            v *= self.beta2
            v += (1 - self.beta2) * g * g
            g *= (1 - mu) / (1 - product)
            g += mu_next / (1 - product * mu_next) * m
            g /= np.sqrt(v / (1 - self.beta2**steps)) + self.epsilon
            g *= learning_rate
            part -= g

    def mu(self, steps: int) -> float:
        """μ_t, for t = `steps`."""
        return self.beta1 * (1 - 0.5 * math.pow(0.96, steps * self.momentum_decay))

    def mu_product(self, steps: int) -> float:
        """μ_1 μ_2 … μ_t, from `steps` alone, so that nothing need be remembered; zero once 1 - it rounds to 1.

        By default that is after 55 factors, for the first ones are near one half.
        """
        product = 1.0
        for t in range(1, steps + 1):
            product *= self.mu(t)
            if product < 2**-54:
                return 0.0
        return product


OPTIMIZERS: dict[str, type[Any]] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adadelta": Adadelta,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": Nadam,
    "lbfgs": LBFGS,
}
