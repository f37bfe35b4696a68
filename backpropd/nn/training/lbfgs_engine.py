"""The engine for L-BFGS: an epoch is one iteration over all rows, with as many evaluations as its line search makes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Network
from backpropd.nn.layout import Array
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.line_search import Point
from backpropd.nn.optimization.regularization import weight_matrices
from backpropd.nn.training.divergence import first_not_finite
from backpropd.nn.training.engine import EngineResult, Outcome, Permutations
from backpropd.nn.training.epochs import FitRun


class Interrupted(Exception):
    """The interrupt was set before an evaluation."""


class LbfgsEngine:
    """Runs `LBFGS`; it implements `Engine`.

    Evaluations are in float64 whatever the network's dtype, because a line search compares losses that differ in their
    last digits: a float32 network's rows are stored twice, and its theta is the rounded point. The loss and gradient
    norm of an epoch are those of theta at its end.
    """

    steps_per_epoch = 1

    def __init__(self, run: FitRun) -> None:
        self.network, training_set, self.validation_set, training, self.state, _ = run
        self.regularization, self.optimizer = training.regularization, cast(LBFGS, training.optimizer)
        double = Network(replace(self.network.spec, dtype="float64"))
        self.training_set = double.batch(*training_set)
        self.theta, self.gradient = double.layout.zeros("float64"), np.zeros(double.parameters)
        self.workspace = double.workspace(self.theta, self.gradient, len(training_set.x))
        self.weights = weight_matrices(double.layout, self.theta)
        self.weight_gradients = weight_matrices(double.layout, self.gradient)
        self.last: Point | None = None

    @np.errstate(all="ignore")  # overflow is detected afterwards
    def run(self, permutations: Permutations, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """See `Engine`; permutations and rates are not used. An interrupt takes effect between two evaluations."""
        stats = np.full((len(permutations), 3), np.nan)
        for epoch, row in enumerate(stats):
            saved = self.state.theta.copy(), self.state.slots.copy()
            outcome = self._iterate(row, self.state.steps + epoch + 1, interrupt)
            if outcome in ("interrupted", "diverged"):
                self.state.theta[:], self.state.slots[:] = saved
                values = [(each.a, each.h) for each in self.workspace.layers]
                layer = first_not_finite(self.network.layout, self.theta, values) if outcome == "diverged" else None
                return EngineResult(stats[:epoch], outcome, layer)
            if outcome == "converged":
                return EngineResult(stats[: epoch + 1], outcome)
        return EngineResult(stats, "complete")

    def _iterate(self, stats: Array, iteration: int, interrupt: NDArray[np.int8]) -> Outcome:
        """Run one iteration, from 1, and fill its `stats` (3,)."""
        theta = self.state.theta
        try:
            evaluate = partial(self._evaluate, interrupt)
            end, converged = self.optimizer.iterate(evaluate, theta, self.state.slots, iteration)
        except Interrupted:
            return "interrupted"
        except FloatingPointError:
            return "diverged"
        stats[:2] = end.loss, math.sqrt(np.dot(end.gradient, end.gradient))
        if self.validation_set:
            stats[2] = self.network.evaluate(theta, self.validation_set)[0]
        finite = np.isfinite(stats if self.validation_set else stats[:2]).all() and np.isfinite(theta).all()
        return ("converged" if converged else "complete") if finite else "diverged"

    def _evaluate(self, interrupt: NDArray[np.int8], x: Array) -> Point:
        """The loss over all rows with its penalty, and the gradient; that of the last point is not computed again.

        Raises `FloatingPointError` if one of them is not finite, and `Interrupted`.
        """
        if self.last is None or not np.array_equal(self.last.x, x):
            if interrupt[0]:
                raise Interrupted
            self.theta[:] = x
            loss = self.network.loss_and_gradient(self.workspace, self.training_set, self.state.rng)
            self.regularization.add_penalty_gradient(self.weights, self.weight_gradients)
            loss += self.regularization.penalty(self.weights)
            if not (math.isfinite(loss) and np.isfinite(self.gradient).all()):
                raise FloatingPointError
            self.last = Point(x, loss, self.gradient.copy())
        return self.last
