"""Regularization compared with calculations by hand and finite differences, and its use of memory."""

import tracemalloc

import numpy as np
import pytest

from backpropd.nn import Layout, Regularization
from backpropd.nn.inspection.gradient_check import slope_error
from backpropd.nn.optimization.regularization import weight_matrices

LAYOUT = Layout({"layers.0.weight": (3, 2), "layers.0.bias": (2,), "layers.1.weight": (2, 1), "layers.1.bias": (1,)})


def theta() -> np.ndarray:
    return np.arange(-4.0, 7.0)  # weights -4 … 1, biases 2 and 3, weights 4 and 5, bias 6


def test_the_penalty_is_over_weights_and_not_biases() -> None:
    weights = weight_matrices(LAYOUT, theta())
    assert Regularization(l1=0.5).penalty(weights) == 0.5 * (4 + 3 + 2 + 1 + 0 + 1 + 4 + 5)
    assert Regularization(l2=0.5).penalty(weights) == 0.5 * (16 + 9 + 4 + 1 + 0 + 1 + 16 + 25)
    assert Regularization().penalty(weights) == 0


@pytest.mark.parametrize("regularization", [Regularization(l1=0.3), Regularization(l2=0.2), Regularization(0.3, 0.2)])
def test_the_penalty_gradient_is_the_slope_of_the_penalty(regularization: Regularization) -> None:
    rng = np.random.default_rng(0)
    point, gradient = rng.standard_normal(LAYOUT.size), np.zeros(LAYOUT.size)
    regularization.add_penalty_gradient(weight_matrices(LAYOUT, point), weight_matrices(LAYOUT, gradient))
    penalty = regularization.penalty
    assert slope_error(lambda at: penalty(weight_matrices(LAYOUT, at)), point, gradient, rng, directions=20) <= 1e-6


def test_the_penalty_gradient_is_added_and_nothing_at_a_weight_of_zero() -> None:
    gradient = np.ones(LAYOUT.size)
    Regularization(l1=0.5).add_penalty_gradient(weight_matrices(LAYOUT, theta()), weight_matrices(LAYOUT, gradient))
    np.testing.assert_array_equal(gradient, [0.5, 0.5, 0.5, 0.5, 1, 1.5, 1, 1, 1.5, 1.5, 1])


def test_values_are_clipped_before_the_norm() -> None:
    gradient = np.array([30.0, -4.0, 0.0])
    Regularization(clip_value=3.0).clip(gradient)
    np.testing.assert_array_equal(gradient, [3, -3, 0])
    gradient = np.array([30.0, -4.0, 0.0])
    Regularization(clip_value=4.0, clip_norm=2.0).clip(gradient)
    np.testing.assert_allclose(gradient, [np.sqrt(2), -np.sqrt(2), 0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gradient_is_scaled_to_the_norm_only_if_it_is_longer(dtype: str) -> None:
    gradient = np.array([3.0, -4.0], dtype)
    Regularization(clip_norm=5.0).clip(gradient)
    np.testing.assert_array_equal(gradient, [3, -4])
    huge = gradient * np.sqrt(np.finfo(dtype).max, dtype=dtype)  # its square is not finite
    Regularization(clip_norm=1.0).clip(huge)
    np.testing.assert_allclose(huge, [0.6, -0.8], rtol=1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_not_scaled(broken: float) -> None:
    gradient = np.array([1.0, broken])
    Regularization(clip_norm=0.1).clip(gradient)
    np.testing.assert_array_equal(gradient, [1.0, broken])


def test_weights_decay_by_the_learning_rate_and_biases_do_not() -> None:
    decayed = theta()
    Regularization(weight_decay=0.5).decay(weight_matrices(LAYOUT, decayed), learning_rate=0.2)
    np.testing.assert_allclose(decayed, [-3.6, -2.7, -1.8, -0.9, 0, 0.9, 2, 3, 3.6, 4.5, 6])


def test_incoming_weights_above_max_norm_are_scaled_to_it() -> None:
    constrained = theta()
    Regularization(max_norm=2.0).constrain(weight_matrices(LAYOUT, constrained))
    first, bias, last, _ = LAYOUT.views(constrained).values()
    np.testing.assert_allclose(first[:, 0], np.array([-4, -2, 0]) * 2 / np.sqrt(20))
    np.testing.assert_allclose(np.linalg.norm(last), 2)
    np.testing.assert_array_equal(bias, [2, 3])
    short = np.full(LAYOUT.size, 0.1)
    Regularization(max_norm=2.0).constrain(weight_matrices(LAYOUT, short))
    np.testing.assert_array_equal(short, np.full(LAYOUT.size, 0.1))


def test_max_norm_does_not_change_weights_of_zero() -> None:
    zeros = np.zeros(LAYOUT.size)
    Regularization(max_norm=1.0).constrain(weight_matrices(LAYOUT, zeros))
    np.testing.assert_array_equal(zeros, 0)


def test_regularization_allocates_no_vector_of_the_size_of_theta_and_preserves_float32() -> None:
    layout = Layout({"weight": (1000, 200), "bias": (200,)})
    values, gradient = np.ones((2, layout.size), np.float32)
    weights, gradients = weight_matrices(layout, values), weight_matrices(layout, gradient)
    regularization = Regularization(0.1, 0.1, 0.1, max_norm=1.0, clip_norm=1.0, clip_value=0.5)
    tracemalloc.start()
    regularization.penalty(weights)
    regularization.add_penalty_gradient(weights, gradients)
    regularization.clip(gradient)
    regularization.decay(weights, 0.1)
    regularization.constrain(weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < layout.size
    assert np.linalg.norm(gradient.astype(float)) == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(np.linalg.norm(weights[0].astype(float), axis=0), 1, rtol=1e-5)
