"""Backpropagation against finite differences, for all that may be combined."""

from __future__ import annotations

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import ACTIVATIONS, LOSSES, Batch, LayerSpec, Network, Spec
from backpropd.nn.feedforward.activations import Activation
from backpropd.nn.inspection.gradient_check import gradient, gradient_error

HIDDEN = sorted(name for name, activation in ACTIVATIONS.items() if activation.hidden)
DEPTHS = [(), (5,), (6, 4), (5, 4, 3)]
HEADS = [(loss.fused_with or output, name) for name, loss in LOSSES.items() for output in sorted(ACTIVATIONS)]


def problem(network: Network, rows: int = 7) -> tuple[np.ndarray, Batch, np.random.Generator]:
    """A theta with biases that are not zero, rows, and targets of the loss's kind."""
    rng = np.random.default_rng(1)
    theta = network.initialize(rng)
    theta[: network.parameters] += 0.1 * rng.standard_normal(network.parameters)
    x = rng.standard_normal((rows, network.spec.inputs))
    weight = np.random.default_rng(2).uniform(0, 2, rows)
    if network.loss_function.takes_classes:
        return theta, Batch(x, rng.integers(0, network.outputs, rows), weight), rng
    return theta, Batch(x, rng.integers(0, 2, (rows, network.outputs)).astype(float), weight), rng


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize(("output", "loss"), sorted(set(HEADS)))
def test_the_gradient_is_the_slope_of_the_loss_at_every_depth(output: str, loss: str, activation: str) -> None:
    for depth in DEPTHS:
        layers = (*(LayerSpec(units, activation) for units in depth), LayerSpec(3, output))
        network = Network(Spec(4, layers, loss, "float64"))
        assert gradient_error(network, *problem(network)) <= 1e-6, depth


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_gradient_is_the_slope_through_normalization_and_dropout(
    normalization: str | None, dropout: float, use_bias: bool
) -> None:
    hidden = (
        LayerSpec(6, "tanh", use_bias=use_bias, dropout=dropout, normalization=normalization),
        LayerSpec(5, "softplus", use_bias=use_bias, dropout=dropout, normalization=normalization),
    )
    network = Network(Spec(4, (*hidden, LayerSpec(3, "softmax")), "cross_entropy", "float64"))
    assert gradient_error(network, *problem(network)) <= 1e-6


@pytest.mark.parametrize(
    ("output", "loss", "parameters"),
    [
        ("softmax", "cross_entropy", {"label_smoothing": 0.2}),
        ("logistic", "binary_cross_entropy", {"label_smoothing": 0.2}),
        ("linear", "huber", {"delta": 0.3}),
    ],
)
def test_the_gradient_is_the_slope_of_a_loss_with_parameters(
    output: str, loss: str, parameters: dict[str, float]
) -> None:
    network = Network(Spec(4, (LayerSpec(5, "tanh"), LayerSpec(3, output)), loss, "float64", parameters))
    assert gradient_error(network, *problem(network)) <= 1e-6


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_the_gradient_check_detects_a_wrong_derivative(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = ACTIVATIONS[name]

    def slightly_off(a: np.ndarray, h: np.ndarray, grad_h: np.ndarray, out: np.ndarray) -> None:
        right.backward(a, h, grad_h, out)
        out *= 1.0001

    monkeypatch.setitem(ACTIVATIONS, name, Activation(name, right.forward, slightly_off))
    network = Network(Spec(4, (LayerSpec(3, name),), "squared_error", "float64"))
    assert gradient_error(network, *problem(network)) > 1e-6


def test_the_gradient_of_all_rows_is_the_mean_of_the_rows_gradients() -> None:
    network = Network(Spec(4, (LayerSpec(5, "tanh"), LayerSpec(3, "softmax")), "cross_entropy", "float64"))
    theta, (x, y, _), _ = problem(network)
    rows = [gradient(network, theta, x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
    np.testing.assert_allclose(np.mean(rows, axis=0), gradient(network, theta, x, y), rtol=1e-12, atol=1e-14)


def test_a_gradient_check_in_float32_is_an_error() -> None:
    network = Network(Spec(4, (LayerSpec(3, "softmax"),), "cross_entropy", "float32"))
    with pytest.raises(Invalid, match="float64"):
        gradient_error(network, *problem(network))
