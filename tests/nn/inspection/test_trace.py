"""A trace has the numbers of PyTorch's autograd, of the model as it predicts."""

from typing import Any

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import LayerSpec, McCullochPitts, Network, Perceptron, PerceptronNetwork, Spec
from backpropd.nn.inspection.gradient_check import slope_error
from backpropd.nn.inspection.trace import trace, trace_neuron
from tests.nn.data import XOR, classifier
from tests.nn.peers import starts

PYTORCH = starts.reference("traces")


def name_of(case: tuple[Any, ...]) -> str:
    return " ".join(str(each) for each in case)


def network_of(case: tuple[Any, ...], dropout: float = 0.0, dtype: str = "float64") -> Network:
    hidden, normalization, output, loss, parameters, _ = case
    layers = [
        LayerSpec(units, activation, dropout=dropout, normalization=normalization)
        for units, activation in zip(starts.TRACE_UNITS, hidden, strict=False)
    ]
    layers.append(LayerSpec(starts.TRACE_OUTPUTS, output))
    return Network(Spec(starts.TRACE_INPUTS, tuple(layers), loss, dtype, parameters))


def start(case: tuple[Any, ...]) -> tuple[np.ndarray, Any, np.ndarray]:
    """Theta, rows and targets."""
    x, targets, parameters = starts.tracing(len(case[0]), case[1])
    network = network_of(case)
    theta = network.layout.zeros("float64")
    for name, view in network.layout.views(theta).items():
        view[:] = parameters[name]
    return theta, x, targets[case[-1]]


def test_there_is_a_reference_for_every_case() -> None:
    assert [*PYTORCH] == [name_of(case) for case in starts.TRACES]


@pytest.mark.parametrize("case", starts.TRACES, ids=PYTORCH)
def test_every_number_is_that_of_autograd(case: tuple[Any, ...]) -> None:
    expected = PYTORCH[name_of(case)]
    theta, x, y = start(case)
    found = trace(network_of(case), theta, x, y, learning_rate=0.5)
    assert found.loss == pytest.approx(expected["loss"], abs=1e-12)
    assert found.update is not None
    for index, (layer, numbers) in enumerate(zip(found.layers, expected["layers"], strict=True)):
        assert layer.gradients is not None
        assert layer.gradients.keys() == numbers["gradients"].keys()
        for name in numbers.keys() - {"gradients"}:
            np.testing.assert_allclose(getattr(layer, name), numbers[name], atol=1e-12)
        for name, values in numbers["gradients"].items():
            np.testing.assert_allclose(layer.gradients[name], values, atol=1e-12)
            if name not in ("a", "h", "z"):
                np.testing.assert_allclose(found.update[f"layers.{index}.{name}"], -0.5 * np.array(values), atol=1e-12)


@pytest.mark.parametrize("case", starts.TRACES, ids=PYTORCH)
def test_the_update_is_along_the_gradient_of_the_loss_that_the_model_reports(case: tuple[Any, ...]) -> None:
    theta, x, y = start(case)
    network = network_of(case)
    update = trace(network, theta, x, y, learning_rate=1.0).update
    assert update is not None
    gradient = -np.concatenate([each.ravel() for each in update.values()])
    running = theta[network.parameters :]
    error = slope_error(
        lambda at: network.loss(np.concatenate([at, running]), x, y),
        theta[: network.parameters],
        gradient,
        np.random.default_rng(0),
    )
    assert error <= 1e-6


@pytest.mark.parametrize("case", starts.TRACES[-2:])
def test_dropout_is_off_and_theta_does_not_change(case: tuple[Any, ...]) -> None:
    theta, x, y = start(case)
    before = theta.copy()
    plain, with_dropout = (trace(network_of(case, dropout), theta, x, y, 0.1) for dropout in (0.0, 0.9))
    np.testing.assert_equal(with_dropout, plain)
    np.testing.assert_array_equal(plain.layers[-1].h, network_of(case).predict(theta, x))
    np.testing.assert_array_equal(theta, before)


def test_a_model_trained_in_float32_is_traced_in_float64() -> None:
    case = starts.TRACES[0]
    theta, x, y = start(case)
    found = trace(network_of(case, dtype="float32"), theta.astype(np.float32), x, y, 0.1)
    np.testing.assert_equal(found, trace(network_of(case), theta.astype(np.float32).astype(np.float64), x, y, 0.1))
    assert found.layers[0].a.dtype == np.float64


def test_without_targets_there_is_only_a_forward_pass() -> None:
    case = starts.TRACES[5]
    theta, x, _ = start(case)
    found = trace(network_of(case), theta, x, None, 0.1)
    assert (found.loss, found.update, [layer.gradients for layer in found.layers]) == (None, None, [None] * 3)
    np.testing.assert_array_equal(found.layers[-1].h, network_of(case).predict(theta, x))


def test_a_layer_without_a_bias_has_no_gradient_of_one() -> None:
    network = Network(Spec(2, (LayerSpec(1, "linear", use_bias=False),), "squared_error", "float64"))
    found = trace(network, np.array([1.0, 2.0]), np.ones((1, 2)), np.zeros((1, 1)), 0.1)
    assert found.layers[0].gradients is not None
    assert found.layers[0].gradients["bias"] is None
    assert found.update is not None
    assert found.update.keys() == {"layers.0.weight"}


def test_shapes_that_do_not_fit_are_rejected() -> None:
    network = classifier(3)
    theta = network.initialize(np.random.default_rng(0))
    with pytest.raises(Invalid, match=r"\(4, 5\)"):
        trace(network, theta, np.ones((4, 5)), None, 0.1)
    with pytest.raises(Invalid, match="3 outputs"):
        trace(network, theta, np.ones((1, 2)), np.array([3]), 0.1)


def test_a_perceptron_is_updated_by_its_rule_if_it_errs_and_not_otherwise() -> None:
    neuron = Perceptron(2, learning_rate=0.5, dtype="float64")
    theta = np.array([1.0, -1.0, 0.0])
    wrong = trace_neuron(neuron, theta, np.array([[2.0, 3.0]]), np.array([[1.0]]))
    assert (wrong.loss, wrong.layers[0].a.tolist(), wrong.layers[0].h.tolist()) == (1.0, [[-1.0]], [[0.0]])
    assert wrong.layers[0].gradients is None
    assert wrong.update is not None
    assert {name: each.ravel().tolist() for name, each in wrong.update.items()} == {
        "layers.0.weight": [1.0, 1.5],
        "layers.0.bias": [0.5],
    }
    right = trace_neuron(neuron, theta, np.array([[2.0, 3.0]]), np.array([[0.0]]))
    assert right.loss == 0
    assert right.update is not None
    assert not any(each.any() for each in right.update.values())
    assert theta.tolist() == [1.0, -1.0, 0.0]


def test_a_perceptron_is_updated_row_by_row() -> None:
    neuron = Perceptron(1, dtype="float64")
    theta, x = np.zeros(2), np.array([[1.0], [2.0]])
    update = trace_neuron(neuron, theta, x, np.array([[0.0], [1.0]])).update
    assert update is not None
    # row 1 is predicted 1, which subtracts 1 from both; row 2 is then predicted 0, which adds 2 and 1
    assert [each.ravel().tolist() for each in update.values()] == [[1.0], [0.0]]


def test_only_the_upper_layer_of_a_perceptron_network_is_updated() -> None:
    neuron = PerceptronNetwork(2, dtype="float64")
    theta = neuron.initialize(np.random.default_rng(0))
    found = trace_neuron(neuron, theta, XOR[:1], np.zeros((1, 1)))
    assert found.layers[0].h.tolist() == [[1, 0, 0, 0]]
    assert found.update is not None
    assert not found.update["layers.0.weight"].any()
    assert found.update["layers.1.weight"].ravel().tolist() == [-1, 0, 0, 0]


def test_a_mcculloch_pitts_neuron_has_no_update() -> None:
    neuron = McCullochPitts(2, threshold=2, dtype="float64")
    theta = neuron.initialize(np.random.default_rng(0))
    found = trace_neuron(neuron, theta, XOR, np.array([[0.0], [0.0], [0.0], [0.0]]))
    assert (found.loss, found.update) == (0.25, None)
    assert found.layers[0].a.ravel().tolist() == [-2, -1, -1, 0]
    assert trace_neuron(neuron, theta, XOR, None).loss is None


def test_batch_normalization_treats_each_row_separately() -> None:
    case = starts.TRACES[-2]
    theta, x, y = start(case)
    network = network_of(case)
    together = trace(network, theta, x, y, 1.0).update
    alone = [trace(network, theta, x[i : i + 1], y[i : i + 1], 1.0).update for i in range(len(x))]
    assert together is not None
    for name, change in together.items():
        mean = np.mean([each[name] for each in alone if each is not None], axis=0)
        np.testing.assert_allclose(change, mean, atol=1e-12)
