"""Checkpoints: a run resumed from any epoch equals the uninterrupted one bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import SGD, Adam, EarlyStopping, State, Training, fit
from tests.nn.data import blobs, classifier

STOPPING = EarlyStopping(patience=3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [8, 30], ids=["mini-batch", "full batch"])
@pytest.mark.parametrize("stopping", [None, STOPPING], ids=["all epochs", "early stopping"])
@pytest.mark.parametrize("optimizer", [SGD(0.3), SGD(0.1, 0.9), Adam(0.1)], ids=repr)
def test_a_run_resumed_from_any_epoch_equals_the_uninterrupted_one_bit_for_bit(
    optimizer: SGD | Adam, stopping: EarlyStopping | None, batch_size: int, dtype: str
) -> None:
    network, sets = classifier(8, dtype=dtype), (blobs(30), blobs(20, seed=1))
    training = Training(optimizer, 12, batch_size, stopping)
    state = State.start(network, optimizer, np.random.default_rng(0))
    checkpoints, epochs = [(state.arrays(), json.dumps(state.meta()))], []
    for epoch in fit(network, *sets, training, state):
        epochs.append(epoch)
        checkpoints.append((state.arrays(), json.dumps(state.meta())))
    for done, (arrays, meta) in enumerate(checkpoints):
        resumed = State.restore(network, optimizer, arrays, json.loads(meta))
        assert list(fit(network, *sets, training, resumed)) == epochs[done:]
        assert json.dumps(resumed.meta()) == checkpoints[-1][1]
        assert {name: array.tobytes() for name, array in resumed.arrays().items()} == {
            name: array.tobytes() for name, array in checkpoints[-1][0].items()
        }


def test_the_arrays_of_a_checkpoint_are_copies() -> None:
    network = classifier(4)
    state = State.start(network, Adam(), np.random.default_rng(0))
    arrays = state.arrays()
    assert set(arrays) == {"theta", "slots"}
    assert arrays["slots"].shape == (2, network.parameters)
    assert not np.shares_memory(arrays["theta"], state.theta)
    restored = State.restore(network, Adam(), arrays, state.meta())
    assert not np.shares_memory(arrays["theta"], restored.theta)


def test_a_restored_run_that_had_ended_yields_nothing() -> None:
    network, training = classifier(4), Training(SGD(0.1), 2, 8)
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    list(fit(network, blobs(30), None, training, state))
    restored = State.restore(network, training.optimizer, state.arrays(), state.meta())
    assert restored.stop_reason == "epochs"
    assert list(fit(network, blobs(30), None, training, restored)) == []


@pytest.mark.parametrize(
    ("hidden", "optimizer", "dtype"),
    [(5, SGD(0.1, 0.9), "float32"), (4, Adam(), "float32"), (4, SGD(0.1, 0.9), "float64")],
    ids=["another network", "another optimizer", "another dtype"],
)
def test_a_checkpoint_that_does_not_fit_is_rejected(hidden: int, optimizer: SGD | Adam, dtype: str) -> None:
    state = State.start(classifier(4), SGD(0.1, 0.9), np.random.default_rng(0))
    with pytest.raises(Invalid, match="does not fit"):
        State.restore(classifier(hidden, dtype=dtype), optimizer, state.arrays(), state.meta())
