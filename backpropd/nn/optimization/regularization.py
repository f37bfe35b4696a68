"""Regularization: penalties, decay and bounds of weights and gradients, in place, over views of theta and its gradient.

A step is, in this order: the loss's gradient, `add_penalty_gradient`, `clip`, `decay`, the optimizer's step,
`constrain`. All but `clip` apply to weight matrices only, not to biases, scales and shifts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backpropd.nn.layout import Array, Layout
from backpropd.nn.optimization.optimizers import blocks


def weight_matrices(layout: Layout, vector: Array) -> list[Array]:
    """The weights (fan_in, fan_out) of every layer, or their gradients: views of `vector` (P,), in its order."""
    return [view for view in layout.views(vector).values() if view.ndim == 2]


@dataclass(frozen=True)
class Regularization:
    """The regularization of a training; each field is off at its default. None is negative.

    `l1` and `l2` are penalties added to the loss (Goodfellow et al. 2016, Deep Learning, section 7.1; PyTorch's
    weight_decay for SGD is 2 `l2`). `weight_decay` is decoupled from the gradient (Loshchilov and Hutter 2019).
    `max_norm` is the largest L2 norm of a unit's incoming weights (Srivastava et al. 2014, section 5.1),
    `clip_norm` that of the whole gradient (Pascanu, Mikolov, Bengio 2013, algorithm 1), `clip_value` the largest
    absolute value of its components.
    """

    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    max_norm: float | None = None
    clip_norm: float | None = None
    clip_value: float | None = None

    def penalty(self, weights: Sequence[Array]) -> float:
        """l1 Σ|w| + l2 Σ w², over all numbers of all matrices (fan_in, fan_out)."""
        total = 0.0
        if self.l1 or self.l2:
            for (w,) in _blocks_of(weights):
                total += self.l1 * float(np.abs(w).sum()) + self.l2 * float(np.dot(w, w))
        return total

    def add_penalty_gradient(self, weights: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Add l1 sign(w) + 2 l2 w, which is zero at w = 0, to the gradients of the same shapes."""
        if self.l1 or self.l2:
            for w, g in _blocks_of(weights, gradients):
                g += self.l1 * np.sign(w) + 2 * self.l2 * w

    def clip(self, gradient: Array) -> None:
        """Clip each component of the gradient (P,) to ±clip_value, then scale it to an L2 norm of at most clip_norm.

        A gradient whose norm is not finite is not scaled: `fit` detects it later.
        """
        if self.clip_value is not None:
            np.clip(gradient, -self.clip_value, self.clip_value, out=gradient)
        if self.clip_norm is not None:
            length = _length(gradient)
            if self.clip_norm < length < math.inf:
                gradient *= self.clip_norm / length

    def decay(self, weights: Sequence[Array], learning_rate: float) -> None:
        """w ← (1 - η weight_decay) w, before the optimizer's step of the same learning rate η."""
        if self.weight_decay:
            for w in weights:
                w *= 1 - learning_rate * self.weight_decay

    def constrain(self, weights: Sequence[Array]) -> None:
        """Scale each unit's incoming weights, a column of (fan_in, fan_out), to a norm of at most max_norm."""
        if self.max_norm is not None:
            for w in weights:
                lengths = np.sqrt(np.einsum("ij,ij->j", w, w))  # (fan_out,)
                w *= self.max_norm / np.maximum(lengths, self.max_norm)


def _length(vector: Array) -> float:
    """The L2 norm, block by block; no square overflows."""
    return math.hypot(*(_block_length(block) for (block,) in blocks(vector)))


def _block_length(block: Array) -> float:
    largest = float(np.abs(block).max())
    return largest * float(np.linalg.norm(block / largest)) if 0 < largest < math.inf else largest


def _blocks_of(*matrices: Sequence[Array]) -> list[tuple[Array, ...]]:
    """Flat blocks of corresponding matrices, side by side."""
    return [block for group in zip(*matrices, strict=True) for block in blocks(*(each.reshape(-1) for each in group))]
