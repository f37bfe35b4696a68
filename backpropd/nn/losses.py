"""Loss functions, each with its derivative beside it.

A loss sees the output layer's pre-activation a and activation h, both (n, outputs), and the targets y.
`value` is the mean over the rows; it may overwrite `scratch` (n, outputs). `gradient` writes the derivative
of that mean. A loss that is `fused_with` an activation takes logits: its value comes from a, never from the
log of a rounded probability, and its gradient is that at a, where the two derivatives cancel to h - y. Any
other loss gives its gradient at h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backpropd.nn.params import Array


@dataclass(frozen=True)
class Loss:
    """A named loss; `takes_classes` says that y holds class indices (n,) instead of numbers (n, outputs)."""

    name: str
    fused_with: str | None
    takes_classes: bool
    value: Callable[[Array, Array, Array, Array], float]
    gradient: Callable[[Array, Array, Array, Array], None]


def squared_error(a: Array, h: Array, y: Array, scratch: Array) -> float:
    """The mean of (h - y)² over rows and outputs (Goodfellow et al. 2016, Deep Learning, eq. 5.4)."""
    np.subtract(h, y, scratch)
    return float(np.vdot(scratch, scratch)) / scratch.size


def squared_error_gradient(a: Array, h: Array, y: Array, out: Array) -> None:
    """At h: 2 (h - y) / (n outputs)."""
    np.subtract(h, y, out)
    out *= 2.0 / out.size


def cross_entropy(a: Array, h: Array, y: Array, scratch: Array) -> float:
    """The mean over rows of -log softmax(a)_y = log Σ_k exp(a_k) - a_y, for class indices y (n,).

    Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.108. For every k, log Σ exp(a) = a_k - log
    h_k; it is read off at the row's largest h, which is at least 1/outputs, so its log is exact and no
    exponential is taken twice.
    """
    log_sum = a.max(axis=1) - np.log(h.max(axis=1))
    log_sum -= a[np.arange(len(y)), y]
    return float(log_sum.sum()) / len(y)


def cross_entropy_gradient(a: Array, h: Array, y: Array, out: Array) -> None:
    """At a: (h - e_y) / n, where e_y is 1 at the true class and 0 elsewhere."""
    np.copyto(out, h)
    out[np.arange(len(y)), y] -= 1.0
    out /= len(y)


def binary_cross_entropy(a: Array, h: Array, y: Array, scratch: Array) -> float:
    """The mean over rows and outputs of -y log h - (1 - y) log(1 - h), for h = logistic(a) and y in [0, 1].

    Bishop 2006, eq. 4.90. From logits it is log(1 + exp(a)) - a y = a (1[a > 0] - y) + log(1 + exp(-|a|)),
    where no exponential overflows and no large terms cancel.
    """
    np.heaviside(a, 0.0, scratch)
    scratch -= y
    straight = float(np.vdot(a, scratch))
    np.abs(a, scratch)
    np.negative(scratch, scratch)
    np.exp(scratch, scratch)
    np.log1p(scratch, scratch)
    return (straight + float(scratch.sum())) / scratch.size


def binary_cross_entropy_gradient(a: Array, h: Array, y: Array, out: Array) -> None:
    """At a: (h - y) / (n outputs)."""
    np.subtract(h, y, out)
    out /= out.size


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("squared_error", None, False, squared_error, squared_error_gradient),
        Loss("cross_entropy", "softmax", True, cross_entropy, cross_entropy_gradient),
        Loss("binary_cross_entropy", "logistic", False, binary_cross_entropy, binary_cross_entropy_gradient),
    )
}
