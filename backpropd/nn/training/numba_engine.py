"""The compiled engine: runs epochs with the kernels, in arrays allocated once per run."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Batch
from backpropd.nn.kernels import epochs
from backpropd.nn.kernels.arguments import Workspace, layer_records, padded, segment_records, settings_record
from backpropd.nn.layout import Array
from backpropd.nn.training.engine import EngineResult, Outcome, Permutations, first_not_finite
from backpropd.nn.training.epochs import FitRun

MIN_VALIDATION_BATCH = 128  # rows
OUTCOMES: tuple[Outcome, ...] = ("complete", "interrupted", "diverged")  # `epochs.COMPLETE` and so on

DataSet = tuple[Array, NDArray[np.int64], Array, Array]
"""x (n, inputs), class indices (n,), targets (n, outputs), weights (n,); what the loss does not use is empty."""


class NumbaEngine:
    """The fast engine: its results are those of `NumpyEngine`, except for rounding."""

    def __init__(self, run: FitRun) -> None:
        """A batch size of all the rows or more means full batches; an epoch's last batch may be smaller."""
        network, training_set, validation_set, training, state, *_ = run
        self.network, self.state = network, state
        rows, dtype = len(training_set.x), state.theta.dtype
        batch_size = min(training.batch_size, rows)
        self.steps_per_epoch = -(-rows // batch_size)
        self.has_validation = validation_set is not None
        no_rows = Batch(training_set.x[:0], training_set.y[:0])
        self.sets = _data_set(training_set, dtype), _data_set(validation_set or no_rows, dtype)
        self.validation_rows = np.arange(len(self.sets[1][0]))
        lanes = padded(max(batch_size, MIN_VALIDATION_BATCH) if self.has_validation else batch_size)
        self.layers, size = layer_records(network, lanes)
        self.segments = segment_records(network)
        self.settings = settings_record(network, training.optimizer, training.regularization, batch_size)[0]
        self.workspace = Workspace.allocate(network, dtype, lanes, size)
        self.gradient = np.zeros(network.parameters, dtype)
        self.snapshot = np.empty_like(state.theta), np.empty_like(state.slots)

    def run(self, permutations: Permutations, rates: Array, interrupt: NDArray[np.int8]) -> EngineResult:
        """See `Engine`."""
        state, stats = self.state, np.full((len(permutations), 4), np.nan if self.has_validation else 0.0)
        done, outcome = epochs.train(
            *self.sets, self.validation_rows, permutations, rates, state.theta, self.gradient, state.slots,
            self.snapshot, self.layers, self.segments, self.settings, self.workspace, stats, interrupt, state.rng,
            state.steps,
        )  # fmt: skip
        layer = None
        if outcome == epochs.DIVERGED:
            layer = first_not_finite(self.network.layout, state.theta, list(self._values()))
            state.theta[:], state.slots[:] = self.snapshot
        return EngineResult(stats[:done], OUTCOMES[outcome], layer)

    def _values(self) -> Iterator[tuple[Array, Array]]:
        """Each layer's a and h (units, rows) of the last batch."""
        values, rows = self.workspace.values, int(self.workspace.batch_rows[0])
        lanes = padded(rows)
        for record in self.layers:
            size = record["fan_out"] * lanes
            a, h = (values[start : start + size].reshape(-1, lanes) for start in (record["a"], record["h"]))
            yield a[:, :rows], h[:, :rows]


def _data_set(batch: Batch, dtype: np.dtype[Any]) -> DataSet:
    weight = np.zeros(0, dtype) if batch.weight is None else batch.weight
    if batch.y.ndim == 1:
        return batch.x, batch.y.astype(np.int64, copy=False), np.zeros((0, 0), dtype), weight
    return batch.x, np.zeros(0, np.int64), batch.y, weight
