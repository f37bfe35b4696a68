"""Metrics: the figures of an epoch, from outputs and targets; every one is finite for finite arrays.

Outputs h are (n, outputs) and hold at least one row. Where a function takes a `weight` (n,), a row counts as often as
its weight says (not negative, not all of them 0), and a row of weight 0 as if it were not there; without, each counts
once.
"""

from __future__ import annotations

import math

import numpy as np

from backpropd.nn.layout import Array

TINY = float(np.finfo(np.float64).tiny)


def accuracy(h: Array, y: Array, weight: Array | None = None) -> float:
    """The share of right answers, 0 to 1.

    For class indices y (n,) the answer is the largest of h (n, classes); for y (n, outputs) of 0 and 1, each
    output answers 1 from one half up.
    """
    right = h.argmax(axis=1) == y if y.ndim == 1 else (h >= 0.5) == (y >= 0.5)
    return float(_means(right, weight).mean())


def rmse(h: Array, y: Array, weight: Array | None = None) -> float:
    """The root of the mean squared error, in the target's unit; h and y are (n, outputs)."""
    return math.sqrt(_means(np.square(h - y, dtype=np.float64), weight).mean())


def mae(h: Array, y: Array, weight: Array | None = None) -> float:
    """The mean absolute error, in the target's unit; h and y are (n, outputs)."""
    return float(_means(np.abs(h - y, dtype=np.float64), weight).mean())


def r2(h: Array, y: Array, weight: Array | None = None) -> float:
    """The coefficient of determination 1 - Σ(y - h)² / Σ(y - ȳ)², averaged over the outputs; 1 is best.

    A constant target has no variance to explain: it counts 1 if met exactly, else 0. Draper and Smith 1998,
    Applied Regression Analysis, section 1.3.
    """
    if weight is not None:  # rows that do not count must not make a constant target look as if it varied
        h, y, weight = h[weight > 0], y[weight > 0], weight[weight > 0]
    residual = _means(np.square(h - y, dtype=np.float64), weight)
    total = _means(np.square(y - _means(y, weight)), weight)
    # Compared, too, because the rounded mean of equal numbers may differ from them.
    constant = (total == 0) | (y == y[0]).all(axis=0)
    explained = 1 - residual / np.where(constant, 1.0, total)
    return float(np.where(constant, residual == 0, explained).mean())


def roc_auc(score: Array, positive: Array, weight: Array | None = None) -> float | None:
    """The chance that a positive row scores above a negative one, where a tie is half a win; None without both kinds.

    `score` is (n,), `positive` (n,) of bool. It is the area under the ROC curve, and Mann and Whitney's U over the
    number of pairs (Hanley and McNeil 1982, The meaning and use of the area under a ROC curve), in n log n.
    """
    if weight is not None:
        _, true_positives, false_positives = counts_by_threshold(score, positive, weight)
        pairs = true_positives[-1] * false_positives[-1]
        return float(np.trapezoid(true_positives, false_positives) / pairs) if pairs > 0 else None
    # Both sorted: searches for growing numbers stay in the cache.
    positives, negatives = np.sort(score[positive]), np.sort(score[~positive])
    pairs = len(positives) * len(negatives)
    beaten = negatives.searchsorted(positives).sum() + negatives.searchsorted(positives, "right").sum()
    return float(beaten / (2 * pairs)) if pairs else None


def counts_by_threshold(score: Array, positive: Array, weight: Array | None = None) -> tuple[Array, Array, Array]:
    """Thresholds, and how many true and false positives pass them: a row does whose score is at least that.

    `score` is (n,), `positive` (n,) of bool. The thresholds are the different scores from the highest down, after one
    just above them that no row passes; all three are (1 + different scores,).
    """
    order = score.argsort()[::-1]
    score, positive = score[order].astype(np.float64), positive[order]
    counted = np.ones(len(score)) if weight is None else weight[order]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    passed = ((counted * kind).cumsum(dtype=np.float64)[last] for kind in (positive, ~positive))
    true_positives, false_positives = (np.append(0.0, count) for count in passed)
    return np.append(np.nextafter(score[0], np.inf), score[last]), true_positives, false_positives


def classification(h: Array, y: Array, weight: Array | None = None) -> dict[str, float]:
    """What an epoch of classification reports; each figure is scikit-learn's of that name.

    h (n, classes) has the outputs of exclusive classes and y the class indices (n,), or one-hot (n, classes); or both
    are (n, 1), the output of the second of two classes, and 0 or 1. The largest output is the answer, or one half and
    more of a single one.

    - `accuracy`, and `balanced_accuracy`: the mean recall of the classes that y has.
    - `precision`, `recall` and `f1`: of the second of two classes; of more, the mean over the classes that y or the
      answers have. What would be 0/0 is 0: the precision of a class that is never answered, the recall of one that y
      does not have (`zero_division=0`).
    - `roc_auc`: of the second of two classes; of more, the mean over the classes that y has, each against the rest.
      It is left out if y has one class only.
    - `log_loss`: of the outputs as shares of their row's sum, clipped to the dtype's epsilon and 1 minus that.
    """
    if h.shape[1] == 1:
        return multi_label(h, y, weight)
    y = y if y.ndim == 1 else y.argmax(axis=1)
    scored = [1] if h.shape[1] == 2 else np.flatnonzero(np.bincount(y))
    areas = [roc_auc(h[:, k], y == k, weight) for k in scored]
    return {
        **_answered(h, y, weight),
        **_mean_area(areas),
        "log_loss": _log_loss(shares(h)[np.arange(len(y)), y], weight),
    }


def multi_label(h: Array, y: Array, weight: Array | None = None) -> dict[str, float]:
    """What an epoch of independent outputs reports: the figures of `classification`, averaged over the outputs.

    h (n, outputs) is in [0, 1], y (n, outputs) holds 0 and 1, and an output answers 1 from one half up. Each is the
    mean over all outputs of the figure of the label 1 against 0, with 0 for 0/0; the `balanced_accuracy` of an
    output is over the kinds of rows that it has, and `roc_auc` over the outputs that have both, and left out if none
    has. So `accuracy` is 1 minus the Hamming loss.
    """
    answer, true = h >= 0.5, y >= 0.5
    kinds = np.concatenate([answer & true, true, answer, ~(answer | true), ~true], axis=1)
    hits, actual, answered, spared, negative = _means(kinds, weight).reshape(5, -1)
    precision, recall, f1 = _rates(hits, answered, actual)
    balanced = (recall + spared / np.maximum(negative, TINY)) / ((actual > 0) + 1.0 * (negative > 0))
    averaged = np.array([hits + spared, balanced, precision, recall, f1]).mean(axis=1).tolist()
    areas = [roc_auc(score, positive, weight) for score, positive in zip(h.T, true.T, strict=True)]
    return {
        **dict(zip(("accuracy", "balanced_accuracy", "precision", "recall", "f1"), averaged, strict=True)),
        **_mean_area(areas),
        "log_loss": _log_loss(np.where(true, h, 1 - h), weight),
    }


def regression(h: Array, y: Array, weight: Array | None = None) -> dict[str, float]:
    """What an epoch of regression reports: rmse, mae and r2."""
    return {"rmse": rmse(h, y, weight), "mae": mae(h, y, weight), "r2": r2(h, y, weight)}


def shares(h: Array) -> Array:
    """Outputs (n, classes), none negative, as shares of their row's sum; equal ones where all are 0."""
    total = h.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(h, total, out=np.full_like(h, 1 / h.shape[1]), where=total > 0))


def _means(values: Array, weight: Array | None) -> Array:
    """The mean over the rows, in float64: () for values (n,), (outputs,) for (n, outputs)."""
    if weight is None:
        return np.asarray(values.mean(axis=0, dtype=np.float64))
    weight = weight.astype(np.float64)
    return np.asarray(weight @ values / weight.sum())


def _answered(h: Array, y: Array, weight: Array | None) -> dict[str, float]:
    """The figures of `classification` that look at the answers alone; y (n,) has class indices."""
    classes, answer = h.shape[1], h.argmax(axis=1)
    right = answer == y if weight is None else (answer == y) * weight
    hits, answered, actual = (
        np.bincount(kind, by, classes) for kind, by in ((y, right), (answer, weight), (y, weight))
    )
    rates = _rates(hits, answered, actual)
    averaged = [1] if classes == 2 else np.flatnonzero(answered + actual)
    precision, recall, f1 = (float(rate[averaged].mean()) for rate in rates)
    return {
        "accuracy": float(hits.sum() / actual.sum()),
        "balanced_accuracy": float(rates[1][actual > 0].mean()),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def _rates(hits: Array, answered: Array, actual: Array) -> tuple[Array, Array, Array]:
    """Precision, recall and f1, their harmonic mean, of each class (classes,); 0 for 0/0.

    Van Rijsbergen 1979, Information Retrieval, chapter 7.
    """
    precision, recall = hits / np.maximum(answered, TINY), hits / np.maximum(actual, TINY)
    return precision, recall, 2 * hits / np.maximum(answered + actual, TINY)


def _mean_area(areas: list[float | None]) -> dict[str, float]:
    defined = [area for area in areas if area is not None]
    return {"roc_auc": sum(defined) / len(defined)} if defined else {}


def _log_loss(probability: Array, weight: Array | None) -> float:
    """The mean of -log of the probabilities that were given to what came true, kept finite by clipping."""
    epsilon = np.finfo(probability.dtype).eps
    return float(_means(-np.log(probability.clip(epsilon, 1 - epsilon)), weight).mean())
