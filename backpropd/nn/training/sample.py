"""Measurements that end in time: on every row, or once the time of the training is up on a sample of them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Batch
from backpropd.nn.interrupts import TIME_IS_UP
from backpropd.nn.layout import Array

MULTIPLY_ADDS = 500_000_000  # of a forward pass over a sample: a tenth of a second on a slow core
MIN_ROWS, MAX_ROWS = 100, 200_000
BLOCK_ROWS = 8192  # between two looks at the interrupt


class Predictor(Protocol):
    """What has outputs (n, outputs) for rows x (n, inputs)."""

    def predict(self, theta: Array, x: Array) -> Array: ...


def sample(batch: Batch, parameters: int) -> Batch:
    """A sample at equal distances, small enough for a quick prediction by this network; all rows if they are few."""
    rows = len(batch.x)
    count = min(max(MULTIPLY_ADDS // max(parameters, 1), MIN_ROWS), MAX_ROWS)
    if count >= rows:
        return batch
    chosen = np.linspace(0, rows - 1, count).astype(np.intp)
    return Batch(*(None if array is None else array[chosen] for array in batch))  # type: ignore[arg-type]  # None stays where it may stand


def outputs_in_time(network: Predictor, theta: Array, batch: Batch, interrupt: NDArray[np.int8]) -> tuple[Batch, Array]:
    """The rows and their outputs (n, outputs): those of the batch, or of a `sample` once `TIME_IS_UP`."""
    blocks = []
    for start in range(0, len(batch.x), BLOCK_ROWS):
        if interrupt[0] == TIME_IS_UP:
            batch = sample(batch, theta.size)
            return batch, network.predict(theta, batch.x)
        blocks.append(network.predict(theta, batch.x[start : start + BLOCK_ROWS]))
    return batch, blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
