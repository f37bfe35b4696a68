"""The engine for L-BFGS: an epoch is one iteration over all rows, with as many evaluations as its line search makes."""

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
from backpropd.nn.training.engine import NumpyEpochs, Outcome
from backpropd.nn.training.epochs import FitRun


class Interrupted(Exception):
    """The interrupt was set before an evaluation."""


class LbfgsEngine(NumpyEpochs):
    """Runs `LBFGS`: the loss and gradient norm of an epoch are those of theta at its end.

    Evaluations are in float64 whatever the network's dtype, because a line search compares losses that differ in their
    last digits: a float32 network's rows are stored twice, and its theta is the rounded point.
    """

    steps_per_epoch = 1

    def __init__(self, run: FitRun) -> None:
        super().__init__(run, run.network.layout.zeros("float64"))
        self.optimizer = cast(LBFGS, run.training.optimizer)
        double = Network(replace(self.network.spec, dtype="float64"))
        self.training_set = double.batch(*self.training_set)
        self.workspace = double.workspace(self.theta, self.gradient, len(self.training_set.x))
        self.last: Point | None = None

    def _run_epoch(
        self, permutation: NDArray[np.intp], rates: Array, stats: Array, first_step: int, interrupt: NDArray[np.int8]
    ) -> Outcome:
        """Run one iteration. An interrupt takes effect between two evaluations."""
        try:
            evaluate = partial(self._evaluate, interrupt)
            end, converged = self.optimizer.iterate(evaluate, self.state.theta, self.state.slots, first_step)
        except Interrupted:
            return "interrupted"
        except FloatingPointError:
            return "diverged"
        stats[:2] = end.loss, math.sqrt(np.dot(end.gradient, end.gradient))
        return "converged" if converged else "complete"

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
