"""Metrics of an epoch, from outputs and targets; every one is finite for finite arrays.

Outputs h are (n, outputs) with at least one row. A `weight` (n,) gives each row's weight in the sums (not negative, not
all 0); a row of weight 0 is ignored. Without it every row has weight 1.
"""

import math

import numpy as np

from backpropd.nn.layout import Array

TINY = float(np.finfo(np.float64).tiny)


def roc_auc(score: Array, positive: Array, weight: Array | None = None) -> float | None:
    """The probability that a positive row scores above a negative one, a tie counting half; None without both kinds.

    `score` is (n,), `positive` (n,) of bool. It is the area under the ROC curve, and Mann and Whitney's U divided by
    the number of pairs (Hanley and McNeil 1982, The meaning and use of the area under a ROC curve); O(n log n).
    """
    if weight is not None:
        _, true_positives, false_positives = counts_by_threshold(score, positive, weight)
        pairs = true_positives[-1] * false_positives[-1]
        return float(np.trapezoid(true_positives, false_positives) / pairs) if pairs > 0 else None
    # both sorted: binary searches for increasing numbers stay in the cache
    positives, negatives = np.sort(score[positive]), np.sort(score[~positive])
    pairs = len(positives) * len(negatives)
    wins = negatives.searchsorted(positives).sum() + negatives.searchsorted(positives, "right").sum()
    return float(wins / (2 * pairs)) if pairs else None


def counts_by_threshold(score: Array, positive: Array, weight: Array | None = None) -> tuple[Array, Array, Array]:
    """Thresholds, and the true and false positives at each: the rows with a score of at least the threshold.

    `score` is (n,), `positive` (n,) of bool. The thresholds are the distinct scores from the highest down, after
    one just above all of them; all three arrays are (1 + distinct scores,).
    """
    order = score.argsort()[::-1]
    score, positive = score[order].astype(np.float64), positive[order]
    counted = np.ones(len(score)) if weight is None else weight[order]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    passed = ((counted * kind).cumsum(dtype=np.float64)[last] for kind in (positive, ~positive))
    true_positives, false_positives = (np.append(0.0, count) for count in passed)
    return np.append(np.nextafter(score[0], np.inf), score[last]), true_positives, false_positives


def classification(h: Array, y: Array, weight: Array | None = None) -> dict[str, float]:
    """The metrics of classification; each is scikit-learn's of that name.

    h (n, classes) are the outputs for exclusive classes, and y the class indices (n,), or one-hot (n, classes); or
    both are (n, 1): the output for the second of two classes, and 0 or 1. The predicted class is that of the largest
    output; a single output predicts the second class from one half up.

    - `accuracy`, and `balanced_accuracy`: the mean recall over the classes in y.
    - `precision`, `recall` and `f1`: of the second of two classes; of more, the mean over the classes in y or in the
      predictions. 0/0 is 0: the precision of a class that is never predicted, the recall of a class that is not in y
      (`zero_division=0`).
    - `roc_auc`: of the second of two classes; of more, the mean over the classes in y, each against the rest. Left
      out if y has one class only.
    - `log_loss`: of the outputs divided by their row's sum, clipped to the dtype's epsilon and 1 minus that.
    """
    if h.shape[1] == 1:
        return multi_label(h, y, weight)
    y = y if y.ndim == 1 else y.argmax(axis=1)
    scored = [1] if h.shape[1] == 2 else np.flatnonzero(np.bincount(y))
    areas = [roc_auc(h[:, k], y == k, weight) for k in scored]
    return {
        **_from_predictions(h, y, weight),
        **_mean_area(areas),
        "log_loss": _log_loss(normalized_rows(h)[np.arange(len(y)), y], weight),
    }


def error_rate(h: Array, y: Array) -> float:
    """1 minus the `accuracy` of `classification`, or of `multi_label` for several outputs that are 0 or 1 each."""
    if y.ndim == 1:
        return float((h.argmax(axis=1) != y).mean())
    return float(((h >= 0.5) != (y >= 0.5)).mean())


def multi_label(h: Array, y: Array, weight: Array | None = None) -> dict[str, float]:
    """The metrics of independent outputs: those of `classification` for label 1 against 0, averaged over the outputs.

    h (n, outputs) is in [0, 1], y (n, outputs) is 0 or 1, and an output predicts 1 from one half up; 0/0 is 0.
    `balanced_accuracy` averages over the labels that an output has rows of, `roc_auc` over the outputs that have rows
    of both labels; it is left out if there are none. `accuracy` is 1 minus the Hamming loss.
    """
    predicted, true = h >= 0.5, y >= 0.5
    rows = np.concatenate([predicted & true, true, predicted, ~(predicted | true), ~true], axis=1)
    hits, positive, predicted_positive, true_negative, negative = _means(rows, weight).reshape(5, -1)
    precision, recall, f1 = _rates(hits, predicted_positive, positive)
    balanced = (recall + true_negative / np.maximum(negative, TINY)) / ((positive > 0) + 1.0 * (negative > 0))
    averaged = np.array([hits + true_negative, balanced, precision, recall, f1]).mean(axis=1).tolist()
    areas = [roc_auc(score, label, weight) for score, label in zip(h.T, true.T, strict=True)]
    return {
        **dict(zip(("accuracy", "balanced_accuracy", "precision", "recall", "f1"), averaged, strict=True)),
        **_mean_area(areas),
        "log_loss": _log_loss(np.where(true, h, 1 - h), weight),
    }


def regression(h: Array, y: Array, weight: Array | None = None) -> dict[str, float]:
    """The metrics of regression; h and y are (n, outputs). `rmse` and `mae` are in the target's unit.

    `r2` is the coefficient of determination 1 - Σ(y - h)² / Σ(y - ȳ)², averaged over the outputs; 1 is best. A constant
    target has no variance to explain: its r2 is 1 if predicted exactly, else 0. Draper and Smith 1998, Applied
    Regression Analysis, section 1.3.
    """
    if weight is not None:  # rows of weight 0 must not make a constant target vary
        h, y, weight = h[weight > 0], y[weight > 0], weight[weight > 0]
    squares = _means(np.square(h - y, dtype=np.float64), weight)
    absolute = _means(np.abs(h - y, dtype=np.float64), weight)
    total = _means(np.square(y - _means(y, weight)), weight)
    # the rounded mean of equal numbers may differ from them, so `total == 0` is not enough
    constant = (total == 0) | (y == y[0]).all(axis=0)
    r2 = np.where(constant, squares == 0, 1 - squares / np.where(constant, 1.0, total))
    return {"rmse": math.sqrt(squares.mean()), "mae": float(absolute.mean()), "r2": float(r2.mean())}


def normalized_rows(h: Array) -> Array:
    """Outputs (n, classes), none negative, divided by their row's sum; equal fractions where all are 0."""
    total = h.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(h, total, out=np.full_like(h, 1 / h.shape[1]), where=total > 0))


def _means(values: Array, weight: Array | None) -> Array:
    """The mean over the rows, in float64: () for values (n,), (outputs,) for (n, outputs)."""
    if weight is None:
        return np.asarray(values.mean(axis=0, dtype=np.float64))
    weight = weight.astype(np.float64)
    return np.asarray(weight @ values / weight.sum())


def _from_predictions(h: Array, y: Array, weight: Array | None) -> dict[str, float]:
    """The metrics of `classification` that depend on the predicted classes alone; y (n,) are class indices."""
    classes, prediction = h.shape[1], h.argmax(axis=1)
    correct = prediction == y if weight is None else (prediction == y) * weight
    hits, predicted, actual = (
        np.bincount(of, by, classes) for of, by in ((y, correct), (prediction, weight), (y, weight))
    )
    rates = _rates(hits, predicted, actual)
    averaged = [1] if classes == 2 else np.flatnonzero(predicted + actual)
    precision, recall, f1 = (float(rate[averaged].mean()) for rate in rates)
    return {
        "accuracy": float(hits.sum() / actual.sum()),
        "balanced_accuracy": float(rates[1][actual > 0].mean()),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def _rates(hits: Array, predicted: Array, actual: Array) -> tuple[Array, Array, Array]:
    """Precision, recall and their harmonic mean f1 of each class (classes,); 0/0 is 0.

    Van Rijsbergen 1979, Information Retrieval, chapter 7.
    """
    precision, recall = hits / np.maximum(predicted, TINY), hits / np.maximum(actual, TINY)
    return precision, recall, 2 * hits / np.maximum(predicted + actual, TINY)


def _mean_area(areas: list[float | None]) -> dict[str, float]:
    defined = [area for area in areas if area is not None]
    return {"roc_auc": sum(defined) / len(defined)} if defined else {}


def _log_loss(probability: Array, weight: Array | None) -> float:
    """The mean of -log of the probabilities (n,) or (n, outputs) given to the true labels, clipped to stay finite."""
    epsilon = np.finfo(probability.dtype).eps
    return float(_means(-np.log(probability.clip(epsilon, 1 - epsilon)), weight).mean())
