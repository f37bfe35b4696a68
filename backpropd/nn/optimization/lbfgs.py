"""L-BFGS: a quasi-Newton method that remembers the last moves of theta, and what each did to the gradient."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Le

from backpropd.errors import Invalid
from backpropd.nn.hyperparameter_bounds import Tolerance
from backpropd.nn.layout import Array
from backpropd.nn.optimization.line_search import Point, wolfe_point

EPSILON = float(np.finfo(np.float64).eps)

Pairs: TypeAlias = list[tuple[Array, Array]]
"""Changes s of theta and y of the gradient, the newest first."""


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS with a line search (Nocedal and Wright 2006, algorithm 7.5): an epoch is one iteration.

    It moves along -H g, where H approximates the inverse Hessian by the last `history` changes of theta and of the
    gradient; a line search finds the length of the move with at most `max_line_search` evaluations of the loss. It has
    converged once no component of the gradient exceeds `gradient_tolerance`, or an iteration lowers the loss f by no
    more than `loss_tolerance` max(|f before|, |f after|, 1): so also if the line search finds no lower loss, not even
    along the gradient. The defaults are SciPy's.

    `slots` (1 + 2 history, P) are float64: the point in full precision, of which theta is the rounded value, the
    changes s of theta, and the changes y of the gradient. Iteration t writes row t modulo history of both.
    """

    scale_free: ClassVar[bool] = False
    full_batch: ClassVar[Literal[True]] = True
    slots_dtype: ClassVar[str] = "float64"
    name: ClassVar[str] = "lbfgs"
    default_weight_decay: ClassVar[float] = 0.0
    learning_rate: ClassVar[float] = 1.0  # the share of -H g tried first (Nocedal and Wright 2006, section 7.2)
    history: Annotated[int, Ge(1), Le(100)] = 10
    max_line_search: Annotated[int, Ge(1), Le(1000)] = 20
    gradient_tolerance: Tolerance = 1e-5
    loss_tolerance: Tolerance = 1e7 * 2.0**-52

    def __post_init__(self) -> None:
        """Raise `Invalid` for hyper-parameters out of bounds."""
        if min(self.history, self.max_line_search) < 1:
            raise Invalid("lbfgs: history and max_line_search must be whole numbers of at least 1")
        if min(self.gradient_tolerance, self.loss_tolerance) < 0:
            raise Invalid("lbfgs: its tolerances are not negative")

    @property
    def slots(self) -> int:
        return 1 + 2 * self.history

    def iterate(self, evaluate: Callable[[Array], Point], theta: Array, slots: Array, t: int) -> tuple[Point, bool]:
        """Move `theta` (P,) in place, by iteration t, from 1; return the new point and whether the run has converged.

        `evaluate(x)` returns the loss and its gradient at x (P,), float64. If it raises, `theta` and `slots` are
        undefined.
        """
        x, memory = slots[0], slots[1:]
        if not np.array_equal(x.astype(theta.dtype), theta):  # at the start, and for a theta set by the caller
            x[:] = theta
        start = evaluate(x.copy())
        end = start if self._is_stationary(start) else self._search(evaluate, start, memory, t)
        s, y = self._pairs(memory, t)[0]
        s[:], y[:] = end.x - start.x, end.gradient - start.gradient
        if not s @ y > EPSILON * (y @ y):  # without positive curvature H would not be positive definite
            s[:] = y[:] = 0
        x[:] = theta[:] = end.x
        tolerance = self.loss_tolerance * max(abs(start.loss), abs(end.loss), 1.0)
        return end, self._is_stationary(end) or start.loss - end.loss <= tolerance

    def _is_stationary(self, point: Point) -> bool:
        return bool(np.abs(point.gradient).max() <= self.gradient_tolerance)

    def _search(self, evaluate: Callable[[Array], Point], start: Point, memory: Array, t: int) -> Point:
        """The end of a line search along -H g, or else along -g with the memory erased; `start` if both fail."""
        if pairs := [(s, y) for s, y in self._pairs(memory, t - 1) if y.any()]:
            direction = -inverse_hessian_product(pairs, start.gradient)
            if end := wolfe_point(evaluate, start, direction, self.learning_rate, self.max_line_search):
                return end
            memory[:] = 0
        unit_length = float(1 / np.linalg.norm(start.gradient))
        return wolfe_point(evaluate, start, -start.gradient, unit_length, self.max_line_search) or start

    def _pairs(self, memory: Array, t: int) -> Pairs:
        """Views of the memory's pairs as of iteration t; those not written yet are zero."""
        s, y = memory[: self.history], memory[self.history :]
        return [(s[row % self.history], y[row % self.history]) for row in range(t, t - self.history, -1)]


def inverse_hessian_product(pairs: Pairs, gradient: Array) -> Array:
    """H g (P,) by the two-loop recursion over at least one pair (Nocedal and Wright 2006, algorithm 7.4)."""
    q, alphas = gradient.copy(), []
    for s, y in pairs:
        alphas.append(s @ q / (s @ y))
        q -= alphas[-1] * y
    s, y = pairs[0]
    q *= s @ y / (y @ y)  # the initial H is this multiple of the identity (eq. 7.20)
    for (s, y), alpha in zip(reversed(pairs), reversed(alphas), strict=True):
        q += (alpha - y @ q / (s @ y)) * s
    return q
