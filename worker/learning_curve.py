"""The stored curve of a job that is being trained, and what the next write adds to it and drops from it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from backpropd.store.curve_thinning import Points, bucket_of, bucket_size, kept


class CurveChange(NamedTuple):
    """The epochs to insert, the numbers of those to delete, and the points of the curve then."""

    added: list[dict[str, Any]]
    dropped: list[int]
    points: Points


def plan_change(stored: Points, pending: list[dict[str, Any]]) -> CurveChange:
    """How the curve of the `stored` points is continued by `pending` epochs, thinned by the rule of its new length."""
    if not pending:
        return CurveChange([], [], stored)
    points = np.concatenate([stored, points_of(pending)])
    size = bucket_size(pending[-1]["epoch"])
    if size == 1:
        return CurveChange(pending, [], points)
    first = _first_to_thin(stored, size)
    keep = np.ones(len(points), np.bool_)
    keep[first:] = kept(points[first:], size)
    added = [row for row, stays in zip(pending, keep[len(stored) :].tolist(), strict=True) if stays]
    dropped = stored[~keep[: len(stored)], 0].astype(int).tolist()
    return CurveChange(added, dropped, points[keep])


def points_of(epochs: Sequence[Mapping[str, Any]]) -> Points:
    """The points of epochs, as `curve_thinning` takes them."""
    rows = [(each["epoch"], each["loss"], each["validation_loss"], bool(each["metrics"])) for each in epochs]
    return np.array(rows, np.float64).reshape(-1, 4)


def _first_to_thin(stored: Points, size: int) -> int:
    """The index of the first stored point that may go: of the last bucket, or of all when the size has grown."""
    if not len(stored) or bucket_size(int(stored[-1, 0])) != size:
        return 0
    return int(np.searchsorted(bucket_of(stored[:, 0], size), bucket_of(stored[-1, 0], size)))
