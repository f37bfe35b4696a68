"""Losses against their formula, finite differences and PyTorch; in high precision where logits are large."""

from typing import Any

import numpy as np
import pytest

from backpropd.nn import ACTIVATIONS, LOSSES
from backpropd.nn.feedforward.losses import Loss
from backpropd.nn.inspection.gradient_check import slope_error
from tests.nn.peers import starts

PYTORCH = starts.reference("losses")


def activation(loss: Loss, a: np.ndarray) -> np.ndarray:
    h = np.empty_like(a)
    ACTIVATIONS[loss.fused_with or "linear"].forward(a, h)
    return h


def value(name: str, a: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None, **parameters: float) -> float:
    loss = LOSSES[name](**parameters)
    return float(loss.value(a, activation(loss, a), y, weight, np.full_like(a, np.nan)))


def gradient(
    name: str, a: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None, **parameters: float
) -> np.ndarray:
    loss, out = LOSSES[name](**parameters), np.full_like(a, np.nan)
    loss.gradient(a, activation(loss, a), y, weight, out)
    return out


def test_pytorch_reference_values_cover_every_loss() -> None:
    assert {case["loss"] for case in PYTORCH.values()} == set(LOSSES)


@pytest.mark.parametrize("kind", ["plain", "weighted"])
@pytest.mark.parametrize("case", PYTORCH.values(), ids=PYTORCH)
def test_values_and_gradients_match_pytorch(case: dict[str, Any], kind: str) -> None:
    a, weight, targets = starts.outputs()
    arguments = (case["loss"], a, targets[case["targets"]], weight if kind == "weighted" else None)
    assert value(*arguments, **case["parameters"]) == pytest.approx(case[kind]["value"], rel=1e-13)
    np.testing.assert_allclose(gradient(*arguments, **case["parameters"]), case[kind]["gradient"], rtol=1e-12)


@pytest.mark.parametrize("kind", ["plain", "weighted"])
@pytest.mark.parametrize("case", PYTORCH.values(), ids=PYTORCH)
def test_the_gradient_is_the_slope_of_the_value(case: dict[str, Any], kind: str) -> None:
    a, weight, targets = starts.outputs()
    y, weights, rng = targets[case["targets"]], weight if kind == "weighted" else None, np.random.default_rng(1)
    name, parameters = case["loss"], case["parameters"]
    exact = gradient(name, a, y, weights, **parameters)
    assert slope_error(lambda at: value(name, at, y, weights, **parameters), a, exact, rng, directions=20) <= 1e-6


@pytest.mark.parametrize("case", PYTORCH.values(), ids=PYTORCH)
def test_float32_gives_the_float64_gradient_rounded(case: dict[str, Any]) -> None:
    a, weight, targets = starts.outputs()
    single, y = a.astype(np.float32), targets[case["targets"]]
    rows = weight.astype(np.float32)
    out = gradient(case["loss"], single, y if y.ndim == 1 else y.astype(np.float32), rows, **case["parameters"])
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, case["weighted"]["gradient"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("case", PYTORCH.values(), ids=PYTORCH)
def test_a_weight_of_two_counts_a_row_twice(case: dict[str, Any]) -> None:
    a, _, targets = starts.outputs()
    y, weight = targets[case["targets"]], np.array([2.0, 1, 1, 0, 1, 1, 1])
    repeated = [0, 0, 1, 2, 4, 5, 6]
    expected = value(case["loss"], a[repeated], y[repeated], **case["parameters"])
    assert value(case["loss"], a, y, weight, **case["parameters"]) == pytest.approx(expected, rel=1e-13)


def test_at_the_kink_of_the_absolute_error_the_gradient_is_zero() -> None:
    np.testing.assert_array_equal(gradient("absolute_error", np.array([[1.0]]), np.array([[1.0]])), [[0.0]])


def test_poisson_is_minimal_where_the_mean_equals_the_count() -> None:
    y = np.array([[3.0, 7.0]])
    assert value("poisson", np.log(y), y) == pytest.approx((3 - 3 * np.log(3) + 7 - 7 * np.log(7)) / 2, rel=1e-14)
    np.testing.assert_allclose(gradient("poisson", np.log(y), y), [[0, 0]], atol=1e-14)


log = np.log


@pytest.mark.parametrize(
    ("name", "parameters", "outputs", "y", "expected"),
    [
        ("squared_error", {}, [[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 4.0]], 13 / 4),
        # half the square up to delta, and linear beyond
        *(
            ("huber", {"delta": 2.0}, [[r]], [[0.0]], mean)
            for r, mean in [(0.5, 0.125), (-2.0, 2), (3.0, 4), (-5.0, 8)]
        ),
        ("cross_entropy", {}, [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]], [2, 0], -(log(0.5) + log(0.7)) / 2),
        # smoothing spreads a fraction of the target over all classes
        (
            *("cross_entropy", {"label_smoothing": 0.1}, [[0.2, 0.3, 0.5]], [2]),
            -0.9 * log(0.5) - 0.1 * np.mean(log([0.2, 0.3, 0.5])),
        ),
        (
            *("binary_cross_entropy", {}, [[0.9, 0.2], [0.5, 0.6]], [[1.0, 0.0], [0.0, 1.0]]),
            -(log(0.9) + log(0.8) + log(0.5) + log(0.6)) / 4,
        ),
        ("binary_cross_entropy", {}, [[0.8]], [[0.3]], -0.3 * log(0.8) - 0.7 * log(0.2)),
        # smoothing moves a binary target towards one half, to 0.9
        ("binary_cross_entropy", {"label_smoothing": 0.2}, [[0.7]], [[1.0]], -0.9 * log(0.7) - 0.1 * log(0.3)),
        ("binary_cross_entropy", {"label_smoothing": 0.2}, [[0.7]], [[0.0]], -0.1 * log(0.7) - 0.9 * log(0.3)),
    ],
)
def test_a_loss_has_the_value_of_its_formula(
    name: str, parameters: dict[str, float], outputs: list[list[float]], y: list[Any], expected: float
) -> None:
    """Outputs of a cross-entropy are probabilities: their pre-activations are log p and log (p / (1 - p))."""
    p = np.array(outputs)
    a = {"cross_entropy": np.log, "binary_cross_entropy": lambda p: np.log(p / (1 - p))}.get(name, np.array)(p)
    assert value(name, a, np.array(y), **parameters) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_from_logits_are_accurate_where_the_probability_rounds_to_zero(dtype: str) -> None:
    a = np.array([[1000.0, -1000.0, 0.0]], dtype)
    assert value("cross_entropy", a, np.array([1])) == 2000.0
    assert value("cross_entropy", a, np.array([0])) == 0.0
    one = np.array([[1.0]], dtype)
    assert value("binary_cross_entropy", -1000 * one, one) == 1000.0
    assert value("binary_cross_entropy", 1000 * one, one) == 0.0
    assert value("binary_cross_entropy", -1000 * one, one, label_smoothing=0.5) == 750
    assert value("cross_entropy", a, np.array([0]), label_smoothing=0.5) == 500.0
    assert np.isfinite(value("poisson", 1000 * one, one))
