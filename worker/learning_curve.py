"""The stored curve of a job that is being trained, and what the next write adds to it and drops from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from backpropd.store.curve_buckets import bucket_size
from backpropd.store.curve_thinning import Points, bucket_of, kept


class CurveChange(NamedTuple):
    """The epochs to insert, the numbers of those to delete, and the points of the curve then."""

    added: list[dict[str, Any]]
    dropped: list[int]
    points: Points

    def parts(self, most: int) -> list[CurveChange]:
        """The change in one or more parts, each with at most `most` epochs to insert and as many to delete."""
        size = max(len(self.added), len(self.dropped), 1)
        cuts = [slice(begin, begin + most) for begin in range(0, size, most)]
        return [CurveChange(self.added[cut], self.dropped[cut], self.points) for cut in cuts]


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
    keep[0] = True  # the curve of a fork begins with a later epoch than the first
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
