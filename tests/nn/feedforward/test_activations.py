"""Activation functions at their values and at their extremes."""

import tracemalloc

import numpy as np
import pytest
from scipy.special import erf

from backpropd.nn import ACTIVATIONS
from backpropd.nn.feedforward.activations import normal_cdf
from backpropd.nn.inspection.gradient_check import slope_error
from tests.nn.peers import starts

PYTORCH = starts.reference("activations")


def backward(name: str, a: np.ndarray, grad_h: np.ndarray) -> np.ndarray:
    h, out = np.empty_like(a), np.empty_like(a)
    ACTIVATIONS[name].forward(a, h)
    ACTIVATIONS[name].backward(a, h, grad_h, out)
    return out


def forward(name: str, a: list[list[float]], dtype: str = "float64") -> np.ndarray:
    out = np.empty_like(np.array(a, dtype))
    ACTIVATIONS[name].forward(np.array(a, dtype), out)
    return out


@pytest.mark.parametrize(
    ("name", "h"),
    [
        ("linear", [-1.0, 0.0, 2.0]),
        ("logistic", [0.26894142136999512, 0.5, 0.88079707797788243]),
        ("tanh", [-0.76159415595576489, 0.0, 0.96402758007581688]),
        ("relu", [0.0, 0.0, 2.0]),
        ("softmax", [0.042010066, 0.114195195, 0.843794740]),
        ("leaky_relu", [-0.01, 0.0, 2.0]),
        ("elu", [-0.63212055882855768, 0.0, 2.0]),
        ("selu", [-1.1113307378125625, 0.0, 2.1014019747109610]),
        ("gelu", [-0.15865525393145705, 0.0, 1.9544997361036416]),  # Φ(-1) = 0.1587, 2 Φ(2) = 1.9545
        ("silu", [-0.26894142136999512, 0.0, 1.7615941559557649]),
        ("mish", [-0.30340146137410895, 0.0, 1.9439589595339946]),
        ("softplus", [0.31326168751822283, 0.69314718055994531, 2.1269280110429725]),
        ("softsign", [-0.5, 0.0, 2 / 3]),
        ("exponential", [0.36787944117144232, 1.0, 7.3890560989306502]),
    ],
)
def test_each_activation_has_the_value_of_its_formula(name: str, h: list[float]) -> None:
    np.testing.assert_allclose(forward(name, [[-1.0, 0.0, 2.0]]), [h], rtol=1e-7)


def test_pytorch_reference_values_cover_every_activation() -> None:
    assert set(PYTORCH) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_values_and_gradients_match_pytorch_at_kinks_and_extremes_too(name: str) -> None:
    a, grad_h = starts.preactivations()
    np.testing.assert_allclose(forward(name, a.tolist()), PYTORCH[name]["h"], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(backward(name, a, grad_h), PYTORCH[name]["grad_a"], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_normal_distribution_function_is_that_of_scipy(dtype: str) -> None:
    a = np.linspace(-9, 9, 2001, dtype=dtype).reshape(3, -1)
    out = np.empty_like(a)
    normal_cdf(a, out)
    np.testing.assert_allclose(out, (1 + erf(a * np.sqrt(0.5, dtype=dtype))) / 2, rtol=0, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_the_derivative_is_the_slope(name: str) -> None:
    rng = np.random.default_rng(2)
    a, grad_h = 2 * rng.standard_normal((2, 6, 4))

    def dotted(at: np.ndarray) -> float:
        return float(np.vdot(forward(name, at.tolist()), grad_h))

    assert slope_error(dotted, a, backward(name, a, grad_h), rng, directions=20) <= 1e-6


@pytest.mark.parametrize(
    ("name", "left"), [("relu", 0.0), ("leaky_relu", 0.01), ("selu", 1.7580993408473766), ("elu", 1.0)]
)
def test_at_a_kink_the_derivative_is_that_from_the_left(name: str, left: float) -> None:
    np.testing.assert_array_equal(backward(name, np.zeros((1, 1)), np.ones((1, 1))), [[left]])


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_float32_gives_the_values_of_float64_rounded(name: str) -> None:
    a, grad_h = (array.astype(np.float32) for array in starts.preactivations())
    h, grad_a = forward(name, a.tolist(), "float32"), backward(name, a, grad_h)
    assert h.dtype == grad_a.dtype == np.float32
    np.testing.assert_allclose(h, forward(name, a.tolist()), rtol=1e-5, atol=2e-7)
    np.testing.assert_allclose(grad_a, backward(name, a.astype(float), grad_h.astype(float)), rtol=1e-5, atol=4e-7)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation_allocates_an_array_only_where_two_are_needed_at_once(name: str) -> None:
    a = np.full((50_000, 2), 0.5)
    h, grad_a = np.empty_like(a), np.empty_like(a)
    tracemalloc.start()
    ACTIVATIONS[name].forward(a, h)
    forward_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    ACTIVATIONS[name].backward(a, h, a, grad_a)
    backward_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    numbers_a_row = 1.2 if name == "softmax" else 0.3  # softmax keeps one, selu a truth value, which is an eighth
    assert forward_peak < 8 * numbers_a_row * len(a)
    numbers_a_row = {"gelu": 2.2, "silu": 2.2, "mish": 6.3}.get(name, numbers_a_row)  # a second array, mish three
    assert backward_peak < 8 * numbers_a_row * len(a)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_no_activation_overflows(name: str, dtype: str) -> None:
    a = [[-1e38, -1000.0, -90.0, 90.0, 1000.0, 1e38]]
    h = forward(name, a, dtype)
    grad = np.empty_like(h)
    ACTIVATIONS[name].backward(np.array(a, dtype), h, np.ones_like(h), grad)
    assert np.isfinite(h).all()
    assert np.isfinite(grad).all()
    if name not in ("softmax", "gelu", "silu", "mish"):  # those may fall
        assert (np.diff(h) >= 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["gelu", "silu", "mish"])
def test_gelu_silu_and_mish_of_large_arguments_are_zero_or_the_argument(name: str, dtype: str) -> None:
    a = np.array([[-1e38, -1000.0, 1000.0, 1e38]], dtype)
    np.testing.assert_array_equal(forward(name, a.tolist(), dtype), np.maximum(a, 0))
    np.testing.assert_allclose(backward(name, a, np.ones_like(a)), a > 0, atol=1e-30)


def test_logistic_of_very_negative_arguments_is_not_rounded_to_zero() -> None:
    np.testing.assert_allclose(forward("logistic", [[-50.0, -70.0]], "float32"), np.exp([[-50.0, -70.0]]), rtol=1e-5)


def test_softmax_rows_sum_to_one_and_do_not_change_with_a_common_shift() -> None:
    h = forward("softmax", [[1.0, 2.0, 3.0], [1001.0, 1002.0, 1003.0]])
    np.testing.assert_allclose(h.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(h[0], h[1])
