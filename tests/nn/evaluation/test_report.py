"""Tables and curves of the report against scikit-learn's; they are finite, short and ready for JSON."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    auc,
    average_precision_score,
    confusion_matrix,
    multilabel_confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from backpropd.nn.evaluation.metrics import classification, normalized_rows, regression
from backpropd.nn.evaluation.report import (
    MAX_CURVES,
    MAX_POINTS,
    classification_report,
    multi_label_report,
    regression_report,
)
from tests.nn.data import Array


def names(count: int) -> list[str]:
    return [f"class {k}" for k in range(count)]


@st.composite
def rows(draw: st.DrawFn) -> tuple[Array, Array, Array | None]:
    """Scores (n, 1) with many ties, labels 0 and 1 (n, 1), sometimes only one of them, and sometimes weights (n,)."""
    count, levels = draw(st.integers(1, 150)), draw(st.sampled_from([1, 4, 1000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    h = (rng.integers(0, levels + 1, (count, 1)) / levels).astype(draw(st.sampled_from(["float32", "float64"])))
    y = (rng.random(h.shape) < draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))).astype(h.dtype)
    return h, y, rng.random(count) + 0.1 if draw(st.booleans()) else None


def many(count: int, seed: int = 0) -> tuple[Array, Array]:
    """`count` distinct scores (n, 1), and labels 0 and 1 (n, 1) that correlate with them; a tenth is 1."""
    rng = np.random.default_rng(seed)
    y = rng.random((count, 1)) < 0.1
    return 1 / (1 + np.exp(-rng.normal(1.5 * y - 1, 1))), y.astype(float)


def axes_of(report: dict[str, Any], kind: str, *axes: str) -> list[Array]:
    """The axes of the only curve of this kind."""
    (curve,) = report[kind]
    return [np.array(curve["points"][axis]) for axis in axes]


def assert_plain(value: Any) -> None:
    """Assert that `value` has only types that JSON has, and no NaN or infinity."""
    json.dumps(value, allow_nan=False)
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    assert type(value) in (dict, list, str, int, float)
    for child in children:
        assert_plain(child)


@settings(max_examples=60, deadline=None)
@given(rows())
def test_every_point_of_a_short_curve_is_one_of_scikit_learns_and_no_corner_is_missing(
    case: tuple[Array, Array, Array | None],
) -> None:
    h, y, weight = case
    report = classification_report(h, y, ["no", "yes"], weight)
    assert_plain(report)
    if y.min() == y.max():
        assert report["roc"] == report["precision_recall"] == []
        return
    true, score = y[:, 0], h[:, 0]
    thresholds, fpr, tpr = axes_of(report, "roc", "thresholds", "fpr", "tpr")
    peer_fpr, peer_tpr, peer_thresholds = roc_curve(true, score, sample_weight=weight, drop_intermediate=False)
    indices = np.searchsorted(-peer_thresholds[1:], -thresholds[1:]) + 1
    np.testing.assert_array_equal(peer_thresholds[indices], thresholds[1:])
    np.testing.assert_allclose([fpr[1:], tpr[1:]], [peer_fpr[indices], peer_tpr[indices]], atol=1e-12)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert score.max() < thresholds[0] < score.max() + 1e-6
    area = roc_auc_score(true, score, sample_weight=weight)
    assert [auc(fpr, tpr), report["roc"][0]["auc"]] == pytest.approx([area, area])

    thresholds, recall, precision = axes_of(report, "precision_recall", "thresholds", "recall", "precision")
    peer_precision, peer_recall, peer_thresholds = precision_recall_curve(true, score, sample_weight=weight)
    indices = np.searchsorted(peer_thresholds, thresholds[1:])
    np.testing.assert_array_equal(peer_thresholds[indices], thresholds[1:])
    peer = [peer_recall[indices], peer_precision[indices]]
    np.testing.assert_allclose([recall[1:], precision[1:]], peer, atol=1e-12)
    assert (recall[0], precision[0], recall[-1]) == (0, 1, 1)
    assert auc(recall, precision) == pytest.approx(auc(peer_recall, peer_precision))
    expected = average_precision_score(true, score, sample_weight=weight)
    assert report["precision_recall"][0]["average_precision"] == pytest.approx(expected)


@pytest.mark.parametrize("count", [3000, 100_000])
def test_a_long_curve_is_thinned_to_the_limit_and_keeps_its_shape(count: int) -> None:
    h, y = many(count)
    report = classification_report(h, y, ["no", "yes"])
    fpr, tpr = axes_of(report, "roc", "fpr", "tpr")
    assert MAX_POINTS / 2 < len(fpr) <= MAX_POINTS
    peer_fpr, peer_tpr, _ = roc_curve(y[:, 0], h[:, 0])
    assert np.abs(np.interp(peer_fpr + peer_tpr, fpr + tpr, tpr) - peer_tpr).max() < 2 / MAX_POINTS
    assert auc(fpr, tpr) == pytest.approx(report["roc"][0]["auc"], abs=1e-3)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)

    recall, precision = axes_of(report, "precision_recall", "recall", "precision")
    assert MAX_POINTS / 2 < len(recall) <= MAX_POINTS
    assert (recall[0], precision[0], recall[-1], precision[-1]) == (0, 1, 1, y.mean())
    assert np.diff(recall).max() < 0.05
    peer_precision, peer_recall, _ = precision_recall_curve(y[:, 0], h[:, 0])
    assert auc(recall, precision) == pytest.approx(auc(peer_recall, peer_precision), abs=1e-3)


def test_a_perfect_curve_has_only_its_corners() -> None:
    y = np.repeat([[0.0], [1.0]], 5000, axis=0)
    report = classification_report(np.linspace(0, 1, 10_000)[:, None], y, ["no", "yes"])
    np.testing.assert_array_equal(axes_of(report, "roc", "fpr", "tpr"), [[0, 0, 1], [0, 1, 1]])
    curve = axes_of(report, "precision_recall", "recall", "precision")
    np.testing.assert_array_equal(curve, [[0, 1, 1], [1, 1, 0.5]])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_exclusive_classes_have_scikit_learns_matrix_and_curves_one_against_the_rest(
    classes: int, dtype: str, weighted: bool
) -> None:
    rng = np.random.default_rng(classes)
    h, y = rng.dirichlet(np.ones(classes), 90).astype(dtype), rng.integers(0, classes, 90)
    weight = rng.random(90) if weighted else None
    report = classification_report(h, y, names(classes), weight)
    assert_plain(report)
    matrix = confusion_matrix(y, h.argmax(axis=1), labels=range(classes), sample_weight=weight)
    np.testing.assert_allclose(report["confusion_matrix"]["counts"], matrix)
    assert report["confusion_matrix"]["labels"] == names(classes)
    chosen = [1] if classes == 2 else list(range(classes))
    for kind in ("roc", "precision_recall"):
        assert [curve["label"] for curve in report[kind]] == [f"class {k}" for k in chosen]
    areas = [roc_auc_score(y == k, h[:, k], sample_weight=weight) for k in chosen]
    assert [curve["auc"] for curve in report["roc"]] == pytest.approx(areas)
    assert np.mean(areas) == pytest.approx(classification(h, y, weight)["roc_auc"])
    precisions = [average_precision_score(y == k, h[:, k], sample_weight=weight) for k in chosen]
    assert [curve["average_precision"] for curve in report["precision_recall"]] == pytest.approx(precisions)
    assert report == classification_report(h, np.eye(classes)[y], names(classes), weight)


def test_a_logistic_output_has_the_matrix_of_its_predictions() -> None:
    h, y = np.array([[0.5], [0.4], [0.9], [0.2]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    assert classification_report(h, y, ["no", "yes"])["confusion_matrix"]["counts"] == [[1, 1], [1, 1]]
    h[1] = 0.6
    assert classification_report(h, y, ["no", "yes"])["confusion_matrix"]["counts"] == [[1, 1], [0, 2]]


def test_independent_outputs_have_scikit_learns_matrices_and_a_curve_each() -> None:
    rng = np.random.default_rng(0)
    h = rng.random((80, 4))
    y = (rng.random(h.shape) < h).astype(float)
    y[:, 2] = 0
    report = multi_label_report(h, y, names(4))
    assert_plain(report)
    np.testing.assert_array_equal(report["confusion_matrix"]["counts"], multilabel_confusion_matrix(y, h >= 0.5))
    assert [curve["label"] for curve in report["roc"]] == ["class 0", "class 1", "class 3"]
    areas = [roc_auc_score(y[:, k], h[:, k]) for k in (0, 1, 3)]
    assert [curve["auc"] for curve in report["roc"]] == pytest.approx(areas)
    alone = classification_report(h[:, 1:2], y[:, 1:2], ["not", "class 1"])
    assert report["precision_recall"][1] == alone["precision_recall"][0]
    assert report["calibration"]["classes"][1] == alone["calibration"]["classes"][0]


def test_with_many_classes_those_with_the_most_rows_have_curves() -> None:
    rng = np.random.default_rng(0)
    classes, largest = 50, [*range(30, 30 + MAX_CURVES)]
    y = np.concatenate([np.repeat(largest, 3), np.arange(classes)])
    h = rng.dirichlet(np.ones(classes), len(y))
    report = classification_report(h, y, names(classes))
    assert np.shape(report["confusion_matrix"]["counts"]) == (classes, classes)
    one_hot = np.eye(classes)[y]
    for each in (report, multi_label_report(h, one_hot, names(classes))):
        for curves in (each["roc"], each["precision_recall"], each["calibration"]["classes"]):
            assert [curve["label"] for curve in curves] == [f"class {k}" for k in largest]


@settings(max_examples=60, deadline=None)
@given(rows())
def test_the_bins_of_calibration_are_scikit_learns(case: tuple[Array, Array, Array | None]) -> None:
    h, y, _ = case
    calibration = classification_report(h, y, ["no", "yes"])["calibration"]
    (bins,) = calibration["classes"]
    share, mean = calibration_curve(y[:, 0], h[:, 0], n_bins=10, pos_label=1)
    assert bins["mean_predicted"] == pytest.approx(mean, rel=1e-5)
    assert bins["share_observed"] == pytest.approx(share)
    assert sum(bins["counts"]) == len(h)
    gaps = np.abs(np.subtract(bins["mean_predicted"], bins["share_observed"]))
    expected = (gaps * bins["counts"]).sum() / len(h)
    assert bins["expected_calibration_error"] == pytest.approx(expected)
    assert calibration["expected_calibration_error"] == bins["expected_calibration_error"]


def test_the_expected_calibration_error_is_the_mean_over_the_classes() -> None:
    rng = np.random.default_rng(0)
    h, y = rng.random((60, 3)), rng.integers(0, 3, 60)
    calibration = classification_report(h, y, names(3))["calibration"]
    for k, bins in enumerate(calibration["classes"]):
        share, mean = calibration_curve(y == k, normalized_rows(h)[:, k], n_bins=10)
        assert (bins["share_observed"], bins["mean_predicted"]) == (pytest.approx(share), pytest.approx(mean))
    errors = [bins["expected_calibration_error"] for bins in calibration["classes"]]
    assert calibration["expected_calibration_error"] == pytest.approx(np.mean(errors))


def test_perfectly_calibrated_probabilities_have_no_calibration_error() -> None:
    h, y = np.repeat([0.25, 0.75], 4)[:, None], np.array([1, 0, 0, 0, 1, 1, 1, 0.0])[:, None]
    assert classification_report(h, y, ["no", "yes"])["calibration"]["expected_calibration_error"] == 0.0


def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_zero_none() -> None:
    h, y = many(200)
    h = h.round(2)
    weight = np.arange(200) % 3
    repeated = np.repeat(h, weight, axis=0), np.repeat(y, weight, axis=0)
    weighted, plain = classification_report(h, y, ["a", "b"], weight), classification_report(*repeated, ["a", "b"])
    assert weighted["confusion_matrix"] == plain["confusion_matrix"]
    (one,), (other,) = weighted["calibration"]["classes"], plain["calibration"]["classes"]
    assert one["share_observed"] == other["share_observed"]
    (one,), (other,) = weighted["precision_recall"], plain["precision_recall"]
    assert one["average_precision"] == pytest.approx(other["average_precision"])
    found = multi_label_report(h, y, ["a"], weight)
    assert found["confusion_matrix"] == multi_label_report(*repeated, ["a"])["confusion_matrix"]
    (one,), (other,) = (regression_report(*each)["outputs"] for each in ((h, y, weight), repeated))
    assert one["residuals"]["mean"] == pytest.approx(other["residuals"]["mean"])
    assert one["residuals"]["quantiles"] == other["residuals"]["quantiles"]
    assert one["predicted_versus_actual"]["counts"] == other["predicted_versus_actual"]["counts"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_regression_report_has_the_residuals_and_deciles_of_each_output(dtype: str) -> None:
    rng = np.random.default_rng(0)
    h = rng.normal(5, 2, (101, 2)).astype(dtype)
    y = (h + rng.normal(1, 1, h.shape)).astype(dtype)
    report = regression_report(h, y)
    assert_plain(report)
    for k, output in enumerate(report["outputs"]):
        predicted, residual = h[:, k].astype(float), y[:, k].astype(float) - h[:, k]
        residuals, bins = output["residuals"], output["predicted_versus_actual"]
        assert residuals["mean"] == pytest.approx(residual.mean())
        assert residuals["standard_deviation"] == pytest.approx(residual.std())
        quantiles = dict(zip(residuals["quantiles"]["probabilities"], residuals["quantiles"]["values"], strict=True))
        assert (quantiles[0.0], quantiles[1.0]) == (residual.min(), residual.max())
        assert quantiles[0.5] == pytest.approx(np.median(residual))
        for share, value in quantiles.items():
            assert value in residual
            assert np.mean(residual <= value) >= share
            assert np.mean(residual < value) <= share
        assert len(bins["counts"]) == 10
        order = np.argsort(predicted)
        tenths = np.split(order, np.cumsum(bins["counts"])[:-1])
        assert {len(tenth) for tenth in tenths} == {10, 11}
        assert bins["mean_predicted"] == pytest.approx([predicted[tenth].mean() for tenth in tenths])
        assert bins["mean_actual"] == pytest.approx([y[tenth, k].mean() for tenth in tenths], rel=1e-5)
    moments = [[output["residuals"][name] for name in ("mean", "standard_deviation")] for output in report["outputs"]]
    assert np.sqrt(np.square(moments).sum() / 2) == pytest.approx(regression(h, y)["rmse"], rel=1e-5)


def test_twenty_predictions_make_ten_bins_of_two() -> None:
    (output,) = regression_report(np.arange(20.0)[:, None], np.zeros((20, 1)))["outputs"]
    assert output["predicted_versus_actual"]["counts"] == [2] * 10


def test_constant_predictions_and_single_rows_have_one_bin() -> None:
    for count in (1, 12):
        report = regression_report(np.full((count, 1), 0.1), np.arange(float(count))[:, None])
        assert_plain(report)
        (output,) = report["outputs"]
        assert output["predicted_versus_actual"] == {
            "mean_predicted": [pytest.approx(0.1)],
            "mean_actual": [(count - 1) / 2],
            "counts": [count],
        }


@pytest.mark.parametrize("h", [np.zeros((1, 3)), np.full((1, 3), 1 / 3), np.zeros((5, 3), np.float32)])
def test_a_single_row_and_outputs_of_zero_have_a_finite_report(h: Array) -> None:
    report = classification_report(h, np.full(len(h), 2), names(3))
    assert_plain(report)
    assert report["roc"] == []
    assert report["calibration"]["classes"][0]["mean_predicted"] == [pytest.approx(1 / 3)]
    assert_plain(multi_label_report(h, np.zeros_like(h), names(3)))
