"""The refit: after early stopping a network is trained again on all rows, for as many epochs as the best one had."""

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.learn.network_kinds.base import FitInputs, ResolvedSpec
from backpropd.nn.layout import Array


def refitted_theta(
    spec: ResolvedSpec, training_set: nn.Batch, validation_set: nn.Batch, epochs: int, seed: np.random.SeedSequence
) -> Array:
    """Theta (size,) after `epochs` epochs over the rows of both sets, from the start that `seed` gives.

    The schedule is that of the whole run, so that every epoch has the learning rates that it had before. Raises
    `errors.Diverged`.
    """
    network = spec.without_stopping_rules().build(training_set.x.shape[1])
    state = network.start(np.random.default_rng(seed))
    rows, interrupt = joined(training_set, validation_set), np.zeros(1, np.int8)
    inputs = FitInputs(rows, None, state, None, interrupt, lambda: 0.0)
    chunks = network.epoch_chunks(inputs, max_epochs=1)
    while state.epoch < epochs and next(chunks, None):
        pass
    return state.theta


def joined(first: nn.Batch, second: nn.Batch) -> nn.Batch:
    """The rows of both; rows without weights have the weight 1."""
    weight = None
    if first.weight is not None or second.weight is not None:
        weight = np.concatenate([_weight(first), _weight(second)])
    return nn.Batch(np.concatenate([first.x, second.x]), np.concatenate([first.y, second.y]), weight)


def _weight(batch: nn.Batch) -> NDArray[np.floating]:
    return np.ones(len(batch.x), batch.x.dtype) if batch.weight is None else batch.weight
