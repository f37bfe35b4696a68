"""Optimizers: a few lines over flat vectors, changed in place.

`step` moves `theta` (P,) against `gradient` (P,), which it uses up as working space, so that a step allocates
nothing. `slots` (k, P) is what the optimizer remembers from one step to the next, zeros at the start; `steps`
counts from 1. Both belong to the caller: with theta they are all that a checkpoint needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backpropd.nn.params import Array


class Optimizer(Protocol):
    """What `fit` asks of an optimizer."""

    @property
    def learning_rate(self) -> float: ...

    @property
    def slots(self) -> int:
        """The number k of vectors that it remembers."""

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int) -> None: ...


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum: v ← μ v - η g, theta ← theta + v (Sutskever et al. 2013, eq. 1)."""

    learning_rate: float = 0.01
    momentum: float = 0.0

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int) -> None:
        """One step in place, without momentum simply theta ← theta - η g."""
        gradient *= self.learning_rate
        if not self.momentum:
            theta -= gradient
            return
        velocity = slots[0]
        velocity *= self.momentum
        velocity -= gradient
        theta += velocity


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², theta ← theta - η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ)
    and v̂ = v / (1 - β₂ᵗ).
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    @property
    def slots(self) -> int:
        return 2

    def step(self, theta: Array, gradient: Array, slots: Array, steps: int) -> None:
        """Step number `steps` (from 1), in place."""
        m, v = slots
        m -= gradient
        m *= self.beta1
        m += gradient  # β₁ (m - g) + g, which needs no second vector
        gradient *= gradient
        gradient *= 1 - self.beta2
        v *= self.beta2
        v += gradient
        np.sqrt(v, gradient)
        gradient /= math.sqrt(1 - self.beta2**steps)
        gradient += self.epsilon
        np.divide(m, gradient, gradient)
        gradient *= self.learning_rate / (1 - self.beta1**steps)
        theta -= gradient
