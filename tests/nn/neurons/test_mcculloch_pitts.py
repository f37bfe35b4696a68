"""The McCulloch-Pitts neuron: its answers, and an exact search that explains why it finds none."""

import itertools
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpropd.errors import Invalid, JobFailed, NotRepresentable
from backpropd.nn import Epoch, McCullochPitts, State
from backpropd.nn.neurons.truth_table_search import SearchSpace, conflict, represent
from tests.nn.data import XOR, XOR_TARGETS, Array, run_neuron, truth_table


def by_hand(row: Sequence[int], inhibitory: Sequence[int], threshold: int) -> int:
    """The neuron as the textbook defines it: a veto, else f(g) with g the sum over the excitatory inputs."""
    if any(row[index] for index in inhibitory):
        return 0
    return int(sum(value for index, value in enumerate(row) if index not in inhibitory) >= threshold)


def neurons(inputs: int) -> list[tuple[tuple[int, ...], int]]:
    """Every neuron, up to a threshold that is never reached."""
    subsets = [subset for size in range(inputs + 1) for subset in itertools.combinations(range(inputs), size)]
    return [(inhibitory, threshold) for inhibitory in subsets for threshold in range(inputs + 2)]


def fit_table(neuron: McCullochPitts, x: Array, y: Sequence[int] | Array) -> tuple[Epoch, State]:
    (epoch,), state = run_neuron(neuron, x, np.reshape(y, (-1, 1)))
    return epoch, state


def refusal(neuron: McCullochPitts, x: Array, y: Sequence[int] | Array) -> NotRepresentable:
    with pytest.raises(NotRepresentable) as caught:
        fit_table(neuron, x, y)
    return caught.value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inputs", [1, 2, 3, 4])
def test_every_neuron_answers_as_the_textbook_defines_it_and_is_read_back_from_theta(inputs: int, dtype: str) -> None:
    x = truth_table(inputs)
    for inhibitory, threshold in neurons(inputs):
        neuron = McCullochPitts(inputs, inhibitory, threshold, dtype)
        theta = neuron.initialize(np.random.default_rng(0))
        expected = [[by_hand(row, inhibitory, threshold)] for row in x.tolist()]
        h = neuron.predict(theta, x)
        assert h.tolist() == expected
        assert theta.dtype == h.dtype == dtype
        assert neuron.decode(theta) == (inhibitory, threshold)
        excitatory = [index for index in range(inputs) if index not in inhibitory]
        np.testing.assert_array_equal(neuron.g(theta, x), x[:, excitatory].sum(axis=1))


def test_the_preactivation_is_the_aggregate_minus_the_threshold_and_every_veto_outweighs_all_excitation() -> None:
    neuron = McCullochPitts(3, (2,), 1)
    (trace,) = neuron.forward(neuron.initialize(np.random.default_rng(0)), truth_table(3))
    assert trace.a.ravel().tolist() == [-1, -4, 0, -3, 0, -3, 1, -2]
    assert trace.h.ravel().tolist() == [0, 0, 1, 0, 1, 0, 1, 0]


def test_theta_has_a_weight_for_every_input_and_the_threshold_as_its_bias() -> None:
    neuron = McCullochPitts(3, (0, 2), 2)
    views = neuron.layout.views(neuron.initialize(np.random.default_rng(0)))
    assert views["layers.0.weight"].tolist() == [[-3], [1], [-3]]
    assert views["layers.0.bias"].tolist() == [-2]


def test_a_neuron_set_by_hand_has_one_epoch_that_counts_its_mistakes() -> None:
    epoch, state = fit_table(McCullochPitts(2, (), 1), XOR, XOR_TARGETS)  # an OR
    assert (epoch.epoch, epoch.loss, epoch.metrics, epoch.stop_reason) == (1, 0.25, {"mistakes": 1.0}, "epochs")
    assert state.theta.tolist() == [1, 1, -1]
    epoch, _ = fit_table(McCullochPitts(2, (), 1), XOR, [0, 1, 1, 1])
    assert (epoch.loss, epoch.metrics, epoch.stop_reason) == (0.0, {"mistakes": 0.0}, "converged")


def families(inputs: int) -> list[McCullochPitts]:
    """The search spaces: both parameters, or one of them for every value of the other."""
    subsets = {inhibitory for inhibitory, _ in neurons(inputs)}
    return [
        McCullochPitts(inputs, None, None),
        *(McCullochPitts(inputs, inhibitory, None) for inhibitory in sorted(subsets)),
        *(McCullochPitts(inputs, None, threshold) for threshold in range(inputs + 2)),
    ]


def answers_of(family: McCullochPitts, x: Array) -> Array:
    """The answers of every neuron in the search space, by definition: (neurons, rows)."""
    members = [
        (inhibitory, threshold)
        for inhibitory, threshold in neurons(family.inputs)
        if family.inhibitory in (None, inhibitory) and family.threshold in (None, threshold)
    ]
    return np.array([[by_hand(row, *member) for row in x.tolist()] for member in members])


def check(family: McCullochPitts, x: Array, y: Array, answers: Array) -> bool:
    """Whether a neuron represents the table; asserts that the search agrees, or names a minimal set of rows."""
    if (answers == y).all(axis=1).any():
        epoch, state = fit_table(family, x, y)
        inhibitory, threshold = family.decode(state.theta)
        assert epoch.stop_reason == "converged"
        assert [by_hand(row, inhibitory, threshold) for row in x.tolist()] == y.tolist()
        assert family.inhibitory in (None, inhibitory)
        assert family.threshold in (None, threshold)
        return True
    rows = list(refusal(family, x, y).rows)
    assert not (answers[:, rows] == y[rows]).all(axis=1).any()
    for left_out in rows:
        rest = [row for row in rows if row != left_out]
        assert (answers[:, rest] == y[rest]).all(axis=1).any()
    return False


@pytest.mark.parametrize(("inputs", "representable"), [(1, 4), (2, 9), (3, 21)])
def test_the_search_is_exact_over_every_boolean_function(inputs: int, representable: int) -> None:
    x = truth_table(inputs)
    found = {}
    for family in families(inputs):
        answers = answers_of(family, x)
        functions = itertools.product([0, 1], repeat=2**inputs)
        found[family] = sum(check(family, x, np.array(y), answers) for y in functions)
    assert found[families(inputs)[0]] == representable


@pytest.mark.parametrize("inputs", [1, 2])
def test_the_search_is_exact_over_every_table_that_leaves_rows_out(inputs: int) -> None:
    x = truth_table(inputs)
    for family in families(inputs):
        answers = answers_of(family, x)
        for targets in itertools.product([0, 1, None], repeat=2**inputs):
            rows = [index for index, target in enumerate(targets) if target is not None]
            if rows:
                check(family, x[rows], np.array([targets[row] for row in rows]), answers[:, rows])


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_the_search_is_exact_over_rows_that_repeat_and_contradict_each_other(data: st.DataObject) -> None:
    inputs = data.draw(st.integers(3, 5))
    rows = data.draw(st.lists(st.integers(0, 2**inputs - 1), min_size=1, max_size=10))
    y = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows))))
    x = truth_table(inputs)[rows]
    family = data.draw(st.sampled_from(families(inputs)))
    check(family, x, y, answers_of(family, x))


@pytest.mark.parametrize(
    ("y", "inhibitory", "threshold"),
    [
        ([0, 0, 0, 1], (), 2),
        ([0, 1, 1, 1], (), 1),
        ([0, 0, 1, 0], (1,), 1),
        ([1, 0, 0, 0], (0, 1), 0),
        ([1, 1, 0, 0], (0,), 0),
        ([0, 0, 0, 0], (), 3),
        ([1, 1, 1, 1], (), 0),
    ],
    ids=["and", "or", "x1 and not x2", "nor", "not x1", "never", "always"],
)
def test_the_neuron_that_is_found_is_the_one_of_the_textbook(
    y: list[int], inhibitory: tuple[int, ...], threshold: int
) -> None:
    neuron = McCullochPitts(2, None, None)
    _, state = fit_table(neuron, XOR, y)
    assert neuron.decode(state.theta) == (inhibitory, threshold)


def test_no_input_is_inhibitory_without_need() -> None:
    neuron = McCullochPitts(3, None, None)
    _, state = fit_table(neuron, np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]]), [1, 0, 0])
    assert neuron.decode(state.theta) == ((2,), 2)
    _, state = fit_table(neuron, np.array([[1, 1, 0], [0, 1, 1]]), [1, 1])
    assert neuron.decode(state.theta) == ((), 0)


def test_xor_is_rejected_with_the_three_rows_that_rule_out_every_neuron() -> None:
    error = refusal(McCullochPitts(2, None, None), XOR, XOR_TARGETS)
    assert isinstance(error, JobFailed)
    assert error.code == "not_representable"
    assert error.rows == (3, 1, 2)
    for part in ("x1=0, x2=1 -> 1", "x1=1, x2=0 -> 1", "x1=1, x2=1 -> 0", "sum, 2,", "with 1", "perceptron_network"):
        assert part in error.detail
    assert "x1=0, x2=0" not in error.detail


def test_the_error_names_contradictory_rows_and_a_solution() -> None:
    x = np.array([[0, 0], [0, 1], [1, 1], [0, 1]])
    error = refusal(McCullochPitts(2, None, None, names=("rain", "wind")), x, [0, 1, 1, 0])
    assert error.rows == (3, 1)
    for part in ("rain=0, wind=1 -> 0", "rain=0, wind=1 -> 1", "different targets", "leave one out"):
        assert part in error.detail


def test_a_contradiction_is_reported_before_other_conflicts() -> None:
    x = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 0]])  # 100 cannot be silent if 110 and 001 fire
    assert refusal(McCullochPitts(3, None, None), x[:3], [0, 1, 1]).rows == (0, 1, 2)
    assert refusal(McCullochPitts(3, None, None), x, [0, 1, 1, 0]).rows == (3, 1)


@pytest.mark.parametrize(
    ("neuron", "x", "y", "message"),
    [
        (McCullochPitts(2, (1,), None), [[0, 1]], [1], "set inhibitory"),
        (McCullochPitts(2, None, 2), [[0, 1]], [1], "fewer than the threshold, 2"),
        (McCullochPitts(2, (1,), None), [[1, 0], [0, 0]], [0, 1], "No inhibitory input is active"),
        (McCullochPitts(2, None, 0), [[0, 0]], [0], "none is active in it"),
    ],
    ids=["vetoed", "below the threshold", "no veto", "no input"],
)
def test_the_error_names_a_given_threshold_or_inhibitory_input_as_the_reason(
    neuron: McCullochPitts, x: Array, y: Array, message: str
) -> None:
    assert message in refusal(neuron, np.array(x), y).detail


def test_the_message_stays_short_for_many_inputs_and_many_rows() -> None:
    inputs = 300
    x = np.vstack([np.eye(inputs, dtype=int), np.ones(inputs, int)])
    error = refusal(McCullochPitts(inputs, None, None), x, [1] * inputs + [0])
    assert len(error.rows) == inputs + 1
    assert len(error.detail) < 2000
    for part in ("x20=1, 280 more inputs=1, all others=0 -> 0", "x1=1, all others=0 -> 1", "281 more rows"):
        assert part in error.detail


def test_the_search_is_quick_over_many_rows_of_many_inputs() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (200_000, 20)).astype(bool)
    hidden = np.arange(20) < 6
    y = ~(x & hidden).any(axis=1) & (x.sum(axis=1) >= 8)
    names = [f"x{index}" for index in range(20)]
    start = time.perf_counter()
    neuron = represent(x, y, SearchSpace(None, None), names)
    broken = y.copy()
    broken[np.flatnonzero(y)[0]] = False
    assert conflict(x, broken, SearchSpace(None, None))
    assert time.perf_counter() - start < 5
    assert (neuron.inhibitory.tolist(), neuron.threshold) == (hidden.tolist(), 8)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[0.5, 1]], [[1]], "inputs hold 0.5"),
        ([[np.nan, 1]], [[1]], "inputs hold nan"),
        ([[0, 1]], [[2]], "targets hold 2"),
        ([[0, 1, 1]], [[1]], "takes (rows, 2)"),
        ([[0, 1]], [1], "shape (1,)"),
        (np.empty((0, 2)), np.empty((0, 1)), "one row at least"),
    ],
)
def test_rows_and_targets_other_than_0_and_1_are_rejected(x: Array, y: Array, message: str) -> None:
    neuron = McCullochPitts(2, None, None)
    with pytest.raises(Invalid) as caught:
        run_neuron(neuron, np.array(x), np.array(y))
    assert message in caught.value.detail


@pytest.mark.parametrize(
    ("inhibitory", "threshold", "names"),
    [((2,), 1, ()), ((-1,), 1, ()), ((), -1, ()), ((), 2**25, ()), ((), 1, ("a",))],
)
def test_parameters_out_of_range_are_rejected(
    inhibitory: tuple[int, ...], threshold: int, names: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid):
        McCullochPitts(2, inhibitory, threshold, names=names)
