"""Checkpoints, interrupts and exceptions of the training of every threshold neuron."""

import numpy as np
import pytest

from backpropd.errors import Invalid, NotRepresentable
from backpropd.nn import (
    Batch,
    Epoch,
    McCullochPitts,
    Neuron,
    Perceptron,
    PerceptronNetwork,
    State,
    fit_neuron,
    restore_neuron,
    start_neuron,
)
from backpropd.nn.neurons.step_units import learn_in_random_order
from tests.nn.data import XOR, XOR_TARGETS, Countdown, blobs, checkpoint, resume_from_every_epoch, run_neuron

ROWS = np.random.default_rng(5).integers(0, 2, (2500, 4))  # three blocks an epoch
PARITY = ROWS.sum(axis=1, keepdims=True) % 2
SOME = ((ROWS.sum(axis=1) >= 2) & (ROWS[:, 1] == 0)).astype(int).reshape(-1, 1)
NOISE = np.random.default_rng(6).integers(0, 2, (2500, 1))

RUNS: dict[str, tuple[Neuron, Batch]] = {
    "perceptron, two classes": (Perceptron(4), Batch(ROWS, PARITY)),
    "perceptron, three classes": (Perceptron(2, 3, 0.3, "float64"), blobs(2500)),
    "network, converging": (PerceptronNetwork(4), Batch(ROWS, PARITY)),
    "network, contradictions": (PerceptronNetwork(4), Batch(ROWS, NOISE)),
    "neuron by hand": (McCullochPitts(4, (1,), 2), Batch(ROWS, PARITY)),
    "neuron searched": (McCullochPitts(4, None, None), Batch(ROWS, SOME)),
}
each_run = pytest.mark.parametrize(("neuron", "data"), RUNS.values(), ids=RUNS.keys())


def run(neuron: Neuron, data: Batch) -> tuple[list[Epoch], State]:
    return run_neuron(neuron, data.x, data.y, data, epochs=6)


@each_run
def test_a_run_resumed_from_any_epoch_equals_the_uninterrupted_one_bit_for_bit(neuron: Neuron, data: Batch) -> None:
    resume_from_every_epoch(
        start_neuron(neuron, np.random.default_rng(0)),
        lambda state: fit_neuron(neuron, data, data, state, epochs=6),
        lambda arrays, meta: restore_neuron(neuron, arrays, meta),
    )


@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 4, 8])
@each_run
def test_an_interrupted_run_continues_from_its_last_whole_epoch(neuron: Neuron, data: Batch, blocks: int) -> None:
    expected, uninterrupted = run(neuron, data)
    state = start_neuron(neuron, np.random.default_rng(0))
    seen = [checkpoint(state)]
    before = []
    for epoch in fit_neuron(neuron, data, data, state, epochs=6, interrupt=Countdown(blocks)):  # type: ignore[arg-type]
        before.append(epoch)
        seen.append(checkpoint(state))
    assert len(before) == state.epoch == min(len(expected), blocks // (3 if neuron.iterative else 1))
    assert checkpoint(state) == seen[-1]
    assert before + list(fit_neuron(neuron, data, data, state, epochs=6)) == expected
    assert checkpoint(state) == checkpoint(uninterrupted)


def test_an_interrupt_set_between_two_epochs_ends_the_run_there() -> None:
    neuron, data = RUNS["perceptron, two classes"]
    state, interrupt = start_neuron(neuron, np.random.default_rng(0)), np.zeros(1, np.int8)
    for epoch in fit_neuron(neuron, data, None, state, interrupt=interrupt):
        interrupt[0] = epoch.epoch == 3
    assert (state.epoch, state.stop_reason) == (3, None)


def test_an_exception_in_the_middle_of_an_epoch_leaves_the_state_of_the_last_one() -> None:
    neuron, data = RUNS["perceptron, three classes"]

    class Breaks(Countdown):
        def __getitem__(self, index: int) -> int:
            if super().__getitem__(index):
                raise KeyboardInterrupt
            return 0

    state = start_neuron(neuron, np.random.default_rng(0))
    seen = []
    epochs = fit_neuron(neuron, data, None, state, interrupt=Breaks(5))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        seen.extend(checkpoint(state) for _ in epochs)
    assert len(seen) == 1
    assert checkpoint(state) == seen[-1]


def test_a_table_that_no_neuron_represents_leaves_the_state_as_it_was() -> None:
    neuron = McCullochPitts(2, None, None)
    state = start_neuron(neuron, np.random.default_rng(0))
    before = checkpoint(state)
    with pytest.raises(NotRepresentable):
        list(fit_neuron(neuron, Batch(XOR, XOR_TARGETS), None, state))
    assert checkpoint(state) == before


@pytest.mark.parametrize("rows", [1, 1023, 1024, 1025, 2500])
def test_an_epoch_learns_every_row_once_in_any_number_of_blocks(rows: int) -> None:
    shown: list[int] = []
    rng, interrupt = np.random.default_rng(0), np.zeros(1, np.int8)
    assert learn_in_random_order(lambda order: shown.extend(order.tolist()), rows, rng, interrupt)
    assert sorted(shown) == list(range(rows))


@each_run
def test_the_same_seed_gives_the_same_bytes(neuron: Neuron, data: Batch) -> None:
    (one, first), (two, second) = run(neuron, data), run(neuron, data)
    assert one == two
    assert checkpoint(first) == checkpoint(second)


@each_run
def test_only_the_last_epoch_may_converge_and_only_if_every_row_is_answered_correctly(
    neuron: Neuron, data: Batch
) -> None:
    epochs, state = run(neuron, data)
    h = neuron.predict(state.theta, data.x)
    right = h.argmax(axis=1) == data.y if data.y.ndim == 1 else (h == data.y)[:, 0]
    assert all(epoch.stop_reason is None for epoch in epochs[:-1])
    assert epochs[-1].stop_reason == ("converged" if right.all() else "epochs")
    assert state.best_loss == (~right).mean()


@each_run
def test_training_and_predicting_leave_the_rows_and_targets_as_they_were(neuron: Neuron, data: Batch) -> None:
    copies = Batch(data.x.copy(), data.y.copy())
    run(neuron, data)
    np.testing.assert_array_equal(data.x, copies.x)
    np.testing.assert_array_equal(data.y, copies.y)


def test_a_checkpoint_of_another_neuron_is_rejected() -> None:
    state = start_neuron(Perceptron(2), np.random.default_rng(0))
    for other in (Perceptron(3), Perceptron(2, dtype="float64"), PerceptronNetwork(2)):
        with pytest.raises(Invalid, match="does not fit"):
            restore_neuron(other, state.arrays(), state.meta())


def test_zero_epochs_are_rejected() -> None:
    with pytest.raises(Invalid, match="at least 1"):
        list(fit_neuron(*RUNS["neuron by hand"], None, start_neuron(*RUNS["neuron by hand"][:1], None), epochs=0))
