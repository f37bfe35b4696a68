"""Losses against their formula, in high precision where logits are large."""

from __future__ import annotations

import numpy as np
import pytest

from backpropd.nn import ACTIVATIONS, LOSSES


def value(name: str, a: np.ndarray, y: np.ndarray) -> float:
    h = np.empty_like(a)
    ACTIVATIONS[LOSSES[name].fused_with or "linear"].forward(a, h)
    return LOSSES[name].value(a, h, y, np.empty_like(a))


def test_squared_error_is_the_mean_over_rows_and_outputs() -> None:
    assert value("squared_error", np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 4.0]])) == 13 / 4


def test_cross_entropy_is_minus_the_mean_log_probability_of_the_true_class() -> None:
    a = np.log([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
    assert value("cross_entropy", a, np.array([2, 0])) == pytest.approx(-(np.log(0.5) + np.log(0.7)) / 2, rel=1e-14)


def test_binary_cross_entropy_is_the_mean_over_rows_and_outputs() -> None:
    p = np.array([[0.9, 0.2], [0.5, 0.6]])
    y = np.array([[1.0, 0.0], [0.0, 1.0]])
    expected = -(np.log(0.9) + np.log(0.8) + np.log(0.5) + np.log(0.6)) / 4
    assert value("binary_cross_entropy", np.log(p / (1 - p)), y) == pytest.approx(expected, rel=1e-14)


def test_binary_cross_entropy_takes_soft_targets() -> None:
    expected = -0.3 * np.log(0.8) - 0.7 * np.log(0.2)
    assert value("binary_cross_entropy", np.log([[0.8 / 0.2]]), np.array([[0.3]])) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_from_logits_stay_finite_and_right_where_the_probability_rounds_to_zero(dtype: str) -> None:
    a = np.array([[1000.0, -1000.0, 0.0]], dtype)
    assert value("cross_entropy", a, np.array([1])) == 2000.0
    assert value("cross_entropy", a, np.array([0])) == 0.0
    assert value("binary_cross_entropy", np.array([[-1000.0]], dtype), np.array([[1.0]], dtype)) == 1000.0
    assert value("binary_cross_entropy", np.array([[1000.0]], dtype), np.array([[1.0]], dtype)) == 0.0
