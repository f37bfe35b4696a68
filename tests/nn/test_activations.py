"""Activation functions at their values and at their extremes."""

from __future__ import annotations

import numpy as np
import pytest

from backpropd.nn import ACTIVATIONS


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
    ],
)
def test_each_activation_has_the_value_of_its_formula(name: str, h: list[float]) -> None:
    np.testing.assert_allclose(forward(name, [[-1.0, 0.0, 2.0]]), [h], rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_no_activation_overflows(name: str, dtype: str) -> None:
    a = [[-1e38, -1000.0, -90.0, 90.0, 1000.0, 1e38]]
    h = forward(name, a, dtype)
    grad = np.empty_like(h)
    ACTIVATIONS[name].backward(np.array(a, dtype), h, np.ones_like(h), grad)
    assert np.isfinite(h).all()
    if name != "softmax":
        assert (np.diff(h) >= 0).all()


def test_logistic_keeps_small_probabilities_apart_from_zero() -> None:
    np.testing.assert_allclose(forward("logistic", [[-50.0, -70.0]], "float32"), np.exp([[-50.0, -70.0]]), rtol=1e-5)


def test_softmax_rows_sum_to_one_and_ignore_a_common_shift() -> None:
    h = forward("softmax", [[1.0, 2.0, 3.0], [1001.0, 1002.0, 1003.0]])
    np.testing.assert_allclose(h.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(h[0], h[1])
