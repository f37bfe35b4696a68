"""`Engine`: the interface of what runs epochs of training; `NumpyEpochs`: the loop of those that use NumPy."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.evaluation.metrics import error_rate
from backpropd.nn.feedforward.network import Workspace
from backpropd.nn.interrupts import TIME_IS_UP
from backpropd.nn.layout import Array, Layout
from backpropd.nn.optimization.regularization import weight_matrices
from backpropd.nn.training.epochs import FitRun

Permutations = NDArray[np.intp]
"""For each epoch the order in which it takes the rows (epochs, rows)."""

Outcome = Literal["complete", "interrupted", "diverged", "converged"]


class EngineResult(NamedTuple):
    """The statistics of the complete epochs, and why no more followed.

    `stats` (complete epochs, 4): the loss, which is the mean over the epoch's batches, each before its step and
    weighted by its rows; the mean of the batches' gradient norms; the validation loss and the share of validation rows
    that are predicted wrongly (`metrics.error_rate`; only of classes it means something), NaN without a validation set.
    With L-BFGS they are those of theta at the epoch's end, and `outcome` may be "converged": then all epochs in `stats`
    are complete and none is to follow. `layer` is the first one with values that are not finite, if the run diverged;
    None if only the loss is not finite.
    """

    stats: Array
    outcome: Outcome
    layer: str | None = None


class Engine(Protocol):
    """Runs epochs on the theta and slots of one `State`."""

    steps_per_epoch: int

    def run(self, permutations: Permutations, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """Run an epoch for each of `permutations`, with `rates` (epochs, steps_per_epoch) as learning rates.

        If it ends early, interrupted between two batches or diverged, theta and slots are those of the last complete
        epoch; but with `TIME_IS_UP` the first epoch of a run keeps the steps that it has made.
        """


class NumpyEpochs(ABC):
    """Runs epochs in NumPy; it implements `Engine`. A subclass sets `workspace`, that of the last pass."""

    steps_per_epoch: int
    workspace: Workspace

    def __init__(self, run: FitRun, theta: Array) -> None:
        """`theta` (size,) is what the passes read: that of the state, or a copy in another dtype."""
        self.network, self.training_set, self.validation_set, training, self.state, *_ = run
        self.regularization, self.theta = training.regularization, theta
        self.gradient = np.zeros(self.network.parameters, theta.dtype)
        self.rate_segments = self.network.rate_segments
        self.weights = weight_matrices(self.network.layout, theta)
        self.weight_gradients = weight_matrices(self.network.layout, self.gradient)

    @np.errstate(all="ignore")  # overflow is detected afterwards
    def run(self, permutations: Permutations, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """See `Engine`."""
        state, stats = self.state, np.full((len(permutations), 4), np.nan)
        for epoch, permutation in enumerate(permutations):
            saved = state.theta.copy(), state.slots.copy()
            first_step = state.steps + epoch * self.steps_per_epoch + 1
            outcome = self._run_epoch(permutation, rates[epoch], stats[epoch], first_step, interrupt)
            if outcome in ("complete", "converged") and not self._validate(stats[epoch]):
                outcome = "diverged"
            if outcome == "converged":
                return EngineResult(stats[: epoch + 1], outcome)
            if outcome != "complete":
                values = [(each.a, each.h) for each in self.workspace.layers]
                layer = first_not_finite(self.network.layout, self.theta, values) if outcome == "diverged" else None
                if not (outcome == "interrupted" and first_step == 1 and interrupt[0] == TIME_IS_UP):
                    state.theta[:], state.slots[:] = saved
                return EngineResult(stats[:epoch], outcome, layer)
        return EngineResult(stats, "complete")

    @abstractmethod
    def _run_epoch(
        self, permutation: NDArray[np.intp], rates: Array, stats: Array, first_step: int, interrupt: NDArray[np.int8]
    ) -> Outcome:
        """Run one epoch, and fill the first two of its `stats` (4,)."""

    def _validate(self, stats: Array) -> bool:
        """Measure the validation loss and error rate; False if one of `stats` (4,), or theta is not finite."""
        if self.validation_set:
            loss, h = self.network.evaluate(self.state.theta, self.validation_set)
            stats[2:] = loss, error_rate(h, self.validation_set.y)
        measured = stats if self.validation_set else stats[:2]
        return bool(np.isfinite(measured).all() and np.isfinite(self.state.theta).all())


def first_not_finite(layout: Layout, theta: Array, values: Sequence[tuple[Array, Array]]) -> str | None:
    """The first layer, as `layers.0`, whose values (a, h) or else whose parameters are not finite; None if all are."""
    for index, (a, h) in enumerate(values):
        if not (np.isfinite(a).all() and np.isfinite(h).all()):
            return f"layers.{index}"
    for name, view in layout.views(theta).items():
        if not np.isfinite(view).all():
            return name.rpartition(".")[0]
    return None
