"""Metrics against scikit-learn's, and where a careless formula gives NaN."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from backpropd.nn.metrics import accuracy, classification, mae, r2, regression, rmse


def test_accuracy_of_classes_is_the_share_of_rows_whose_largest_output_is_right() -> None:
    h = np.array([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]])
    assert accuracy(h, np.array([0, 1, 0])) == pytest.approx(2 / 3)
    assert classification(h, np.array([0, 1, 1])) == {"accuracy": 1.0}


def test_accuracy_of_logistic_outputs_draws_the_line_at_one_half() -> None:
    assert accuracy(np.array([[0.5], [0.49], [0.9], [0.1]]), np.array([[1.0], [0.0], [0.0], [1.0]])) == 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_regression_metrics_are_those_of_scikit_learn(dtype: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(5, 2, (50, 3)).astype(dtype)
    h = (y + rng.normal(0, 1, y.shape)).astype(dtype)
    assert regression(h, y) == pytest.approx(
        {
            "rmse": root_mean_squared_error(y.ravel(), h.ravel()),
            "mae": mean_absolute_error(y, h),
            "r2": r2_score(y, h),
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("constant", [0.1, 0.0, 1e30])
def test_r2_of_a_constant_target_is_one_if_met_and_zero_if_missed(constant: float) -> None:
    y = np.full((7, 1), constant)
    assert r2(y.copy(), y) == 1.0
    assert r2(y + 0.5 + constant, y) == 0.0
    assert rmse(y.copy(), y) == mae(y.copy(), y) == 0.0
