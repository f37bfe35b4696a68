"""Histograms of columns: values are counted block by block in cells of a grid, which become a few bins at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.columns import MAX_WHOLE

Numbers = NDArray[np.float64]
Counts = Mapping[float, int] | Mapping[int, int]
Binned = tuple[list[float], list[int]]
"""The edges of the bins (bins + 1,), and how many values each holds: a bin has its lower edge, the last one both."""

MAX_BINS = 32
MIN_CELLS, MAX_CELLS = 128, 2048
SIGNIFICANT_BITS = 52  # the cells of all numbers then have whole numbers that float64 holds


class Grid:
    """Counts of finite numbers in cells of one width, a power of two: it doubles as the range of the numbers grows.

    The cell of a number is exact, because a float64 is divided by a power of two without rounding. A cell is at least
    `2 ** least_exponent` wide.
    """

    def __init__(self, max_levels: int, least_exponent: int = -1000) -> None:
        """There are about twice as many cells as different values that the columns may list, which bounds memory."""
        self._cells = 1 << int(math.log2(min(max(2 * max_levels, MIN_CELLS), MAX_CELLS)))
        self._exponent, self._base, self._scale = least_exponent, 0, 0.0
        self._counts: NDArray[np.int64] | None = None

    def add(self, x: Numbers, low: float, high: float) -> None:
        """Count the numbers x (n,); `low` and `high` are the extremes of all numbers so far, these included."""
        counts = self._covering(low, high)
        cells = np.multiply(x, self._scale)
        np.floor(cells, out=cells)
        cells -= self._base
        counts += np.bincount(cells.astype(np.intp), minlength=len(counts))

    def add_counted(self, values: Counts, low: float, high: float) -> None:
        """Count each number as often as `values` says; `low` and `high` as in `add`."""
        counts = self._covering(low, high)
        cells = np.floor(np.array([*values], np.float64) * self._scale) - self._base
        np.add.at(counts, cells.astype(np.intp), np.array([*values.values()], np.int64))

    def _covering(self, low: float, high: float) -> NDArray[np.int64]:
        """The counts, of cells that hold everything from `low` to `high`."""
        old, base, exponent = self._counts, self._base, self._exponent
        if old is not None and base <= low * self._scale and high * self._scale < base + self._cells:
            return old
        of_range = math.frexp(high / 2 - low / 2)[1] + 1 - int(math.log2(self._cells // 2))
        of_precision = math.frexp(max(abs(low), abs(high)))[1] - SIGNIFICANT_BITS
        self._exponent = max(exponent, of_precision, of_range if high > low else exponent)
        self._scale = math.ldexp(1.0, -self._exponent)
        first, last = self._cell(low), self._cell(high)
        self._base = first - (self._cells - (last - first + 1)) // 2
        self._counts = np.zeros(self._cells, np.int64)
        if old is not None:
            filled = np.flatnonzero(old)
            moved = (filled + base) >> min(self._exponent - exponent, 63)
            np.add.at(self._counts, moved - self._base, old[filled])
        return self._counts

    def _cell(self, x: float) -> int:
        return math.floor(x * self._scale)

    def binned(self, low: float, high: float) -> Binned:
        """Up to `MAX_BINS` bins, whose inner edges are the cells' edges that are nearest to those of equal bins."""
        counts = self._covering(low, high)
        if low == high:
            return [low, high], [int(counts.sum())]
        at_low, at_high = low * self._scale, high * self._scale
        wanted = np.unique(np.round(_equal_edges(low, high, MAX_BINS)[1:-1] * self._scale))
        inner = wanted[(wanted > at_low) & (wanted < at_high)].astype(np.int64)
        starts = np.concatenate([[self._cell(low)], inner]) - self._base
        edges = [low, *(math.ldexp(float(each), self._exponent) for each in inner), high]
        return edges, np.add.reduceat(counts, starts).tolist()


def bin_counted(values: Counts, edges: Sequence[float] | None = None) -> Binned:
    """The bins of different numbers with their counts, which are not empty; of equal width unless `edges` are given.

    Whole numbers over a range of less than `MAX_BINS` have a bin each: the last edge is then the maximum + 1.
    """
    x, counts = np.array([*values], np.float64), np.array([*values.values()], np.int64)
    low, high = float(x.min()), float(x.max())
    if low == high:
        return [low, high], [int(counts.sum())]
    if edges is None:
        edges = _edges_of(x, low, high).tolist()
    bins = np.searchsorted(edges[1:-1], x, side="right")
    found = np.zeros(len(edges) - 1, np.int64)
    np.add.at(found, bins, counts)
    return list(edges), found.tolist()


def _edges_of(x: Numbers, low: float, high: float) -> Numbers:
    if high / 2 - low / 2 < MAX_BINS / 2 and max(-low, high) < MAX_WHOLE and (np.floor(x) == x).all():
        return np.arange(low, high + 2)
    return _equal_edges(low, high, MAX_BINS)


def _equal_edges(low: float, high: float, bins: int) -> Numbers:
    """The edges (bins + 1,) of bins of equal width, fewer where float64 has no number between two of them."""
    share = np.arange(bins + 1) / bins
    edges: Numbers = np.unique(np.clip(low * (1 - share) + high * share, low, high))
    return edges


def numeric_histogram(binned: Binned) -> dict[str, Any]:
    """The histogram of a column of numbers, as the API shows it."""
    return {"edges": binned[0], "counts": binned[1]}


def level_histogram(levels: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The histogram of words with their counts, most frequent first: `other` is the number of values beyond the first.

    The first `MAX_BINS` levels are listed.
    """
    first = levels[:MAX_BINS]
    return {
        "levels": [level for level, _ in first],
        "counts": [count for _, count in first],
        "other": sum(count for _, count in levels[MAX_BINS:]),
    }
