"""Backpropagation against finite differences, for all that may be combined."""

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import ACTIVATIONS, Batch, LayerSpec, Network, Spec
from backpropd.nn.feedforward.activations import Activation
from backpropd.nn.inspection.gradient_check import gradient, gradient_error
from tests.nn.data import HEADS, HIDDEN, classifier, random_batch

DEPTHS = [(), (5,), (6, 4), (5, 4, 3)]


def problem(network: Network) -> tuple[np.ndarray, Batch, np.random.Generator]:
    """A theta with biases that are not zero, weighted rows with targets, and a generator of random numbers."""
    rng = np.random.default_rng(1)
    theta = network.initialize(rng)
    theta[: network.parameters] += 0.1 * rng.standard_normal(network.parameters)
    return theta, random_batch(network, 7, weighted=True), rng


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize(("output", "loss", "parameters"), HEADS)
def test_the_gradient_is_the_slope_of_the_loss_at_every_depth(
    output: str, loss: str, parameters: dict[str, float], activation: str
) -> None:
    for depth in DEPTHS:
        layers = (*(LayerSpec(units, activation) for units in depth), LayerSpec(3, output))
        network = Network(Spec(4, layers, loss, "float64", parameters))
        assert gradient_error(network, *problem(network)) <= 1e-6, depth


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_gradient_is_the_slope_through_normalization_and_dropout(
    normalization: str | None, dropout: float, use_bias: bool
) -> None:
    options = {"use_bias": use_bias, "dropout": dropout, "normalization": normalization}
    hidden = (LayerSpec(6, "tanh", **options), LayerSpec(5, "softplus", **options))  # type: ignore[arg-type]
    network = Network(Spec(4, (*hidden, LayerSpec(3, "softmax")), "cross_entropy", "float64"))
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
    network = classifier(5, inputs=4, dtype="float64")
    theta, (x, y, _), _ = problem(network)
    rows = [gradient(network, theta, x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
    np.testing.assert_allclose(np.mean(rows, axis=0), gradient(network, theta, x, y), rtol=1e-12, atol=1e-14)


def test_a_gradient_check_in_float32_is_an_error() -> None:
    with pytest.raises(Invalid, match="float64"):
        gradient_error(classifier(), *problem(classifier()))
