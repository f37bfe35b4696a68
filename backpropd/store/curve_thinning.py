"""The rule by which the curve of a long job is thinned while it grows.

Up to `curve_buckets.MAX_EPOCHS` every epoch stays. More are divided into buckets of equal size, of which those stay
that have the lowest and the highest loss, the lowest and the highest validation loss, and the last metrics; and the
first epoch and the last. So the lowest of all stays, and a plot keeps its shape. The size doubles as the curve grows,
so that never more than `MAX_EPOCHS` stay. What is kept depends on the curve alone, not on when it was thinned, because
the extremes of two buckets have those of both among them.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Of each epoch (n, 4): its number, loss, validation loss or NaN, and 1 if it has metrics, else 0."""


def bucket_of(epoch: NDArray[np.float64] | float, size: int) -> NDArray[np.float64]:
    """The number of an epoch's bucket."""
    return np.asarray((epoch - 1) // size)


def kept(points: Points, size: int) -> NDArray[np.bool_]:
    """Which of the points (n, 4), which are whole buckets in order, stay (n,)."""
    number, loss, validation_loss, has_metrics = points.T
    buckets = bucket_of(number, size)
    keep: NDArray[np.bool_] = np.equal(number, 1)
    keep[-1:] = True
    last_metrics = np.where(has_metrics > 0, -number, np.nan)
    for values in (loss, -loss, validation_loss, -validation_loss, last_metrics):
        keep[_lowest(buckets, values)] = True
    return keep


def _lowest(buckets: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.intp]:
    """The index of the lowest value in each bucket, the first of several; none where all are NaN."""
    order = np.lexsort((values, buckets))
    lowest = order[np.flatnonzero(np.diff(buckets[order], prepend=-1.0))]
    return lowest[~np.isnan(values[lowest])]
