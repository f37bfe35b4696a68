"""Integrated gradients of networks: exact where there is a formula, complete everywhere."""

import numpy as np
import pytest

from backpropd.nn import LayerSpec, Network, Spec
from backpropd.nn.inspection.integrated_gradients import MIN_EVALUATIONS, ScalarOutput, integrated_gradients
from backpropd.nn.inspection.trace import trace
from backpropd.nn.layout import Array


def network_of(*layers: LayerSpec, inputs: int = 3, loss: str = "squared_error", scaled: bool = False) -> Network:
    return Network(Spec(inputs, layers, loss, "float64", {}, scaled))


def random_theta(network: Network, seed: int = 0) -> Array:
    """A theta without zeros, the running variances included."""
    rng = np.random.default_rng(seed)
    theta = network.initialize(rng)
    return np.where(theta == 0, rng.normal(size=len(theta)), theta) * rng.uniform(0.5, 1.5, len(theta))


DEEP = {
    "tanh": network_of(LayerSpec(5, "tanh"), LayerSpec(4, "logistic"), LayerSpec(2, "linear")),
    "relu": network_of(LayerSpec(16, "relu"), LayerSpec(8, "relu"), LayerSpec(2, "linear")),
    "exponential": network_of(LayerSpec(5, "tanh"), LayerSpec(2, "exponential"), loss="poisson"),
    "softmax": network_of(LayerSpec(5, "tanh"), LayerSpec(2, "softmax"), loss="cross_entropy"),
    "batch": network_of(LayerSpec(5, "tanh", normalization="batch", dropout=0.5), LayerSpec(2, "linear")),
    "layer": network_of(LayerSpec(5, "tanh", normalization="layer"), LayerSpec(2, "linear")),
    "scaled inputs": network_of(LayerSpec(5, "tanh"), LayerSpec(2, "linear"), scaled=True),
}


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("activated", [False, True])
def test_the_gradients_at_the_inputs_are_those_of_finite_differences(name: str, activated: bool) -> None:
    network = DEEP[name]
    function = ScalarOutput(network, random_theta(network), np.array([0.7, -0.3]), activated=activated)
    x = np.random.default_rng(1).normal(size=(4, 3))
    measured = np.empty_like(x)
    for i in range(3):
        step = 1e-5 * np.eye(3)[i]
        measured[:, i] = (function.values(x + step) - function.values(x - step)) / 2e-5
    np.testing.assert_allclose(function.gradients(x), measured, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", DEEP)
def test_the_function_is_the_output_of_a_forward_pass(name: str) -> None:
    network, weights = DEEP[name], np.array([0.7, -0.3])
    theta, x = random_theta(network), np.random.default_rng(1).normal(size=(4, 3))
    output = trace(network, theta, x, None, 1.0).layers[-1]
    for activated, expected in ((False, output.a), (True, output.h)):
        values = ScalarOutput(network, theta, weights, activated=activated).values(x)
        np.testing.assert_allclose(values, expected @ weights, rtol=1e-12)


def test_the_attributions_of_a_linear_network_are_weight_times_change() -> None:
    network = network_of(LayerSpec(1, "linear"))
    theta = np.array([2.0, -1.0, 0.5, 10.0])
    found = integrated_gradients(
        ScalarOutput(network, theta, np.ones(1), activated=True), np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, -1.0])
    )
    np.testing.assert_allclose(found.attributions, [2, -1, 2], rtol=1e-12)
    assert (found.output, found.baseline) == pytest.approx((11.5, 8.5))
    assert found.error < 1e-12


@pytest.mark.parametrize("name", DEEP)
def test_the_attributions_are_those_of_a_fine_riemann_sum_and_complete(name: str) -> None:
    network = DEEP[name]
    function = ScalarOutput(network, random_theta(network), np.array([1.0, -1.0]), activated=False)
    row, baseline = np.random.default_rng(2).normal(size=(2, 3))
    found = integrated_gradients(function, row, baseline)
    t = (np.arange(40_000) + 0.5) / 40_000
    points = baseline + t[:, None] * (row - baseline)
    blocks = np.array_split(points, 40)
    expected = np.mean(np.concatenate([function.gradients(block) for block in blocks]), axis=0) * (row - baseline)
    np.testing.assert_allclose(found.attributions, expected, rtol=1e-3, atol=1e-4)
    assert found.error < 1e-6
    assert found.attributions.sum() == pytest.approx(found.output - found.baseline, abs=1e-6)
    assert found.output == pytest.approx(float(function.values(row[None])[0]))


def test_a_small_budget_leaves_an_error_and_more_reduces_it() -> None:
    network = DEEP["relu"]
    function = ScalarOutput(network, random_theta(network), np.array([1.0, -1.0]), activated=True)
    row, baseline = 3 * np.random.default_rng(2).normal(size=(2, 3))
    errors = [integrated_gradients(function, row, baseline, most).error for most in (MIN_EVALUATIONS, 200, 4096)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[0] > 1e-4
    assert errors[2] < 1e-6


def test_kinks_are_found_with_few_evaluations() -> None:
    """A network of ReLUs is linear between its kinks, of which this path has at most 12."""
    network = network_of(LayerSpec(12, "relu"), LayerSpec(1, "linear"))
    function = ScalarOutput(network, random_theta(network), np.ones(1), activated=True)
    row, baseline = 3 * np.random.default_rng(2).normal(size=(2, 3))
    assert integrated_gradients(function, row, baseline, MIN_EVALUATIONS).error > 1e-3
    assert integrated_gradients(function, row, baseline, 200).error < 1e-12


def test_a_row_that_is_the_baseline_has_no_attributions() -> None:
    network = DEEP["relu"]
    row = np.ones(3)
    found = integrated_gradients(ScalarOutput(network, random_theta(network), np.ones(2), activated=True), row, row)
    assert (found.attributions.tolist(), found.error) == ([0, 0, 0], 0)
