"""The compiled engine: `Engine` over the kernels, with the arrays that they need made once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.kernels import epochs
from backpropd.nn.kernels.lanes import padded
from backpropd.nn.kernels.layer_records import records
from backpropd.nn.kernels.matmul.blocking import WORKSPACE
from backpropd.nn.kernels.settings_record import settings_record
from backpropd.nn.layout import Array
from backpropd.nn.training.divergence import first_not_finite
from backpropd.nn.training.engine import EngineResult, Permutations
from backpropd.nn.training.state import State
from backpropd.nn.training.training_config import Training

LEAST_BLOCK = 128  # rows of a validation set looked at together

Rows = tuple[Array, NDArray[np.int64], Array, Array]
"""x (n, inputs), class indices (n,) or none, targets (n, outputs) or none, weights (n,) or none."""


class NumbaEngine:
    """The engine for speed: the same figures as the readable one, but for rounding."""

    def __init__(
        self,
        network: Network,
        training: Training,
        training_set: Batch,
        validation_set: Batch | None,
        state: State,
    ) -> None:
        """A batch size of all the rows or more means full batches; the last batch of an epoch has what is left."""
        self.network, self.state = network, state
        rows, dtype = len(training_set.x), state.theta.dtype
        batch_size = min(training.batch_size, rows)
        self.steps_per_epoch = -(-rows // batch_size)
        self.has_validation = validation_set is not None
        nobody = Batch(training_set.x[:0], training_set.y[:0])
        self.sets = _rows_of(training_set, dtype), _rows_of(validation_set or nobody, dtype)
        self.everyone = np.arange(len(self.sets[1][0]))
        block = max(batch_size, LEAST_BLOCK) if self.has_validation else batch_size
        lanes = padded(block)
        self.layers, size = records(network, lanes)
        self.settings = settings_record(network, training.optimizer, training.regularization, batch_size)[0]
        widest = max(layer.units for layer in network.spec.layers)
        self.work = (
            np.zeros(size, dtype),
            np.zeros(widest * lanes, dtype),
            np.zeros(widest * lanes, dtype),
            np.zeros(network.spec.inputs * lanes, dtype),
            np.zeros(lanes, np.int64),
            np.zeros(network.outputs * lanes, dtype),
            np.zeros(lanes, dtype),
            np.zeros(2 * lanes, dtype),
            np.zeros(1, np.int64),
            np.zeros(2),
            np.zeros(WORKSPACE, dtype),
        )
        self.gradient = np.zeros(network.parameters, dtype)
        self.kept = np.empty_like(state.theta), np.empty_like(state.slots)

    def run(self, permutations: Permutations, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """See `Engine`."""
        state, figures = self.state, np.full((len(permutations), 3), np.nan if self.has_validation else 0.0)
        done, outcome = epochs.train(
            *self.sets, self.everyone, permutations, rates, state.theta, self.gradient, state.slots, self.kept,
            self.layers, self.settings, self.work, figures, interrupt, state.rng, state.steps,
        )  # fmt: skip
        layer = None
        if outcome == epochs.DIVERGED:
            layer = first_not_finite(self.network.layout, state.theta, list(self._values()))
            state.theta[:], state.slots[:] = self.kept
        named = {epochs.INTERRUPTED: "interrupted", epochs.DIVERGED: "diverged"}.get(outcome, "complete")
        return EngineResult(figures[:done], named, layer)  # type: ignore[arg-type]

    def _values(self) -> Iterator[tuple[Array, Array]]:
        """Each layer's a and h of the batch that came last."""
        buffer, rows = self.work[0], int(self.work[8][0])
        lanes = padded(rows)
        for record in self.layers:
            units = int(record["fan_out"])
            a, h = (buffer[start : start + units * lanes].reshape(units, lanes) for start in (record["a"], record["h"]))
            yield a[:, :rows], h[:, :rows]


def _rows_of(batch: Batch, dtype: np.dtype[Any]) -> Rows:
    x, y, weight = batch
    weights = np.zeros(0, dtype) if weight is None else weight
    if y.ndim == 1:
        return x, y.astype(np.int64, copy=False), np.zeros((0, 0), dtype), weights
    return x, np.zeros(0, np.int64), y, weights
