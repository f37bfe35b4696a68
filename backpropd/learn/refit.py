"""The refit: after early stopping a network is trained again on all rows, for as many epochs as the best one had."""

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.learn.network_kinds.base import FitInputs, ResolvedSpec
from backpropd.nn.layout import Array


class RefitInterrupted(Exception):
    """The run was interrupted during its refit, which has to begin anew."""


def refitted_theta(
    spec: ResolvedSpec, rows: nn.Batch, epochs: int, seed: np.random.SeedSequence, interrupt: NDArray[np.int8]
) -> Array:
    """Theta (size,) after `epochs` epochs over the rows, from the start that `seed` gives.

    The schedule is that of the whole run, so that every epoch has the learning rates that it had before. Raises
    `errors.Diverged`, and `RefitInterrupted` between two batches once `interrupt[0]` is set.
    """
    network = spec.without_stopping_rules().build(rows.x.shape[1])
    state = network.start(np.random.default_rng(seed))
    inputs = FitInputs(rows, None, state, None, interrupt, lambda: 0.0)
    chunks = network.epoch_chunks(inputs, max_epochs=1)
    while state.epoch < epochs and next(chunks, None):
        pass
    if interrupt[0] and state.epoch < epochs and state.stop_reason is None:
        raise RefitInterrupted
    return state.theta


def joined(first: nn.Batch, second: nn.Batch) -> nn.Batch:
    """The rows of both; rows without weights have the weight 1."""
    weight = None
    if first.weight is not None or second.weight is not None:
        weight = np.concatenate([_weight(first), _weight(second)])
    return nn.Batch(np.concatenate([first.x, second.x]), np.concatenate([first.y, second.y]), weight)


def _weight(batch: nn.Batch) -> NDArray[np.floating]:
    return np.ones(len(batch.x), batch.x.dtype) if batch.weight is None else batch.weight
