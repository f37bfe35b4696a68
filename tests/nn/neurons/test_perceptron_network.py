"""The network of perceptrons: it represents every boolean function; contradictions end in the pocket."""

import itertools

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import Batch, Perceptron, PerceptronNetwork, fit_neuron, start_neuron
from tests.nn.data import XOR, XOR_TARGETS, Array, run_neuron, truth_table


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_it_learns_every_boolean_function(inputs: int) -> None:
    network, x = PerceptronNetwork(inputs), truth_table(inputs)
    for function in itertools.product([0, 1], repeat=2**inputs):
        y = np.reshape(function, (-1, 1))
        epochs, state = run_neuron(network, x, y)
        assert epochs[-1].stop_reason == "converged"
        assert epochs[-1].metrics == {"mistakes": 0.0}
        np.testing.assert_array_equal(network.predict(state.theta, x), y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_learns_a_random_function_of_twelve_inputs(dtype: str) -> None:
    network, x = PerceptronNetwork(12, dtype=dtype), truth_table(12)
    y = np.random.default_rng(0).integers(0, 2, (4096, 1))
    epochs, state = run_neuron(network, x, y)
    assert epochs[-1].stop_reason == "converged"
    np.testing.assert_array_equal(network.predict(state.theta, x), y)


@pytest.mark.parametrize("inputs", [1, 2, 5, 12])
def test_exactly_one_hidden_perceptron_fires_for_each_row_and_it_is_the_one_with_the_rows_digits(inputs: int) -> None:
    network, x = PerceptronNetwork(inputs), truth_table(inputs)
    hidden, output = network.forward(network.initialize(np.random.default_rng(0)), x)
    np.testing.assert_array_equal(hidden.h, np.eye(2**inputs))
    assert hidden.a.max() == 0
    assert output.a.shape == output.h.shape == (2**inputs, 1)


def test_the_layers_are_those_of_the_textbook() -> None:
    network = PerceptronNetwork(2)
    views = network.layout.views(network.initialize(np.random.default_rng(0)))
    assert views["layers.0.weight"].tolist() == [[-1, -1, 1, 1], [-1, 1, -1, 1]]
    assert views["layers.0.bias"].tolist() == [-2] * 4
    assert views["layers.1.weight"].tolist() == [[0]] * 4
    assert views["layers.1.bias"].tolist() == [0]


def test_the_hidden_layer_stays_as_it_is() -> None:
    network = PerceptronNetwork(3)
    _, state = run_neuron(network, truth_table(3), np.array([[0, 1, 1, 0, 1, 0, 0, 1]]).T)
    start = network.initialize(np.random.default_rng(0))
    fixed = 3 * 8 + 8
    np.testing.assert_array_equal(state.theta[:fixed], start[:fixed])
    assert state.theta[fixed:].any()


def test_the_output_learns_exactly_as_a_perceptron_over_the_hidden_activations_does() -> None:
    rng = np.random.default_rng(3)
    network, perceptron = PerceptronNetwork(4, 0.5), Perceptron(16, learning_rate=0.5)
    x, y = rng.integers(0, 2, (1500, 4)), rng.integers(0, 2, (1500, 1))  # contradictions, more rows than a block
    epochs, state = run_neuron(network, x, y, epochs=5)
    hidden = network.forward(state.theta, x)[0].h
    reference = start_neuron(perceptron, np.random.default_rng(0))
    assert list(fit_neuron(perceptron, Batch(hidden, y), None, reference, epochs=5)) == epochs
    assert epochs[-1].loss > 0
    np.testing.assert_array_equal(state.theta[-17:], reference.theta)


def test_contradictory_rows_use_all_epochs_and_leave_the_best_theta() -> None:
    network = PerceptronNetwork(2)
    x, y = np.vstack([XOR, XOR[:1], XOR[:1]]), np.vstack([XOR_TARGETS, [[1]], [[1]]])
    epochs, state = run_neuron(network, x, y, epochs=40)
    assert len(epochs) == 40
    assert epochs[-1].stop_reason == "epochs"
    assert state.best_loss == min(epoch.loss for epoch in epochs) == 1 / 6
    assert (network.predict(state.theta, x) != y).sum() == 1


def test_predictions_of_more_rows_than_a_block_are_those_of_each_row() -> None:
    network = PerceptronNetwork(3)
    _, state = run_neuron(network, truth_table(3), np.array([[0, 1, 1, 0, 1, 0, 0, 1]]).T)
    rows = np.random.default_rng(0).integers(0, 8, 3000)
    np.testing.assert_array_equal(
        network.predict(state.theta, truth_table(3)[rows]), network.predict(state.theta, truth_table(3))[rows]
    )


@pytest.mark.parametrize("inputs", [0, 13])
def test_no_inputs_and_too_many_are_rejected(inputs: int) -> None:
    with pytest.raises(Invalid, match="1 to 12 inputs"):
        PerceptronNetwork(inputs)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [([[-1, 1]], [[1]], "inputs hold -1"), ([[0, 1]], [[0.5]], "targets hold 0.5"), ([[0]], [[1]], "takes (rows, 2)")],
)
def test_values_other_than_0_and_1_are_rejected(x: Array, y: Array, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        run_neuron(PerceptronNetwork(2), np.array(x), np.array(y))
    assert message in caught.value.detail
