"""Gradient checks of models, without the service."""

from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Model, gradient_check, trace
from backpropd.learn.inspection import gradient_check as module
from backpropd.nn import ACTIVATIONS, Network
from backpropd.nn.feedforward.activations import Activation
from tests.learn.learner import Learner, load_model

ROWS, TARGETS = [[5.1, 3.5, 1.4, 0.2], [6.3, 2.8, 5.1, 1.5]], ["setosa", "virginica"]


def checked(model: Model, rows: Any = ROWS, targets: Any = TARGETS, epsilon: float = 1e-5, **limits: int) -> Any:
    limits = {"max_parameters": 5000, "max_operations": 2 * 10**9, **limits}
    return gradient_check(model, rows, targets, epsilon, **limits)


def learned(learner: Learner, **changes: Any) -> Model:
    return load_model(learner.trained(learner.plan("species", **{"epochs": 3, **changes})))


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_both_gradients_agree_and_are_those_of_a_trace(iris: Learner, normalization: str | None) -> None:
    hidden = [{"units": 5, "activation": "tanh", "normalization": normalization, "dropout": 0.5}]
    model = learned(iris, hidden=hidden)
    found = checked(model)
    assert found["relative_error"] < 1e-8
    assert found["largest_relative_error"] < 1e-4
    traced = trace(model, ROWS, TARGETS, max_numbers=10_000)
    assert found["loss"] == traced["loss"]
    for index, layer in enumerate(traced["layers"]):
        for name in layer["gradients"].keys() - {"h", "a", "z"}:
            each = found["parameters"].get(f"layers.{index}.{name}")
            np.testing.assert_allclose(each["analytic"], layer["gradients"][name], atol=1e-12)
            np.testing.assert_allclose(each["numeric"], layer["gradients"][name], atol=1e-9)
            assert np.shape(each["relative_error"]) == np.shape(each["analytic"])


def test_the_numeric_gradient_is_the_central_difference_of_the_squared_error(iris: Learner) -> None:
    model = load_model(iris.trained(iris.plan("petal_width", features=["petal_length"], hidden=[], epochs=1)))
    found = checked(model, [[1.4]], [2.0], epsilon=0.1)
    w, b = (float(model.theta[f"layers.0.{name}"].item()) for name in ("weight", "bias"))
    mean, std = (vars(model.encoder.of("petal_length"))[name] for name in ("mean", "std"))
    x, y = (1.4 - mean) / std, (2.0 - model.target.offset[0]) / model.target.scale[0]
    slope = ((x * (w + 0.1) + b - y) ** 2 - (x * (w - 0.1) + b - y) ** 2) / 0.2
    assert found["parameters"]["layers.0.weight"]["numeric"][0][0] == pytest.approx(slope, rel=1e-10)
    assert found["parameters"]["layers.0.weight"]["analytic"][0][0] == pytest.approx(2 * x * (x * w + b - y), rel=1e-10)


def test_a_wrong_derivative_shows_in_the_parameters_below_it(iris: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    model, right = learned(iris), ACTIVATIONS["tanh"]

    def slightly_off(a: np.ndarray, h: np.ndarray, grad_h: np.ndarray, out: np.ndarray) -> None:
        right.backward(a, h, grad_h, out)
        out *= 1.01

    monkeypatch.setitem(ACTIVATIONS, "tanh", Activation("tanh", right.forward, slightly_off))
    found = checked(model)
    assert found["largest_relative_error"] == pytest.approx(0.01 / 1.01, rel=1e-2)
    errors_of = {name: np.max(each["relative_error"]) for name, each in found["parameters"].items()}
    assert errors_of["layers.0.weight"] > 5e-3
    assert errors_of["layers.1.weight"] < 1e-4


def test_a_threshold_neuron_has_no_gradient_to_check(iris: Learner) -> None:
    model = load_model(iris.trained(iris.neuron_plan("species", "perceptron")))
    with pytest.raises(errors.Conflict, match="no gradient"):
        checked(model)


def test_parameters_and_operations_are_limited(iris: Learner) -> None:
    model = learned(iris)
    with pytest.raises(errors.Invalid, match="67 parameters, and the limit of a gradient check is 66: train a model"):
        checked(model, max_parameters=66)
    passes, of_row = 2 * 67, 67 + module.ACTIVATION_COST * 11
    one_row = passes * (of_row + 2 * module.LAYER_COST)
    with pytest.raises(errors.Invalid, match=rf"limit is {one_row}: send fewer rows"):
        checked(model, max_operations=one_row)
    assert checked(model, ROWS[:1], TARGETS[:1], max_operations=one_row)
    with pytest.raises(errors.Invalid, match="train a model to check"):
        checked(model, max_operations=one_row - 1)


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_a_normalized_layer_counts_as_several(iris: Learner, normalization: str) -> None:
    model = learned(iris, hidden=[{"units": 8, "activation": "tanh", "normalization": normalization}])
    operations = 2 * 83 * (83 + module.ACTIVATION_COST * 11 + module.LAYER_COST + module.NORMALIZED_LAYER_COST)
    assert checked(model, ROWS[:1], TARGETS[:1], max_operations=operations)
    with pytest.raises(errors.Invalid, match=f"takes {operations} operations"):
        checked(model, ROWS[:1], TARGETS[:1], max_operations=operations - 1)


def test_the_buffers_of_a_deep_network_are_made_once(iris: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    model, made, right = learned(iris, hidden=[{"units": 2}] * 5), [], Network.layers

    def layers(network: Network, theta: np.ndarray, rows: int) -> Any:
        made.append(rows)
        return right(network, theta, rows)

    monkeypatch.setattr(Network, "layers", layers)
    assert checked(model)["relative_error"] < 1e-7
    assert made == [2, 2]  # for the trace, and for all differences
