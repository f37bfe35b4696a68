"""Checkpoints and interrupts: a run that continues equals the uninterrupted one bit for bit."""

import json
import threading
import time
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import LBFGS, SGD, Adam, EarlyStopping, Network, Regularization, State, Training, fit
from backpropd.nn.interrupts import TIME_IS_UP
from tests.nn.data import Countdown, blobs, checkpoint, classifier, resume_from_every_epoch, run

SETS = blobs(60), blobs(30, seed=1)
RUNS = [
    *(
        Training(optimizer, 12, batch_size, stopping)
        for optimizer, batch_size, stopping in product(
            [SGD(0.3), SGD(0.1, 0.9), Adam(0.1)], [16, 60], [None, EarlyStopping(patience=3)]
        )
    ),
    Training(LBFGS(), 25, 60),  # more epochs than the history has pairs
    Training(LBFGS(gradient_tolerance=2e-3), 40, 60, regularization=Regularization(l2=0.05)),  # converges
    Training(LBFGS(3, gradient_tolerance=1e-3), 40, 60, EarlyStopping(patience=3), path_every=4),
]


def start(network: Network, optimizer: Any) -> State:
    return State.start(network, optimizer, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", RUNS, ids=repr)
def test_a_run_resumed_from_any_epoch_equals_the_uninterrupted_one_bit_for_bit(training: Training, dtype: str) -> None:
    network = classifier(8, dtype=dtype)
    epochs = resume_from_every_epoch(
        start(network, training.optimizer),
        lambda state: fit(network, *SETS, training, state),
        lambda arrays, meta: State.restore(network, training.optimizer, arrays, meta),
    )
    assert 3 < len(epochs) <= 40


@pytest.mark.parametrize("reads", range(12))
@pytest.mark.parametrize("optimizer", [SGD(0.1, 0.9), Adam(0.1), LBFGS()], ids=repr)
def test_an_interrupt_ends_the_run_at_the_last_complete_epoch_and_it_can_continue(optimizer: Any, reads: int) -> None:
    full_batch = isinstance(optimizer, LBFGS)  # reads the interrupt at every evaluation, the others at all 4 batches
    network, training = classifier(8), Training(optimizer, 10, 60 if full_batch else 16)
    expected, uninterrupted = run(network, SETS[0], training)
    state = start(network, optimizer)
    before = list(fit(network, SETS[0], None, training, state, interrupt=Countdown(reads)))  # type: ignore[arg-type]
    assert state.stop_reason is None
    assert len(before) == state.epoch
    assert state.epoch <= reads if full_batch else state.epoch == reads // 4
    assert before + list(fit(network, SETS[0], None, training, state)) == expected
    assert checkpoint(state) == checkpoint(uninterrupted)


class TimeIsUp(Countdown):
    """Is set to `TIME_IS_UP` after some reads."""

    def __getitem__(self, index: int) -> int:
        return TIME_IS_UP * super().__getitem__(index)


@pytest.mark.parametrize("reads", range(1, 8))
def test_only_the_first_epoch_keeps_the_steps_it_made_when_the_time_is_up(reads: int) -> None:
    network, training = classifier(8), Training(SGD(0.1), 10, 16)  # reads the interrupt at each of 4 batches
    state = start(network, training.optimizer)
    thetas = [state.theta.copy()]
    for _ in fit(network, SETS[0], None, training, state, interrupt=TimeIsUp(reads)):  # type: ignore[arg-type]
        thetas.append(state.theta.copy())
    assert (state.epoch, state.stop_reason) == (reads // 4, None)
    assert np.array_equal(state.theta, thetas[-1]) == (reads >= 4)


def test_the_kernels_keep_the_steps_of_the_first_epoch_when_the_time_is_up() -> None:
    network, training, interrupt = classifier(8), Training(SGD(0.1), 1, 1, engine="numba"), np.zeros(1, np.int8)
    state = start(network, training.optimizer)
    before = state.theta.copy()

    def interrupt_after_a_step() -> None:
        while np.array_equal(state.theta, before):
            time.sleep(0.001)
        interrupt[0] = TIME_IS_UP

    thread = threading.Thread(target=interrupt_after_a_step)
    thread.start()
    assert list(fit(network, blobs(3_000_000), None, training, state, interrupt=interrupt)) == []
    thread.join()
    assert (state.epoch, state.stop_reason) == (0, None)
    assert not np.array_equal(state.theta, before)


def test_the_arrays_of_a_checkpoint_are_copies() -> None:
    network = classifier(4)
    state = start(network, Adam())
    arrays = state.arrays()
    assert set(arrays) == {"theta", "slots"}
    assert arrays["slots"].shape == (2, network.parameters)
    assert not np.shares_memory(arrays["theta"], state.theta)
    restored = State.restore(network, Adam(), arrays, state.meta())
    assert not np.shares_memory(arrays["theta"], restored.theta)


def test_a_restored_run_that_had_ended_yields_nothing() -> None:
    network, training = classifier(4), Training(SGD(0.1), 2, 8)
    state = start(network, training.optimizer)
    list(fit(network, blobs(30), None, training, state))
    restored = State.restore(network, training.optimizer, state.arrays(), state.meta())
    assert restored.stop_reason == "epochs"
    assert list(fit(network, blobs(30), None, training, restored)) == []


@pytest.mark.parametrize(
    ("saved", "network", "optimizer"),
    [
        (SGD(0.1, 0.9), classifier(5), SGD(0.1, 0.9)),
        (SGD(0.1, 0.9), classifier(4, dtype="float64"), SGD(0.1, 0.9)),
        (SGD(0.1, 0.9), classifier(4), Adam()),
        (LBFGS(), classifier(4), LBFGS(history=5)),
        (LBFGS(), classifier(4), SGD(0.1)),
        (SGD(0.1), classifier(4), LBFGS()),
        (Adam(), classifier(4), LBFGS()),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_rejected(saved: Any, network: Network, optimizer: Any) -> None:
    state = start(classifier(4), saved)
    with pytest.raises(Invalid, match="does not fit"):
        State.restore(network, optimizer, state.arrays(), state.meta())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_checkpoint_from_before_the_history_was_in_slots_continues_from_its_theta(dtype: str) -> None:
    network, training = classifier(8, dtype=dtype), Training(LBFGS(), 12, 60)
    state = start(network, training.optimizer)
    before = list(fit(network, SETS[0], None, replace(training, epochs=5), state))
    meta = json.loads(json.dumps(state.meta() | {"stop_reason": None}))
    n, m = network.parameters, LBFGS().history
    earlier = {
        "theta": state.theta,
        "slots": np.zeros((0, n), dtype),
        "solver_numbers": np.ones(n + 2 * m * n + 5 * n + 11 * m * m + 8 * m + 29),
        "solver_integers": np.ones(3 * n + 52, np.int32),
    }
    resumed = State.restore(network, training.optimizer, earlier, meta)
    np.testing.assert_array_equal(resumed.theta, state.theta)
    assert not resumed.slots.any()
    after = list(fit(network, SETS[0], None, training, resumed))
    assert [epoch.epoch for epoch in after] == list(range(6, 13))
    assert after[-1].loss < after[0].loss < before[-1].loss
