"""The refit: after early stopping a network is trained again on all rows, for as many epochs as the best one had."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.learn.network_kinds.base import FitInputs, ResolvedSpec


def refit_epochs(
    spec: ResolvedSpec, rows: nn.Batch, state: nn.State, epochs: int, interrupt: NDArray[np.int8]
) -> Iterator[None]:
    """Continue the refit from its `state`, which is changed in place, up to `epochs`; yield after each epoch.

    The schedule is that of the whole run, so that every epoch has the learning rates that it had before. Setting
    `interrupt[0]` ends the generator between two batches, with the state of the last epoch. Raises `errors.Diverged`.
    """
    network = spec.without_stopping_rules().build(rows.x.shape[1])
    chunks = network.epoch_chunks(FitInputs(rows, None, state, None, interrupt, lambda: 0.0), max_epochs=1)
    while state.epoch < epochs and next(chunks, None):
        yield


def joined(first: nn.Batch, second: nn.Batch) -> nn.Batch:
    """The rows of both; rows without weights have the weight 1."""
    weight = None
    if first.weight is not None or second.weight is not None:
        weight = np.concatenate([_weight(first), _weight(second)])
    return nn.Batch(np.concatenate([first.x, second.x]), np.concatenate([first.y, second.y]), weight)


def _weight(batch: nn.Batch) -> NDArray[np.floating]:
    return np.ones(len(batch.x), batch.x.dtype) if batch.weight is None else batch.weight
