"""L-BFGS over whole epochs: SciPy's routine, which is called anew for every evaluation and so can be paused.

`scipy.optimize.minimize` is a loop around this routine and keeps the routine's arrays to itself: taken up again, it has
lost its history. Here the arrays belong to the `State`, and a checkpoint holds them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Invalid, JobFailed
from backpropd.nn.feedforward.network import Batch, Network, Spec
from backpropd.nn.layout import Array
from backpropd.nn.optimization.optimizers import LBFGS
from backpropd.nn.optimization.regularization import weight_matrices
from backpropd.nn.optimization.schedules import Constant
from backpropd.nn.training.engines import EngineResult, Orders, Outcome, first_not_finite
from backpropd.nn.training.state import State
from backpropd.nn.training.training_config import Training

SIGNATURE = "setulb(m,x,l,u,nbd,f,g,factr,pgtol,wa,iwa,task,lsave,isave,dsave,maxls,ln_task)"
START, NEW_X, FG, CONVERGENCE, ABNORMAL = 0, 1, 3, 4, 8  # what the routine's `task` says, the first of its two numbers


class LbfgsEngine:
    """The engine for `LBFGS`: an epoch is one iteration over all rows, as many evaluations as its line search needs.

    Evaluations are in float64 whatever the network's dtype, because a line search compares losses that differ in their
    last digits; a float32 network's rows are held a second time for that, and theta is x rounded. The loss and gradient
    norm of an epoch are those of theta at its end.

    Where the line search finds no lower loss, not even along the gradient, the run has converged, too, as far as it
    can: rounding, or a kink of the loss, is in the way, and the epoch has changed nothing.
    """

    steps_per_epoch = 1

    def __init__(
        self,
        network: Network,
        training: Training,
        training_set: Batch,
        validation_set: Batch | None,
        state: State,
    ) -> None:
        """`state` was started for this optimizer. Raises `JobFailed` if SciPy's routine is not the one known here."""
        optimizer = training.optimizer
        assert isinstance(optimizer, LBFGS)  # noqa: S101 - for the type checker
        self.network, self.optimizer, self.regularization = network, optimizer, training.regularization
        self.validation_set, self.state, self.routine = validation_set, state, routine_of_scipy()
        numbers, integers = optimizer.memory(network.parameters)
        assert state.solver_numbers is not None and state.solver_integers is not None  # noqa: S101, PT018 - for the type checker
        self.memory = numbers.views(state.solver_numbers) | integers.views(state.solver_integers)
        self.x, self.task, self.gradient = self.memory["x"], self.memory["task"], np.zeros(network.parameters)
        self.bounds, self.bounded = np.zeros_like(self.x), np.zeros(network.parameters, np.int32)  # 0: it is not
        twin = Network(replace(network.spec, dtype="float64"))
        self.training_set = twin.batch(*training_set)
        self.workspace = twin.workspace(self.x, self.gradient, len(training_set.x))
        self.weights, self.slopes = (weight_matrices(twin.layout, vector) for vector in (self.x, self.gradient))

    @np.errstate(all="ignore")  # what overflows is found by looking
    def run(self, orders: Orders, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """See `Engine`; the order of the rows and the rates do not matter. Interrupted between two evaluations."""
        figures = np.full((len(orders), 3), np.nan)
        for number, row in enumerate(figures):
            mark = self.state.snapshot()
            outcome = self._iterate(row, interrupt)
            if outcome in ("interrupted", "diverged"):
                layers = [(each.a, each.h) for each in self.workspace.layers]
                layer = first_not_finite(self.network.layout, self.x, layers) if outcome == "diverged" else None
                self.state.restore_snapshot(mark)
                return EngineResult(figures[:number], outcome, layer)
            if outcome != "complete":
                return EngineResult(figures[: number + 1], outcome)
        return EngineResult(figures, "complete")

    def _iterate(self, figures: Array, interrupt: NDArray[np.int8]) -> Outcome:
        """From one x to the next, where the loss is lower, and on to where the next line search looks first."""
        loss = 0.0
        if self.task[0] != FG:  # it has not begun, or was over before it was told to go on
            self.task[0] = START
            self.x[:] = self.state.theta
            self._go_on(loss)
        while self.task[0] == FG:
            if interrupt[0]:
                return "interrupted"
            loss = self._evaluate()
            if not (math.isfinite(loss) and np.isfinite(self.gradient).all()):
                return "diverged"
            self._go_on(loss)
        if self.task[0] == ABNORMAL:  # x is again where the iteration began
            loss = self._evaluate()
        if not self._close(figures, loss):
            return "diverged"
        if self.task[0] == NEW_X:
            self._go_on(loss)
        outcomes: dict[int, Outcome] = {FG: "complete", CONVERGENCE: "converged", ABNORMAL: "converged"}
        return outcomes[int(self.task[0])]

    def _evaluate(self) -> float:
        """The loss at x over all rows, with its penalty; the gradient lands in `gradient`."""
        loss = self.network.loss_and_gradient(self.workspace, self.training_set, self.state.rng)
        self.regularization.add_penalty_gradient(self.weights, self.slopes)
        return loss + self.regularization.penalty(self.weights)

    def _go_on(self, loss: float) -> None:
        """Tell the routine the loss and gradient at x: it says in `task` what is next, and moves x there."""
        optimizer, held = self.optimizer, self.memory
        self.routine(
            optimizer.history, self.x, self.bounds, self.bounds, self.bounded, loss, self.gradient,
            optimizer.loss_tolerance / np.finfo(float).eps, optimizer.gradient_tolerance, held["wa"], held["iwa"],
            self.task, held["lsave"], held["isave"], held["dsave"], optimizer.max_line_search, held["ln_task"],
        )  # fmt: skip

    def _close(self, figures: Array, loss: float) -> bool:
        """Theta and the figures at the iteration's end; False if one is not finite."""
        theta = self.state.theta
        theta[:] = self.x
        figures[:2] = loss, math.sqrt(np.dot(self.gradient, self.gradient))
        if self.validation_set:
            figures[2] = self.network.evaluate(theta, self.validation_set)[0]
        watched = figures if self.validation_set else figures[:2]
        return bool(np.isfinite(watched).all() and np.isfinite(theta).all())


def routine_of_scipy() -> Callable[..., None]:
    """SciPy's `setulb`, which is the same from 1.15, where it was rewritten in C, to 1.18, and is no public name.

    Raises `JobFailed` if this SciPy has none, or one that takes other arguments.
    """
    try:
        from scipy.optimize._lbfgsb import setulb
    except ImportError:
        setulb = None
    if not str(getattr(setulb, "__doc__", "")).replace(" ", "").startswith(SIGNATURE):
        raise JobFailed("this SciPy has not the L-BFGS-B routine that lbfgs calls: install SciPy 1.15 to 1.18")
    routine: Callable[..., None] = setulb
    return routine


def refuse_for_lbfgs(spec: Spec, training: Training, rows: int) -> None:
    """Raise `Invalid` with the reason for what lbfgs cannot mean, on so many training rows."""
    held, optimizer = training.regularization, training.optimizer
    assert isinstance(optimizer, LBFGS)  # noqa: S101 - for the type checker
    normalizations = {layer.normalization for layer in spec.layers}
    refused = {
        "history and max_line_search are whole numbers from 1 up": min(optimizer.history, optimizer.max_line_search)
        < 1,
        "its tolerances are not negative": min(optimizer.gradient_tolerance, optimizer.loss_tolerance) < 0,
        f"its gradient is that of all rows, so let batch_size be all {rows} of them": training.batch_size < rows,
        "a line search chooses its steps, so leave the schedule constant": training.schedule != Constant(),
        "it runs in NumPy and SciPy, so let the engine be numpy": training.engine != "numpy",
        "l1 has no derivative at 0, where it leads the weights: use l2": held.l1 > 0,
        "weight_decay belongs to a step of gradient descent: use l2": held.weight_decay > 0,
        "max_norm moves theta away from the line that is searched: use l2": held.max_norm is not None,
        "a line search needs the gradient as it is, not clipped": (held.clip_norm, held.clip_value) != (None, None),
        "dropout makes the loss random, and a line search compares losses": any(each.dropout for each in spec.layers),
        "batch normalization remembers the points a line search rejects: use layer": "batch" in normalizations,
    }
    for reason, holds in refused.items():
        if holds:
            raise Invalid(f"lbfgs does not go with these settings: {reason}")
