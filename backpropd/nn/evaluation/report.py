"""The report at the end of training: tables and curves from outputs and targets, as plain lists and numbers for JSON.

Outputs h are (n, outputs) and hold at least one row, and a `weight` (n,) is as in `metrics`. Every number is finite for
finite arrays, of regression for those whose squares are finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backpropd.nn.evaluation.metrics import counts_by_threshold, roc_auc, shares
from backpropd.nn.layout import Array

MOST_POINTS = 200  # of a curve
MOST_CURVES = 20
BINS = 10
BIN_EDGES = np.linspace(0, 1, BINS + 1)[1:-1]
PROBABILITIES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def classification_report(h: Array, y: Array, labels: Sequence[str], weight: Array | None = None) -> dict[str, Any]:
    """The confusion matrix, curves and calibration of exclusive classes; h and y are as in `metrics.classification`.

    `labels` has a name for each class: two for h (n, 1). The matrix has the classes of y as rows and the answers as
    columns. The rest is that of the second of two classes, or of each of more against the others; of more than
    `MOST_CURVES`, of those with the most rows.

    - `roc`, for each class that has rows and lacks some: `auc`, and points from (0, 0), whose threshold lies just
      above every output, to (1, 1). A row counts as positive if its output is at least the threshold.
    - `precision_recall`, for the same classes: `average_precision`, the sum of the precisions weighted by the steps
      in recall (Manning et al. 2008, Introduction to Information Retrieval, section 8.4), and points from recall 0,
      whose precision is 1 by convention, to recall 1.
    - `calibration`: for each class the bins of its probability, a tenth wide, that have rows, and the expected
      calibration error, the mean of |mean predicted - share observed| over the rows (Naeini et al. 2015); over all,
      the mean of the classes' (Kull et al. 2019).

    A curve with more than `MOST_POINTS` corners keeps both ends and corners at even steps between them.
    """
    k = len(labels)
    if h.shape[1] == 1:
        answer, actual = h[:, 0] >= 0.5, y[:, 0] >= 0.5
        rest = _one_by_one(labels[1:], h, h, actual[:, None], weight)
    else:
        answer, actual = h.argmax(axis=1), y if y.ndim == 1 else y.argmax(axis=1)
        shown = np.array([1]) if k == 2 else _largest(np.bincount(actual, weight, k))
        names = [labels[i] for i in shown]
        rest = _one_by_one(names, h[:, shown], shares(h)[:, shown], actual[:, None] == shown, weight)
    counts = np.bincount(actual * k + answer, weight, k * k).reshape(k, k)
    return {"confusion_matrix": {"labels": list(labels), "counts": counts.tolist()}, **rest}


def multi_label_report(h: Array, y: Array, labels: Sequence[str], weight: Array | None = None) -> dict[str, Any]:
    """The same for independent outputs, with a name for each; h and y (n, outputs) are as in `metrics.multi_label`.

    The matrix of a label is [[true negatives, false positives], [false negatives, true positives]], and `counts` has
    one for each. Of more than `MOST_CURVES` labels, those that the most rows have get curves.
    """
    answer, actual = h >= 0.5, y >= 0.5
    counts = [np.bincount(cell, weight, 4).reshape(2, 2).tolist() for cell in (2 * actual + answer).T]
    shown = _largest(actual.sum(axis=0) if weight is None else weight @ actual)
    names = [labels[i] for i in shown]
    rest = _one_by_one(names, h[:, shown], h[:, shown], actual[:, shown], weight)
    return {"confusion_matrix": {"labels": list(labels), "counts": counts}, **rest}


def regression_report(h: Array, y: Array, weight: Array | None = None) -> dict[str, Any]:
    """For each output of h and y (n, outputs), its residuals y - h, and its means where the prediction is like.

    A quantile is the smallest residual that the share of rows reaches, so one that occurred. The rows of
    `predicted_versus_actual` lie between the tenths of the prediction; equal predictions are never parted.
    """
    columns = zip(h.T.astype(np.float64), y.T.astype(np.float64), strict=True)
    return {"outputs": [_regression(predicted, actual, weight) for predicted, actual in columns]}


def _regression(predicted: Array, actual: Array, weight: Array | None) -> dict[str, Any]:
    residual = actual - predicted
    mean = np.average(residual, weights=weight)
    variance = np.average((residual - mean) ** 2, weights=weight)
    edges = np.unique(_quantiles(predicted, np.arange(1, BINS) / BINS, weight))
    places = edges.searchsorted(predicted)
    return {
        "residuals": {
            "mean": float(mean),
            "standard_deviation": float(np.sqrt(variance)),
            "quantiles": {
                "probabilities": list(PROBABILITIES),
                "values": _quantiles(residual, PROBABILITIES, weight).tolist(),
            },
        },
        "predicted_versus_actual": _binned(places, weight, mean_predicted=predicted, mean_actual=actual),
    }


def _quantiles(values: Array, probabilities: Sequence[float] | Array, weight: Array | None) -> Array:
    return np.asarray(np.quantile(values, probabilities, weights=weight, method="inverted_cdf"))


def _one_by_one(
    labels: Sequence[str], scores: Array, probabilities: Array, positives: Array, weight: Array | None
) -> dict[str, Any]:
    """What each label has alone; scores, probabilities and positives (bool) are (n, labels)."""
    roc, precision_recall, calibration = [], [], []
    columns = zip(labels, scores.T, probabilities.T, positives.T, strict=True)
    for label, score, probability, positive in columns:
        calibration.append({"label": label, **_calibration(probability, positive, weight)})
        if (auc := roc_auc(score, positive, weight)) is not None:
            counted = counts_by_threshold(score, positive, weight)
            roc.append({"label": label, "auc": auc, "points": _roc(*counted)})
            precision_recall.append({"label": label, **_precision_recall(*counted)})
    error = sum(each["expected_calibration_error"] for each in calibration) / len(calibration)
    return {
        "roc": roc,
        "precision_recall": precision_recall,
        "calibration": {"expected_calibration_error": error, "classes": calibration},
    }


def _roc(thresholds: Array, true_positives: Array, false_positives: Array) -> dict[str, list[float]]:
    fpr, tpr = false_positives / false_positives[-1], true_positives / true_positives[-1]
    kept = _corners(fpr, tpr, fpr + tpr)
    return {"fpr": fpr[kept].tolist(), "tpr": tpr[kept].tolist(), "thresholds": thresholds[kept].tolist()}


def _precision_recall(thresholds: Array, true_positives: Array, false_positives: Array) -> dict[str, Any]:
    recall, passed = true_positives / true_positives[-1], true_positives + false_positives
    precision = np.divide(true_positives, passed, out=np.ones_like(passed), where=passed > 0)
    # Precision is a saw; the best that this recall or a higher one allows falls steadily.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    kept = _corners(recall, precision, recall - envelope)
    points = {"recall": recall[kept], "precision": precision[kept], "thresholds": thresholds[kept]}
    return {
        "average_precision": float(np.diff(recall) @ precision[1:]),
        "points": {name: values.tolist() for name, values in points.items()},
    }


def _corners(x: Array, y: Array, progress: Array) -> Array:
    """The places of the ends and of the points where the line bends, thinned by even steps of the growing progress."""
    dx, dy = x[1:] - x[:-1], y[1:] - y[:-1]
    moves = np.flatnonzero((dx != 0) | (dy != 0))  # points that repeat have no direction
    dx, dy = dx[moves], dy[moves]
    bends = moves[1:][dx[:-1] * dy[1:] != dx[1:] * dy[:-1]]
    kept = np.concatenate([[0], bends, [len(x) - 1]])
    if len(kept) <= MOST_POINTS:
        return kept
    progress = progress[kept]
    steps = np.linspace(progress[0], progress[-1], MOST_POINTS)[:-1]
    return np.asarray(kept[np.unique([*progress.searchsorted(steps), len(kept) - 1])])


def _calibration(probability: Array, positive: Array, weight: Array | None) -> dict[str, Any]:
    bins = _binned(BIN_EDGES.searchsorted(probability), weight, mean_predicted=probability, share_observed=positive)
    gaps = np.abs(np.subtract(bins["mean_predicted"], bins["share_observed"]))
    return {**bins, "expected_calibration_error": float(np.average(gaps, weights=bins["counts"]))}


def _binned(places: Array, weight: Array | None, **columns: Array) -> dict[str, list[float]]:
    """The mean of each column (n,) over the rows of each place, and their counts; places without rows are left out."""
    counts = np.bincount(places, weight)
    held = counts > 0
    means = {}
    for name, values in columns.items():
        sums = np.bincount(places, values if weight is None else values * weight)
        means[name] = (sums[held] / counts[held]).tolist()
    return {**means, "counts": counts[held].tolist()}


def _largest(counts: Array) -> Array:
    """The places of the `MOST_CURVES` largest of the counts (classes,), in order; of equal ones, the first."""
    return np.sort(np.argsort(-counts, kind="stable")[:MOST_CURVES])
