"""`Engine`: the interface of what runs epochs of training, in NumPy or in compiled code."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.layout import Array

Permutations = NDArray[np.intp]
"""For each epoch the order in which it takes the rows (epochs, rows)."""

Outcome = Literal["complete", "interrupted", "diverged", "converged"]


class EngineResult(NamedTuple):
    """The statistics of the complete epochs, and why no more followed.

    `stats` (complete epochs, 3): the loss, which is the mean over the epoch's batches, each before its step and
    weighted by its rows; the mean of the batches' gradient norms; the validation loss, NaN without a validation set.
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
        epoch.
        """
