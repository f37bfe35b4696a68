"""Metrics against scikit-learn's, and in cases where a naive formula gives NaN."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    hamming_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)

from backpropd.nn.evaluation.metrics import (
    classification,
    multi_label,
    normalized_rows,
    regression,
    roc_auc,
)
from tests.nn.data import Array

Case = tuple[Array, Array, Array | None]


@st.composite
def cases(draw: st.DrawFn, outputs: tuple[int, int] = (2, 5), *, exclusive: bool = True) -> Case:
    """Outputs on a coarse grid, so that there are ties and rows of zeros, and targets that may lack classes."""
    rows, width = draw(st.integers(1, 25)), draw(st.integers(*outputs))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    h = (rng.integers(0, 5, (rows, width)) / 4).astype(draw(st.sampled_from(["float32", "float64"])))
    weight = rng.random(rows) + 0.1 if draw(st.booleans()) else None
    if exclusive:
        return normalized_rows(h), rng.integers(0, draw(st.integers(1, width)), rows), weight
    return h, (rng.random(h.shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).astype(h.dtype), weight


def mean_peer_area(h: Array, positives: Array, weight: Array | None) -> dict[str, float]:
    """scikit-learn's area for each column of outputs that has rows of both kinds."""
    pairs = [(h[:, k], positives[:, k]) for k in range(h.shape[1]) if 0 < positives[:, k].sum() < len(h)]
    areas = [roc_auc_score(positive, score, sample_weight=weight) for score, positive in pairs]
    return {"roc_auc": float(np.mean(areas))} if areas else {}


@np.errstate(all="ignore")
def peer_classification(h: Array, y: Array, weight: Array | None) -> dict[str, float]:
    """h (n, classes) and class indices y (n,)."""
    prediction, k = h.argmax(axis=1), h.shape[1]
    two: dict[str, Any] = {"average": "binary", "pos_label": 1} if k == 2 else {"average": "macro"}
    settings = {**two, "zero_division": 0, "sample_weight": weight}
    scored = [1] if k == 2 else list(range(k))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about absent classes, which are tested here
        balanced = balanced_accuracy_score(y, prediction, sample_weight=weight)
    return {
        "accuracy": accuracy_score(y, prediction, sample_weight=weight),
        "balanced_accuracy": balanced,
        "precision": precision_score(y, prediction, **settings),
        "recall": recall_score(y, prediction, **settings),
        "f1": f1_score(y, prediction, **settings),
        **mean_peer_area(h[:, scored], y[:, None] == scored, weight),
        "log_loss": log_loss(y, y_proba=h, labels=range(k), sample_weight=weight),
    }


def peer_multi_label(h: Array, y: Array, weight: Array | None) -> dict[str, float]:
    """h and y (n, outputs), at least two of them."""
    prediction, outputs = (h >= 0.5).astype(int), range(h.shape[1])
    settings: dict[str, Any] = {"average": "macro", "zero_division": 0, "sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = [balanced_accuracy_score(y[:, k], prediction[:, k], sample_weight=weight) for k in outputs]
    losses = [log_loss(y[:, k], y_proba=h[:, k], labels=[0, 1], sample_weight=weight) for k in outputs]
    return {
        "accuracy": 1 - hamming_loss(y, prediction, sample_weight=weight),
        "balanced_accuracy": float(np.mean(balanced)),
        "precision": precision_score(y, prediction, **settings),
        "recall": recall_score(y, prediction, **settings),
        "f1": f1_score(y, prediction, **settings),
        **mean_peer_area(h, y, weight),
        "log_loss": float(np.mean(losses)),
    }


@settings(max_examples=60, deadline=None)
@given(cases())
def test_classification_is_scikit_learns_with_ties_and_absent_classes(case: Case) -> None:
    assert classification(*case) == pytest.approx(peer_classification(*case), rel=1e-5, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(cases(exclusive=False))
def test_multi_label_is_scikit_learns_averaged_over_the_outputs(case: Case) -> None:
    assert multi_label(*case) == pytest.approx(peer_multi_label(*case), rel=1e-5, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(cases((1, 1), exclusive=False))
def test_one_logistic_output_gives_the_metrics_of_the_second_class(case: Case) -> None:
    h, y, weight = case
    no_ties = np.where(h == 0.5, np.float32(0.51), h)  # at one half the two predict differently
    both = np.hstack([1 - no_ties, no_ties])
    expected = peer_classification(both, y[:, 0].astype(int), weight)
    assert classification(no_ties, y, weight) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 10, 40])
def test_classification_of_many_rows_is_that_of_scikit_learn(classes: int, dtype: str) -> None:
    rng = np.random.default_rng(classes)
    h = rng.dirichlet(np.ones(classes), 1500).astype(dtype)
    y = np.where(rng.random(1500) < 0.4, h.argmax(axis=1), rng.integers(0, classes, 1500))
    assert classification(h, y) == pytest.approx(peer_classification(h, y, None), rel=1e-5)


def test_one_hot_targets_are_the_class_indices() -> None:
    rng = np.random.default_rng(0)
    h, y = rng.random((30, 4), np.float32), rng.integers(0, 4, 30)
    assert classification(h, np.eye(4, dtype=np.float32)[y]) == classification(h, y)


def test_accuracy_of_classes_is_the_fraction_of_rows_whose_largest_output_is_correct() -> None:
    h = np.array([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]])
    assert classification(h, np.array([0, 1, 0]))["accuracy"] == pytest.approx(2 / 3)
    assert classification(h, np.array([0, 1, 1]))["accuracy"] == 1.0


def test_accuracy_of_logistic_outputs_has_its_threshold_at_one_half() -> None:
    h, y = np.array([[0.5], [0.49], [0.9], [0.1]]), np.array([[1.0], [0.0], [0.0], [1.0]])
    assert classification(h, y)["accuracy"] == 0.5


def test_a_class_in_neither_targets_nor_predictions_does_not_lower_the_averages() -> None:
    h, y = np.eye(4)[[0, 1, 0, 1]], np.array([0, 1, 0, 1])
    found = classification(h, y)
    assert (found["precision"], found["recall"], found["f1"], found["balanced_accuracy"]) == (1.0, 1.0, 1.0, 1.0)


def test_an_absent_class_that_is_predicted_counts_zero() -> None:
    h, y = np.eye(3)[[0, 1, 2]], np.array([0, 1, 1])
    found = classification(h, y)
    assert (found["recall"], found["balanced_accuracy"]) == (pytest.approx(1.5 / 3), pytest.approx(1.5 / 2))


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_roc_auc_is_left_out_when_there_is_one_class_only(outputs: int) -> None:
    y = np.ones((6, 1)) if outputs == 1 else np.ones(6, int)
    assert "roc_auc" not in classification(np.full((6, outputs), 0.5), y)
    assert "roc_auc" not in classification(np.full((6, outputs), 0.5), y, np.arange(6.0))


def test_two_softmax_outputs_are_ranked_by_the_second_which_still_differs_when_the_first_is_rounded_to_one() -> None:
    h = np.array([[1.0, 1e-9], [1.0, 1e-10]], np.float32)
    assert classification(h, np.array([1, 0]))["roc_auc"] == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_log_loss_is_finite_for_a_certain_and_wrong_prediction(wrong: float, dtype: str) -> None:
    y = np.full((3, 1), 1 - wrong, dtype)
    expected = -math.log(np.finfo(dtype).eps)
    assert classification(np.full((3, 1), wrong, dtype), y)["log_loss"] == pytest.approx(expected, rel=1e-5)
    h = np.eye(3, dtype=dtype)
    assert classification(h, np.array([1, 2, 0]))["log_loss"] == pytest.approx(expected, rel=1e-5)


def test_outputs_that_are_all_zero_count_as_equal_ones() -> None:
    found = classification(np.zeros((4, 3), np.float32), np.array([0, 1, 2, 0]))
    assert found["log_loss"] == pytest.approx(math.log(3))
    assert found["roc_auc"] == 0.5


def test_independent_outputs_of_exclusive_classes_are_scaled_to_probabilities_for_the_log_loss() -> None:
    h, y = np.array([[0.9, 0.9, 0.2], [0.1, 0.3, 0.1]]), np.array([0, 2])
    assert classification(h, y)["log_loss"] == pytest.approx(log_loss(y, y_proba=normalized_rows(h), labels=range(3)))


@settings(max_examples=60, deadline=None)
@given(cases((1, 1), exclusive=False))
def test_roc_auc_is_the_fraction_of_pairs_in_order(case: Case) -> None:
    h, y, weight = case
    score, positive = h[:, 0], y[:, 0] == 1
    counted = np.ones(len(h)) if weight is None else weight
    pairs = np.outer(counted[positive], counted[~positive])
    wins = np.sign(score[positive][:, None] - score[~positive]) / 2 + 0.5
    expected = (wins * pairs).sum() / pairs.sum() if pairs.size else None
    assert roc_auc(score, positive, weight) == (None if expected is None else pytest.approx(expected))


@settings(max_examples=60, deadline=None)
@given(cases(), st.booleans())
def test_a_row_of_weight_two_counts_as_two_rows_and_one_of_weight_zero_as_none(case: Case, numbers: bool) -> None:
    h, y, _ = case
    weight = np.arange(len(h)) % 3
    weight[0] = 1
    if numbers:
        y = np.c_[[y % 2, y % 3]].T.astype(float)
        h = h[:, :2]
    repeated = np.repeat(h, weight, axis=0), np.repeat(y, weight, axis=0)
    for measure in (regression, multi_label) if numbers else (classification,):
        assert measure(h, y, weight) == pytest.approx(measure(*repeated), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_regression_metrics_are_those_of_scikit_learn(dtype: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(5, 2, (50, 3)).astype(dtype)
    h = (y + rng.normal(0, 1, y.shape)).astype(dtype)
    weight = rng.random(50) if weighted else None
    assert regression(h, y, weight) == pytest.approx(
        {
            "rmse": math.sqrt(mean_squared_error(y, h, sample_weight=weight)),
            "mae": mean_absolute_error(y, h, sample_weight=weight),
            "r2": r2_score(y, h, sample_weight=weight),
        },
        rel=1e-5,
    )
    assert regression(h[:, :1], y[:, :1])["rmse"] == pytest.approx(root_mean_squared_error(y[:, 0], h[:, 0]), rel=1e-5)


@pytest.mark.parametrize("constant", [0.1, 0.0, 1e30])
def test_r2_of_a_constant_target_is_one_if_predicted_exactly_and_else_zero(constant: float) -> None:
    y = np.full((7, 1), constant)
    assert regression(y.copy(), y) == {"rmse": 0.0, "mae": 0.0, "r2": 1.0}
    assert regression(y + 0.5 + constant, y)["r2"] == 0.0


def test_a_target_is_constant_if_it_varies_only_in_rows_of_weight_zero() -> None:
    y = np.array([[0.1]] * 6 + [[7.0]])
    assert regression(y + 0.5, y, np.array([0.3] * 6 + [0.0]))["r2"] == 0.0


@pytest.mark.parametrize("rows", [1, 2])
def test_a_single_row_has_finite_metrics(rows: int) -> None:
    found = [
        classification(np.full((rows, 3), 1 / 3), np.zeros(rows, int)),
        classification(np.zeros((rows, 1)), np.ones((rows, 1))),
        multi_label(np.zeros((rows, 2)), np.ones((rows, 2))),
        regression(np.zeros((rows, 1)), np.ones((rows, 1))),
    ]
    assert all(type(value) is float and math.isfinite(value) for metrics in found for value in metrics.values())


def test_outputs_and_targets_are_not_changed() -> None:
    rng = np.random.default_rng(0)
    h, y = rng.random((20, 3)), (rng.random((20, 3)) < 0.5).astype(float)
    before = h.copy(), y.copy()
    for measure in (classification, multi_label, regression):
        measure(h, y)
    np.testing.assert_array_equal(h, before[0])
    np.testing.assert_array_equal(y, before[1])
