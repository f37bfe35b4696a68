"""The report at the end of training: tables and curves from outputs and targets, as lists and numbers for JSON.

Outputs h are (n, outputs) with at least one row; a `weight` (n,) is as in `metrics`. Every number is finite for finite
arrays, in regression for arrays whose squares are finite.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backpropd.nn.evaluation.metrics import counts_by_threshold, normalized_rows, roc_auc
from backpropd.nn.layout import Array

MAX_POINTS = 200  # of a curve
MAX_CURVES = 20
BINS = 10
BIN_EDGES = np.linspace(0, 1, BINS + 1)[1:-1]
PROBABILITIES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def classification_report(h: Array, y: Array, labels: Sequence[str], weight: Array | None = None) -> dict[str, Any]:
    """The confusion matrix, curves and calibration of exclusive classes; h and y are as in `metrics.classification`.

    `labels` names each class: two for h (n, 1). The rows of the matrix are the classes of y, the columns the predicted
    ones. The rest is for the second of two classes, or for each of more against the others; of more than
    `MAX_CURVES`, for those with the most rows.

    - `roc`, for each class that has some of the rows but not all: `auc`, and points from (0, 0), with a threshold just
      above every output, to (1, 1). A row counts as positive if its output is at least the threshold.
    - `precision_recall`, for the same classes: `average_precision`, the sum of the precisions weighted by the steps
      in recall (Manning et al. 2008, Introduction to Information Retrieval, section 8.4), and points from recall 0,
      whose precision is 1 by convention, to recall 1.
    - `calibration`: for each class the bins of its probability, a tenth wide, without the empty ones, and the expected
      calibration error, the mean of |mean predicted - share observed| over the rows (Naeini et al. 2015); in total,
      the mean over the classes (Kull et al. 2019).

    A curve with more than `MAX_POINTS` corners is thinned to both ends and corners at even steps between them.
    """
    k = len(labels)
    predicted: Array
    actual: Array
    if h.shape[1] == 1:
        predicted, actual = h[:, 0] >= 0.5, y[:, 0] >= 0.5
        curves = _curves(labels[1:], h, h, actual[:, None], weight)
    else:
        predicted, actual = h.argmax(axis=1), y if y.ndim == 1 else y.argmax(axis=1)
        chosen = np.array([1]) if k == 2 else _largest(np.bincount(actual, weight, k))
        names = [labels[i] for i in chosen]
        curves = _curves(names, h[:, chosen], normalized_rows(h)[:, chosen], actual[:, None] == chosen, weight)
    counts = np.bincount(actual * k + predicted, weight, k * k).reshape(k, k)
    return {"confusion_matrix": {"labels": list(labels), "counts": counts.tolist()}, **curves}


def multi_label_report(h: Array, y: Array, labels: Sequence[str], weight: Array | None = None) -> dict[str, Any]:
    """The same for independent outputs, named by `labels`; h and y (n, outputs) are as in `metrics.multi_label`.

    `counts` has a matrix for each label: [[true negatives, false positives], [false negatives, true positives]]. Of
    more than `MAX_CURVES` labels, those of the most rows get curves.
    """
    predicted, actual = h >= 0.5, y >= 0.5
    counts = [np.bincount(cell, weight, 4).reshape(2, 2).tolist() for cell in (2 * actual + predicted).T]
    chosen = _largest(actual.sum(axis=0) if weight is None else weight @ actual)
    names = [labels[i] for i in chosen]
    curves = _curves(names, h[:, chosen], h[:, chosen], actual[:, chosen], weight)
    return {"confusion_matrix": {"labels": list(labels), "counts": counts}, **curves}


def regression_report(h: Array, y: Array, weight: Array | None = None) -> dict[str, Any]:
    """For each output of h and y (n, outputs): its residuals y - h, and mean prediction against mean target by bin.

    Quantiles are residuals that occurred: the smallest that the given fraction of the rows does not exceed. The bins
    of `predicted_versus_actual` are the deciles of the prediction; equal predictions are in one bin.
    """
    columns = zip(h.T.astype(np.float64), y.T.astype(np.float64), strict=True)
    return {"outputs": [_regression(predicted, actual, weight) for predicted, actual in columns]}


def _regression(predicted: Array, actual: Array, weight: Array | None) -> dict[str, Any]:
    residual = actual - predicted
    mean = np.average(residual, weights=weight)
    variance = np.average((residual - mean) ** 2, weights=weight)
    edges = np.unique(_quantiles(predicted, np.arange(1, BINS) / BINS, weight))
    bins = edges.searchsorted(predicted)
    return {
        "residuals": {
            "mean": float(mean),
            "standard_deviation": float(np.sqrt(variance)),
            "quantiles": {
                "probabilities": list(PROBABILITIES),
                "values": _quantiles(residual, PROBABILITIES, weight).tolist(),
            },
        },
        "predicted_versus_actual": _binned(bins, weight, mean_predicted=predicted, mean_actual=actual),
    }


def _quantiles(values: Array, probabilities: Sequence[float] | Array, weight: Array | None) -> Array:
    return np.asarray(np.quantile(values, probabilities, weights=weight, method="inverted_cdf"))


def _curves(
    labels: Sequence[str], scores: Array, probabilities: Array, positives: Array, weight: Array | None
) -> dict[str, Any]:
    """The curves and calibration of each label; scores, probabilities and positives (bool) are (n, labels)."""
    roc, precision_recall, calibration = [], [], []
    columns = zip(labels, scores.T, probabilities.T, positives.T, strict=True)
    for label, score, probability, positive in columns:
        calibration.append({"label": label, **_calibration(probability, positive, weight)})
        if (auc := roc_auc(score, positive, weight)) is not None:
            counts = counts_by_threshold(score, positive, weight)
            roc.append({"label": label, "auc": auc, "points": _roc(*counts)})
            precision_recall.append({"label": label, **_precision_recall(*counts)})
    error = sum(each["expected_calibration_error"] for each in calibration) / len(calibration)
    return {
        "roc": roc,
        "precision_recall": precision_recall,
        "calibration": {"expected_calibration_error": error, "classes": calibration},
    }


def _roc(thresholds: Array, true_positives: Array, false_positives: Array) -> dict[str, list[float]]:
    fpr, tpr = false_positives / false_positives[-1], true_positives / true_positives[-1]
    corners = _corners(fpr, tpr, fpr + tpr)
    return {"fpr": fpr[corners].tolist(), "tpr": tpr[corners].tolist(), "thresholds": thresholds[corners].tolist()}


def _precision_recall(thresholds: Array, true_positives: Array, false_positives: Array) -> dict[str, Any]:
    recall, positives = true_positives / true_positives[-1], true_positives + false_positives
    precision = np.divide(true_positives, positives, out=np.ones_like(positives), where=positives > 0)
    # precision goes up and down; the best at this recall or a higher one never goes up
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    corners = _corners(recall, precision, recall - envelope)
    points = {"recall": recall[corners], "precision": precision[corners], "thresholds": thresholds[corners]}
    return {
        "average_precision": float(np.diff(recall) @ precision[1:]),
        "points": {name: values.tolist() for name, values in points.items()},
    }


def _corners(x: Array, y: Array, progress: Array) -> Array:
    """The indices of both ends and of the points where the line bends, thinned to even steps of `progress`."""
    dx, dy = x[1:] - x[:-1], y[1:] - y[:-1]
    moves = np.flatnonzero((dx != 0) | (dy != 0))  # repeated points have no direction
    dx, dy = dx[moves], dy[moves]
    bends = moves[1:][dx[:-1] * dy[1:] != dx[1:] * dy[:-1]]
    corners = np.concatenate([[0], bends, [len(x) - 1]])
    if len(corners) <= MAX_POINTS:
        return corners
    progress = progress[corners]
    steps = np.linspace(progress[0], progress[-1], MAX_POINTS)[:-1]
    return np.asarray(corners[np.unique([*progress.searchsorted(steps), len(corners) - 1])])


def _calibration(probability: Array, positive: Array, weight: Array | None) -> dict[str, Any]:
    bins = _binned(BIN_EDGES.searchsorted(probability), weight, mean_predicted=probability, share_observed=positive)
    gaps = np.abs(np.subtract(bins["mean_predicted"], bins["share_observed"]))
    return {**bins, "expected_calibration_error": float(np.average(gaps, weights=bins["counts"]))}


def _binned(bins: Array, weight: Array | None, **columns: Array) -> dict[str, list[float]]:
    """The mean of each column (n,) over the rows of each bin, and their counts; empty bins are left out."""
    counts = np.bincount(bins, weight)
    filled = counts > 0
    means = {}
    for name, values in columns.items():
        sums = np.bincount(bins, values if weight is None else values * weight)
        means[name] = (sums[filled] / counts[filled]).tolist()
    return {**means, "counts": counts[filled].tolist()}


def _largest(counts: Array) -> Array:
    """The indices of the `MAX_CURVES` largest of the counts (classes,), in order; of equal ones, the first."""
    return np.sort(np.argsort(-counts, kind="stable")[:MAX_CURVES])
