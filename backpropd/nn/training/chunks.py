"""Chunks of epochs: how many run before one is inspected, and the permutations and learning rates of each."""

from typing import Any, NamedTuple

import numpy as np

from backpropd.nn.layout import Array
from backpropd.nn.training.engine import Permutations
from backpropd.nn.training.epochs import FitRun
from backpropd.nn.training.state import State
from backpropd.nn.training.training_config import Training

MAX_CHUNK_EPOCHS = 256
MAX_PERMUTED_ROWS = 2**20  # rows of all permutations of a chunk: they are drawn before it runs, eight bytes a row


class Chunk(NamedTuple):
    """What an engine needs to run epochs: the order of the rows in each, and the learning rate of each step.

    `permutations` are (epochs, rows), `learning_rates` (epochs, steps_per_epoch).
    """

    permutations: Permutations
    learning_rates: Array


def max_chunk_epochs(rows: int) -> int:
    """The most epochs over `rows` training rows that one chunk has."""
    return max(min(MAX_CHUNK_EPOCHS, MAX_PERMUTED_ROWS // rows), 1)


def epochs_in_time(training: Training, state: State, pace: float) -> int:
    """How many epochs of `pace` seconds each take half of the time that is left before `max_seconds`; at least 1."""
    if training.max_seconds is None:
        return MAX_CHUNK_EPOCHS
    left = max(training.max_seconds - state.seconds, 0.0)
    return max(int(min(left / 2 / max(pace, 1e-9), MAX_CHUNK_EPOCHS)), 1)


def next_chunk(run: FitRun, steps_per_epoch: int, max_epochs: int) -> Chunk:
    """The chunk after the state's epoch; its permutations are drawn from the state's generator."""
    state, training, rows = run.state, run.training, len(run.training_set.x)
    epochs = min(max_epochs, _epochs_until_inspection(run))
    rates, permutations = np.empty((epochs, steps_per_epoch)), np.empty((epochs, rows), np.intp)
    base = training.optimizer.learning_rate
    for epoch, out in enumerate(rates, start=state.epoch + 1):
        training.schedule.rates(base, epoch, steps_per_epoch, training.epochs, out, state.memory)
    for permutation in permutations:
        permutation[:] = np.arange(rows) if steps_per_epoch == 1 else state.rng.permutation(rows)
    return Chunk(permutations, rates)


def rewind_generator(rng: np.random.Generator, before: dict[str, Any], chunk: Chunk, complete: int) -> None:
    """Set the generator to its state after `complete` epochs of a chunk that ended early; it was `before` the first."""
    epochs, rows = chunk.permutations.shape
    if complete == epochs:
        return
    rng.bit_generator.state = before
    if chunk.learning_rates.shape[1] > 1:
        for _ in range(complete):
            rng.permutation(rows)


def _epochs_until_inspection(run: FitRun) -> int:
    """How many epochs may run up to the next inspection, without it; 1 if the next epoch is inspected."""
    training, epoch = run.training, run.state.epoch
    if training.early_stopping or training.target_loss is not None or run.state.memory:
        return 1  # a rule, or the schedule, observes the loss of every epoch
    if any(layer.dropout for layer in run.network.spec.layers):
        return 1  # dropout draws from the generator in between, so later permutations cannot be drawn ahead
    until = [training.epochs - epoch - 1]
    if run.metrics:
        until.append(0 if epoch == 0 else training.metrics_every - epoch % training.metrics_every - 1)
    until += [every - epoch % every - 1 for every in (training.path_every, training.snapshot_every) if every]
    return max(min(until), 1)
