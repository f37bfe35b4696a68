"""Normalization of a layer's pre-activations, over the batch or over the units, with its derivative beside it.

z = h_below W + b becomes a = γ (z - mean) / √(variance + ε) + β, with a learned scale γ and shift β (units,).
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from backpropd.nn.layout import Array

NormalizationKind: TypeAlias = Literal["batch", "layer"]
EPSILON = 1e-5  # added to the variance
MOMENTUM = 0.1  # the share of a batch's statistics in the running ones


class Normalization(NamedTuple):
    """Parameters and statistics, as views of theta, and a buffer for n rows.

    Over the batch (Ioffe and Szegedy 2015, algorithms 1 and 2) each unit uses the statistics of the batch in training,
    and running ones (units,) at prediction, whose variance is unbiased, as in PyTorch. Over the units (Ba, Kiros,
    Hinton 2016) each row uses its own statistics: `mean` and `variance` are None.
    """

    scale: Array  # (units,)
    shift: Array  # (units,)
    mean: Array | None  # (units,), running
    variance: Array | None  # (units,), running
    normalized: Array  # (n, units)

    def forward(self, a: Array, *, training: bool) -> Array:
        """Normalize a (n, units) in place. Return 1 / √(variance + ε), which `backward` needs."""
        mean, variance = self._statistics(a, training=training)
        inverse_std: Array = 1 / np.sqrt(variance + np.asarray(EPSILON, a.dtype))
        np.subtract(a, mean, self.normalized)
        self.normalized[:] *= inverse_std
        np.multiply(self.normalized, self.scale, a)
        a += self.shift
        return inverse_std

    def _statistics(self, a: Array, *, training: bool) -> tuple[Array, Array]:
        if self.mean is None or self.variance is None:
            return a.mean(axis=1, keepdims=True), a.var(axis=1, keepdims=True)
        if not training:
            return self.mean, self.variance
        mean, variance = a.mean(axis=0), a.var(axis=0)
        unbiased = variance * (len(a) / max(len(a) - 1, 1))
        self.mean[:] += MOMENTUM * (mean - self.mean)
        self.variance[:] += MOMENTUM * (unbiased - self.variance)
        return mean, variance

    def backward(self, grad_a: Array, inverse_std: Array, grad_scale: Array, grad_shift: Array) -> None:
        """From the gradient at a (n, units) to that at z, in place, and to those at γ and β (units,).

        With x the normalized z and g = γ ∂L/∂a, ∂L/∂z = (g - mean(g) - x mean(g x)) / √(variance + ε), with the means
        over the same axis as the normalization (Ioffe and Szegedy 2015, section 3).
        """
        axis = 1 if self.mean is None else 0
        x = self.normalized
        np.einsum("ij,ij->j", grad_a, x, out=grad_scale)
        grad_a.sum(axis=0, out=grad_shift)
        grad_a *= self.scale
        mean_gx = (grad_a * x).mean(axis=axis, keepdims=True)
        grad_a -= grad_a.mean(axis=axis, keepdims=True)
        grad_a -= x * mean_gx
        grad_a *= inverse_std
