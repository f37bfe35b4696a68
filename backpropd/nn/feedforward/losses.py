"""Loss functions, each with its derivative beside it.

A loss takes the output layer's pre-activation a and activation h, both (n, outputs), and the targets y.
`value` is the mean over the rows, (1/n) Σ_i weight_i l_i, where `weight` (n,) may be None for ones; it may
overwrite `scratch` (n, outputs). `gradient` writes the derivative of that mean. A loss that is `fused_with`
an activation takes logits: its value is computed from a, never from the log of a rounded probability, and its
gradient is that at a, where the product of both derivatives is h - y. Any other loss gives its gradient at h.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from backpropd.nn.feedforward.activations import Task
from backpropd.nn.hyperparameter_bounds import Fraction, Positive
from backpropd.nn.layout import Array


class Loss(Protocol):
    """A loss with its parameters.

    `tasks`: what the outputs may mean. `fused_with`: the output activation that it needs, None for any.
    `takes_classes`: y holds class indices (n,) instead of numbers (n, outputs). `takes_counts`: y holds counts, which
    are not negative and are not scaled.
    """

    name: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]]
    fused_with: ClassVar[str | None] = None
    takes_classes: ClassVar[bool] = False
    takes_counts: ClassVar[bool] = False

    def value(self, a: Array, h: Array, y: Array, weight: Array | None, scratch: Array) -> float: ...

    def gradient(self, a: Array, h: Array, y: Array, weight: Array | None, out: Array) -> None: ...


@dataclass(frozen=True)
class SquaredError(Loss):
    """The mean of (h - y)² over rows and outputs (Goodfellow et al. 2016, Deep Learning, eq. 5.4)."""

    name = "squared_error"
    tasks = ("classification", "multi_label", "regression")

    def value(self, a: Array, h: Array, y: Array, weight: Array | None, scratch: Array) -> float:
        np.subtract(h, y, scratch)
        scratch *= scratch
        return _mean(scratch, weight)

    def gradient(self, a: Array, h: Array, y: Array, weight: Array | None, out: Array) -> None:
        """At h: 2 (h - y) / (n outputs)."""
        np.subtract(h, y, out)
        _scale(out, 2.0 / out.size, weight)


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """The mean of |h - y| over rows and outputs (Bishop 2006, Pattern Recognition and Machine Learning, 1.5.5)."""

    name = "absolute_error"
    tasks = ("regression",)

    def value(self, a: Array, h: Array, y: Array, weight: Array | None, scratch: Array) -> float:
        np.subtract(h, y, scratch)
        np.abs(scratch, scratch)
        return _mean(scratch, weight)

    def gradient(self, a: Array, h: Array, y: Array, weight: Array | None, out: Array) -> None:
        """At h: sign(h - y) / (n outputs), which is zero at the kink h = y."""
        np.subtract(h, y, out)
        np.sign(out, out)
        _scale(out, 1.0 / out.size, weight)


@dataclass(frozen=True)
class Huber(Loss):
    """The mean of r² / 2 where r = |h - y| is at most `delta`, which is above 0, else of delta (r - delta / 2).

    Huber 1964, Robust Estimation of a Location Parameter, section 1.
    """

    name = "huber"
    tasks = ("regression",)
    delta: Positive = 1.0

    def value(self, a: Array, h: Array, y: Array, weight: Array | None, scratch: Array) -> float:
        np.subtract(h, y, scratch)
        np.abs(scratch, scratch)
        near = np.minimum(scratch, self.delta)
        scratch *= near  # with c = min(r, delta) both cases are c r - c² / 2
        near *= near
        near *= 0.5
        scratch -= near
        return _mean(scratch, weight)

    def gradient(self, a: Array, h: Array, y: Array, weight: Array | None, out: Array) -> None:
        """At h: h - y, clipped to ±delta, / (n outputs)."""
        np.subtract(h, y, out)
        np.clip(out, -self.delta, self.delta, out=out)
        _scale(out, 1.0 / out.size, weight)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """The mean over rows of -Σ_k t_k log softmax(a)_k, for class indices y (n,).

    The targets are t = (1 - s) e_y + s / outputs, with s = `label_smoothing` in [0, 1) and e_y 1 at the true
    class, 0 elsewhere (Szegedy et al. 2016, section 7). Without smoothing it is -log softmax(a)_y (Bishop 2006,
    eq. 4.108).
    """

    name = "cross_entropy"
    tasks = ("classification",)
    fused_with = "softmax"
    takes_classes = True
    label_smoothing: Fraction = 0.0

    def value(self, a: Array, h: Array, y: Array, weight: Array | None, scratch: Array) -> float:
        """From -log softmax(a)_k = log Σ exp(a) - a_k.

        For every k, log Σ exp(a) = a_k - log h_k; it is computed at the row's largest h, which is at least
        1/outputs, so its log is accurate and no exponential is computed twice.
        """
        log_sum = a.max(axis=1) - np.log(h.max(axis=1))
        losses = log_sum - a[np.arange(len(y)), y]
        if self.label_smoothing:
            losses *= 1 - self.label_smoothing
            losses += self.label_smoothing * (log_sum - a.mean(axis=1))
        return _mean(losses, weight)

    def gradient(self, a: Array, h: Array, y: Array, weight: Array | None, out: Array) -> None:
        """At a: (h - t) / n."""
        np.subtract(h, self.label_smoothing / h.shape[1], out)
        out[np.arange(len(y)), y] -= 1 - self.label_smoothing
        _scale(out, 1.0 / len(y), weight)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """The mean over rows and outputs of -t log h - (1 - t) log(1 - h), for h = logistic(a) and y in [0, 1].

    The outputs are independent, so a row of y (n, outputs) may have several ones (Bishop 2006, eq. 4.90).
    The targets are t = y (1 - s) + s / 2, with s = `label_smoothing` in [0, 1) (Szegedy et al. 2016, section 7).
    """

    name = "binary_cross_entropy"
    tasks = ("classification", "multi_label")
    fused_with = "logistic"
    label_smoothing: Fraction = 0.0

    def value(self, a: Array, h: Array, y: Array, weight: Array | None, scratch: Array) -> float:
        """From logits: log(1 + exp(a)) - a y = a (1[a > 0] - y) + log(1 + exp(-|a|)).

        So no exponential overflows, and no large terms cancel. Smoothing scales the first term by 1 - s and adds
        s |a| / 2.
        """
        np.heaviside(a, 0.0, scratch)
        scratch -= y
        scratch *= a
        linear = _mean(scratch, weight)
        np.abs(a, scratch)
        absolute = _mean(scratch, weight)
        np.negative(scratch, scratch)
        np.exp(scratch, scratch)
        np.log1p(scratch, scratch)
        s = self.label_smoothing
        return (1 - s) * linear + s / 2 * absolute + _mean(scratch, weight)

    def gradient(self, a: Array, h: Array, y: Array, weight: Array | None, out: Array) -> None:
        """At a: (h - t) / (n outputs)."""
        np.multiply(y, self.label_smoothing - 1, out)
        out += h
        out -= self.label_smoothing / 2
        _scale(out, 1.0 / out.size, weight)


@dataclass(frozen=True)
class Poisson(Loss):
    """The mean over rows and outputs of h - y a, for h = exp(a) and counts y, which are not negative.

    It is -log of the Poisson probability of y, without the constant log y!, so it may be negative (McCullagh and
    Nelder 1989, Generalized Linear Models, section 6.3).
    """

    name = "poisson"
    tasks = ("regression",)
    fused_with = "exponential"
    takes_counts = True

    def value(self, a: Array, h: Array, y: Array, weight: Array | None, scratch: Array) -> float:
        np.multiply(y, a, scratch)
        np.subtract(h, scratch, scratch)
        return _mean(scratch, weight)

    def gradient(self, a: Array, h: Array, y: Array, weight: Array | None, out: Array) -> None:
        """At a: (h - y) / (n outputs)."""
        np.subtract(h, y, out)
        _scale(out, 1.0 / out.size, weight)


def _mean(losses: Array, weight: Array | None) -> float:
    """The mean of `losses`, (n,) or (n, outputs), each row's multiplied by its weight."""
    return float((losses if weight is None else weight @ losses).sum()) / losses.size


def _scale(out: Array, factor: float, weight: Array | None) -> None:
    out *= factor
    if weight is not None:
        out *= weight[:, None]


LOSSES: dict[str, type[Any]] = {
    loss.name: loss for loss in (CrossEntropy, BinaryCrossEntropy, SquaredError, AbsoluteError, Huber, Poisson)
}
"""The first that goes with a task and an output activation is their default."""
