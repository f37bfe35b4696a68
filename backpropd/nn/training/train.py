"""Training: `fit`, the loop over epochs. It does no I/O; its clock is an argument."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.training.chunks import epochs_in_time, max_chunk_epochs, next_chunk, rewind_generator
from backpropd.nn.training.engine import Engine
from backpropd.nn.training.epochs import Epoch, FitRun, Metrics, diverged, finish_epoch, record_epochs
from backpropd.nn.training.lbfgs_engine import LbfgsEngine
from backpropd.nn.training.numpy_engine import NumpyEngine
from backpropd.nn.training.state import State
from backpropd.nn.training.training_config import Training, check_training

Clock = Callable[[], float]


def fit(
    network: Network,
    training_set: Batch,
    validation_set: Batch | None,
    training: Training,
    state: State,
    *,
    metrics: Metrics | None = None,
    interrupt: NDArray[np.int8] | None = None,
    clock: Clock | None = None,
) -> Iterator[Epoch]:
    """The epochs of `fit_in_chunks` one by one: whenever the caller has control, `state` is that of the last one."""
    for chunk in fit_in_chunks(
        network, training_set, validation_set, training, state,
        metrics=metrics, interrupt=interrupt, clock=clock, max_epochs=1,
    ):  # fmt: skip
        yield from chunk


def fit_in_chunks(
    network: Network,
    training_set: Batch,
    validation_set: Batch | None,
    training: Training,
    state: State,
    *,
    metrics: Metrics | None = None,
    interrupt: NDArray[np.int8] | None = None,
    clock: Clock | None = None,
    max_epochs: int | None = None,
) -> Iterator[list[Epoch]]:
    """Train until a stopping rule holds (Bottou 2012); yield the epochs in chunks, up to where an inspection is due.

    `state` is changed in place. Whenever the caller has control it is that of the last epoch yielded, and complete:
    between two chunks, after the end, after an interrupt, and after any exception. Its checkpoint resumes the run bit
    for bit. Set `interrupt[0]` in another thread or a signal handler to end the generator between two batches:
    `state.stop_reason` is then still None, and another `fit` continues, or `state.end` ends the run (`nn.interrupts`).
    `metrics(h, y)` computes metrics from outputs (n, outputs) and targets, for both sets. `max_epochs` limits a chunk.
    `clock` counts seconds; all that pass until the last chunk ends are added to `state.seconds`.

    Raises `Diverged` at the end of an epoch whose loss, gradient, parameters, validation loss or metrics are not
    finite, or if the loss over the first rows is not finite after the last epoch; `Invalid` for sets that do not fit
    the network, and for settings that contradict each other.
    """
    check_training(network.spec, training, len(training_set.x), validation_set, clock)
    interrupt = np.zeros(1, np.int8) if interrupt is None else interrupt
    validation_set = network.batch(*validation_set) if validation_set else None
    run = FitRun(network, network.batch(*training_set), validation_set, training, state, metrics, interrupt)
    engine = _engine(run)
    max_epochs = max_epochs or max_chunk_epochs(len(training_set.x))
    if state.epoch == 0:
        state.memory = training.schedule.start()
        if training.path_every:
            state.append_to_path()
    before, pace = state.seconds - clock() if clock else 0.0, math.inf
    while state.stop_reason is None:
        snapshot = state.snapshot()
        try:
            chunk = next_chunk(run, engine.steps_per_epoch, min(max_epochs, epochs_in_time(training, state, pace)))
            result = engine.run(chunk.permutations, chunk.learning_rates, interrupt)
            rewind_generator(state.rng, snapshot["rng"], chunk, len(result.stats))
            epochs = record_epochs(run, result.stats, chunk.learning_rates)
            if clock:
                began, state.seconds = state.seconds, before + clock()
                pace = (state.seconds - began) / max(len(epochs), 1)
            if epochs:
                converged = result.outcome == "converged"
                epochs[-1] = finish_epoch(run, epochs[-1], result.stats[-1, 3], converged=converged)
        except BaseException:
            state.restore_snapshot(snapshot)
            raise
        if epochs:
            yield epochs
        if result.outcome == "diverged":
            raise diverged(state, training.optimizer, result.layer)
        if result.outcome == "interrupted":
            return


def _engine(run: FitRun) -> Engine:
    if run.training.optimizer.full_batch:
        return LbfgsEngine(run)
    if run.training.engine == "numpy":
        return NumpyEngine(run)
    from backpropd.nn.training.numba_engine import NumbaEngine  # and with it Numba, which only training needs

    return NumbaEngine(run)
