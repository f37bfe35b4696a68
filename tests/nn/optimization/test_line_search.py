"""The line search ends at points that satisfy the strong Wolfe conditions, and L-BFGS has the H of the BFGS formula."""

from collections.abc import Callable

import numpy as np
import pytest

from backpropd.nn.optimization.lbfgs import inverse_hessian_product
from backpropd.nn.optimization.line_search import CURVATURE, SUFFICIENT_DECREASE, Point, wolfe_point
from tests.nn.data import Array

FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "quadratic": (lambda x: (x - 3) ** 2, lambda x: 2 * (x - 3)),
    "wavy": (lambda x: 0.1 * x * x - np.sin(3 * x), lambda x: 0.2 * x - 3 * np.cos(3 * x)),
    "flat far away": (lambda x: -x / (x * x + 2), lambda x: (x * x - 2) / (x * x + 2) ** 2),
    "steep": (lambda x: np.exp(4 * x) - 8 * x, lambda x: 4 * np.exp(4 * x) - 8),
}


class Counted:
    """A function of one variable, which counts its evaluations."""

    def __init__(self, name: str) -> None:
        self.value, self.slope = FUNCTIONS[name]
        self.evaluations = 0

    def __call__(self, x: Array) -> Point:
        self.evaluations += 1
        return Point(x, float(self.value(x[0])), np.array([self.slope(x[0])]))


@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_strong_wolfe_conditions_hold_at_the_end(name: str, step: float) -> None:
    function = Counted(name)
    start = function(np.zeros(1))
    end = wolfe_point(function, start, -start.gradient, step, 20)
    assert end is not None
    length, slope = (end.x / -start.gradient)[0], -float(start.gradient @ start.gradient)
    assert end.loss <= start.loss + SUFFICIENT_DECREASE * length * slope
    assert abs(end.gradient @ -start.gradient) <= CURVATURE * abs(slope)
    assert function.evaluations <= 1 + 12


def test_without_evaluations_left_it_is_the_lowest_point_with_a_sufficient_decrease() -> None:
    function = Counted("quadratic")
    start = function(np.zeros(1))
    end = wolfe_point(function, start, -start.gradient, 1e-4, 2)
    assert end is not None
    assert 0 < end.x[0] < 0.1
    assert function.evaluations == 3
    assert wolfe_point(function, start, -start.gradient, 10.0, 1) is None


def test_a_direction_of_ascent_is_not_searched() -> None:
    function = Counted("quadratic")
    start = function(np.zeros(1))
    assert wolfe_point(function, start, start.gradient, 1.0, 20) is None
    assert function.evaluations == 1


def test_the_two_loop_recursion_is_the_bfgs_formula() -> None:
    rng = np.random.default_rng(0)
    curvature = rng.standard_normal((6, 6))
    curvature = curvature @ curvature.T + np.eye(6)
    moves = rng.standard_normal((4, 6))
    pairs = [(s, curvature @ s) for s in moves]  # the newest first
    s, y = pairs[0]
    inverse = np.eye(6) * (s @ y) / (y @ y)
    for s, y in reversed(pairs):
        rho = 1 / (s @ y)
        left = np.eye(6) - rho * np.outer(s, y)
        inverse = left @ inverse @ left.T + rho * np.outer(s, s)  # Nocedal and Wright 2006, eq. 7.16
    gradient = rng.standard_normal(6)
    np.testing.assert_allclose(inverse_hessian_product(pairs, gradient), inverse @ gradient, rtol=1e-10)
