"""A line search: how far to move along a direction, so that the strong Wolfe conditions hold."""

import math
from collections.abc import Callable
from typing import NamedTuple

from backpropd.nn.layout import Array

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of Nocedal and Wright 2006, section 3.1
MAX_GROWTH = 4.0  # of the step from one trial to the next, while no upper end of the interval is known
MARGIN = 0.1  # of the interval, at either end of it, where no trial is made


class Point(NamedTuple):
    """A point x (P,), with the loss and its gradient (P,) there."""

    x: Array
    loss: float
    gradient: Array


class Trial(NamedTuple):
    """A step along the direction, the point it leads to, and the loss's derivative along the direction there."""

    step: float
    point: Point
    slope: float

    @property
    def loss(self) -> float:
        return self.point.loss


def wolfe_point(
    evaluate: Callable[[Array], Point], start: Point, direction: Array, step: float, max_evaluations: int
) -> Point | None:
    """A point along `direction` (P,) from `start` for which the strong Wolfe conditions hold; `step` is tried first.

    Nocedal and Wright 2006, algorithms 3.5 and 3.6 in one loop: `low` is the lowest trial with a sufficient decrease
    and `high`, once it is known, the other end of an interval that contains such a point. After `max_evaluations` it
    is `low`, or None if no trial decreased the loss sufficiently. None also if `direction` is not one of descent.
    """
    origin = low = Trial(0.0, start, float(direction @ start.gradient))
    high: Trial | None = None
    if not origin.slope < 0:
        return None
    for _ in range(max_evaluations):
        point = evaluate(start.x + step * direction)
        trial = Trial(step, point, float(direction @ point.gradient))
        enough = origin.loss + SUFFICIENT_DECREASE * step * origin.slope
        if trial.loss > enough or trial.loss >= low.loss:
            high, step = trial, _between(low, trial)
            continue
        if abs(trial.slope) <= -CURVATURE * origin.slope:
            return trial.point
        if trial.slope * ((high.step if high else math.inf) - low.step) >= 0:
            high = low
        previous, low = low, trial
        step = _between(low, high) if high else _beyond(previous, low)
    return None if low is origin else low.point


def _between(low: Trial, high: Trial) -> float:
    """The minimizer of the cubic through both ends of the interval, but not too near to either of them."""
    margin = MARGIN * (high.step - low.step)
    ends = sorted((low.step + margin, high.step - margin))
    return min(max(_cubic_minimizer(low, high), ends[0]), ends[1])


def _beyond(previous: Trial, last: Trial) -> float:
    """The minimizer of the cubic through two trials, but further than the last one, and not much further."""
    shortest, longest = last.step + MARGIN * (last.step - previous.step), MAX_GROWTH * last.step
    minimizer = _cubic_minimizer(previous, last)
    return longest if minimizer <= last.step else min(max(minimizer, shortest), longest)


def _cubic_minimizer(a: Trial, b: Trial) -> float:
    """Of the cubic with the losses and slopes of both trials (Nocedal and Wright 2006, eq. 3.59); else their middle."""
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if square >= 0:
        d2 = math.copysign(math.sqrt(square), b.step - a.step)
        denominator = b.slope - a.slope + 2 * d2
        if denominator:
            return b.step - (b.step - a.step) * (b.slope + d2 - d1) / denominator
    return (a.step + b.step) / 2
