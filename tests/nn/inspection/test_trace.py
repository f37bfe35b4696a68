"""A trace has the numbers of PyTorch's autograd, and is the model as it predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import LayerSpec, McCullochPitts, Network, Perceptron, PerceptronNetwork, Spec
from backpropd.nn.inspection.gradient_check import slope_error
from backpropd.nn.inspection.trace import trace, trace_neuron
from tests.nn.data import XOR, classifier
from tests.nn.peers import starts

PYTORCH = starts.figures("traces")


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


def test_pytorch_has_traced_every_case() -> None:
    assert [*PYTORCH] == [name_of(case) for case in starts.TRACES]


@pytest.mark.parametrize("case", starts.TRACES, ids=PYTORCH)
def test_every_number_is_that_of_autograd(case: tuple[Any, ...]) -> None:
    wanted = PYTORCH[name_of(case)]
    theta, x, y = start(case)
    found = trace(network_of(case), theta, x, y, learning_rate=0.5)
    assert found.loss == pytest.approx(wanted["loss"], abs=1e-12)
    assert found.change is not None
    for index, (layer, figures) in enumerate(zip(found.layers, wanted["layers"], strict=True)):
        assert layer.gradients is not None
        assert layer.gradients.keys() == figures["gradients"].keys()
        for name in figures.keys() - {"gradients"}:
            np.testing.assert_allclose(getattr(layer, name), figures[name], atol=1e-12)
        for name, values in figures["gradients"].items():
            np.testing.assert_allclose(layer.gradients[name], values, atol=1e-12)
            if name not in ("a", "h", "z"):
                np.testing.assert_allclose(found.change[f"layers.{index}.{name}"], -0.5 * np.array(values), atol=1e-12)


@pytest.mark.parametrize("case", starts.TRACES, ids=PYTORCH)
def test_the_change_is_the_slope_of_the_loss_that_the_model_reports(case: tuple[Any, ...]) -> None:
    theta, x, y = start(case)
    network = network_of(case)
    change = trace(network, theta, x, y, learning_rate=1.0).change
    assert change is not None
    gradient = -np.concatenate([each.ravel() for each in change.values()])
    remembered = theta[network.parameters :]
    error = slope_error(
        lambda at: network.loss(np.concatenate([at, remembered]), x, y),
        theta[: network.parameters],
        gradient,
        np.random.default_rng(0),
    )
    assert error <= 1e-6


@pytest.mark.parametrize("case", starts.TRACES[-2:])
def test_nothing_is_dropped_and_theta_stays_as_it_is(case: tuple[Any, ...]) -> None:
    theta, x, y = start(case)
    before = theta.copy()
    plain, dropping = (trace(network_of(case, dropout), theta, x, y, 0.1) for dropout in (0.0, 0.9))
    np.testing.assert_equal(dropping, plain)
    np.testing.assert_array_equal(plain.layers[-1].h, network_of(case).predict(theta, x))
    np.testing.assert_array_equal(theta, before)


def test_a_model_trained_in_float32_is_traced_in_float64() -> None:
    case = starts.TRACES[0]
    theta, x, y = start(case)
    found = trace(network_of(case, dtype="float32"), theta.astype(np.float32), x, y, 0.1)
    np.testing.assert_equal(found, trace(network_of(case), theta.astype(np.float32).astype(np.float64), x, y, 0.1))
    assert found.layers[0].a.dtype == np.float64


def test_without_targets_there_is_a_forward_pass_alone() -> None:
    case = starts.TRACES[5]
    theta, x, _ = start(case)
    found = trace(network_of(case), theta, x, None, 0.1)
    assert (found.loss, found.change, [layer.gradients for layer in found.layers]) == (None, None, [None] * 3)
    np.testing.assert_array_equal(found.layers[-1].h, network_of(case).predict(theta, x))


def test_a_layer_without_a_bias_says_so() -> None:
    network = Network(Spec(2, (LayerSpec(1, "linear", use_bias=False),), "squared_error", "float64"))
    found = trace(network, np.array([1.0, 2.0]), np.ones((1, 2)), np.zeros((1, 1)), 0.1)
    assert found.layers[0].gradients is not None
    assert found.layers[0].gradients["bias"] is None
    assert found.change is not None
    assert found.change.keys() == {"layers.0.weight"}


def test_shapes_that_do_not_fit_are_refused() -> None:
    network = classifier(3)
    theta = network.initialize(np.random.default_rng(0))
    with pytest.raises(Invalid, match=r"\(4, 5\)"):
        trace(network, theta, np.ones((4, 5)), None, 0.1)
    with pytest.raises(Invalid, match="3 outputs"):
        trace(network, theta, np.ones((1, 2)), np.array([3]), 0.1)


def test_a_mistaken_perceptron_is_moved_by_its_rule_and_a_right_one_is_not() -> None:
    neuron = Perceptron(2, learning_rate=0.5, dtype="float64")
    theta = np.array([1.0, -1.0, 0.0])
    wrong = trace_neuron(neuron, theta, np.array([[2.0, 3.0]]), np.array([[1.0]]))
    assert (wrong.loss, wrong.layers[0].a.tolist(), wrong.layers[0].h.tolist()) == (1.0, [[-1.0]], [[0.0]])
    assert wrong.layers[0].gradients is None
    assert wrong.change is not None
    assert {name: each.ravel().tolist() for name, each in wrong.change.items()} == {
        "layers.0.weight": [1.0, 1.5],
        "layers.0.bias": [0.5],
    }
    right = trace_neuron(neuron, theta, np.array([[2.0, 3.0]]), np.array([[0.0]]))
    assert right.loss == 0
    assert right.change is not None
    assert not any(each.any() for each in right.change.values())
    assert theta.tolist() == [1.0, -1.0, 0.0]


def test_rows_are_shown_to_a_perceptron_one_after_another() -> None:
    neuron = Perceptron(1, dtype="float64")
    theta, x = np.zeros(2), np.array([[1.0], [2.0]])
    change = trace_neuron(neuron, theta, x, np.array([[0.0], [1.0]])).change
    assert change is not None
    # the first row is answered 1 and takes 1 off both; the second is then answered 0, and puts back 2 and 1
    assert [each.ravel().tolist() for each in change.values()] == [[1.0], [0.0]]


def test_the_network_of_perceptrons_learns_in_its_upper_layer_alone() -> None:
    neuron = PerceptronNetwork(2, dtype="float64")
    theta = neuron.initialize(np.random.default_rng(0))
    found = trace_neuron(neuron, theta, XOR[:1], np.zeros((1, 1)))
    assert found.layers[0].h.tolist() == [[1, 0, 0, 0]]
    assert found.change is not None
    assert not found.change["layers.0.weight"].any()
    assert found.change["layers.1.weight"].ravel().tolist() == [-1, 0, 0, 0]


def test_a_mcculloch_pitts_neuron_is_looked_at_and_not_taught() -> None:
    neuron = McCullochPitts(2, threshold=2, dtype="float64")
    theta = neuron.initialize(np.random.default_rng(0))
    found = trace_neuron(neuron, theta, XOR, np.array([[0.0], [0.0], [0.0], [0.0]]))
    assert (found.loss, found.change) == (0.25, None)
    assert found.layers[0].a.ravel().tolist() == [-2, -1, -1, 0]
    assert trace_neuron(neuron, theta, XOR, None).loss is None


def test_batch_normalization_treats_each_row_by_itself() -> None:
    case = starts.TRACES[-2]
    theta, x, y = start(case)
    network = network_of(case)
    together = trace(network, theta, x, y, 1.0).change
    alone = [trace(network, theta, x[i : i + 1], y[i : i + 1], 1.0).change for i in range(len(x))]
    assert together is not None
    for name, change in together.items():
        mean = np.mean([each[name] for each in alone if each is not None], axis=0)
        np.testing.assert_allclose(change, mean, atol=1e-12)
