"""Statistics of a column, updated block by block."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.columns import ColumnInfo, kind_of_strings, merged_spellings
from backpropd.tabular.histogram import Grid, bin_counted, level_histogram, numeric_histogram

Numbers = NDArray[np.float64]

MAX_LEVEL_CHARACTERS = 1000
MAX_COUNTED_NUMBERS = 50  # different whole numbers, at most, that a description lists with their counts
MAX_EXAMPLE_CHARACTERS = 100


class NumberStatistics:
    """Minimum, maximum, mean and standard deviation (Chan, Golub and LeVeque 1983), and the distinct values if few.

    `increasing`: each number is greater than the one before.
    """

    def __init__(self, name: str, max_levels: int) -> None:
        self.name, self.max_levels = name, max_levels
        self.missing = self.count = 0
        self.mean = self.m2 = 0.0
        self.low, self.high = math.inf, -math.inf
        self.whole = self.increasing = True
        self.last = -math.inf
        self.values: Counter[float] | None = Counter()
        self.grid = Grid(max_levels)  # counts the numbers once there are too many different ones

    def update(self, values: pa.Array) -> None:
        """Add a block of finite numbers."""
        self.missing += values.null_count
        x = (values.drop_null() if values.null_count else values).to_numpy()
        if not len(x):
            return
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        self.whole = self.whole and bool((np.floor(x) == x).all())
        self.increasing = self.increasing and bool(x[0] > self.last and (x[1:] > x[:-1]).all())
        self.last = float(x[-1])
        self._update_moments(x)
        self._count(x)

    def _count(self, x: Numbers) -> None:
        if self.values is None:
            self.grid.add(x, self.low, self.high)
        elif (counts := _few_counts(x, self.max_levels)) is None:
            self._stop_listing()
            self.grid.add(x, self.low, self.high)
        else:
            self.values.update(counts)
            if len(self.values) > self.max_levels:
                self._stop_listing()

    def _stop_listing(self) -> None:
        """Go on with the grid alone."""
        self.grid.add_counted(self.values or {}, self.low, self.high)
        self.values = None

    def _update_moments(self, x: Numbers) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(x.mean())
            deviations = x - mean
            m2 = float(np.einsum("i,i->", deviations, deviations))  # in one pass, without BLAS and its threads
            total = self.count + len(x)
            shift = mean - self.mean
            self.mean += shift * len(x) / total
            self.m2 += m2 + shift * shift * self.count * len(x) / total
            self.count = total

    def info(self, rows: int) -> ColumnInfo:
        """The description; a mean or deviation that overflows a float64 is None."""
        distinct = None if self.values is None else len(self.values)
        if not self.count:
            return ColumnInfo(self.name, "number", rows, 0, dict.fromkeys(("min", "max", "mean", "std", "whole")))
        std = math.sqrt(self.m2 / self.count) if math.isfinite(self.m2) else None
        mean = self.mean if math.isfinite(self.mean) else None
        statistics: dict[str, Any] = {"min": self.low, "max": self.high, "mean": mean, "std": std, "whole": self.whole}
        statistics["increasing"] = self.increasing
        if self.whole and self.values and len(self.values) <= MAX_COUNTED_NUMBERS:
            statistics["values"] = [{"value": value, "count": n} for value, n in sorted(self.values.items())]
        binned = self.grid.binned(self.low, self.high) if self.values is None else bin_counted(self.values)
        statistics["histogram"] = numeric_histogram(binned)
        return ColumnInfo(self.name, "number", self.missing, distinct, statistics)


def _few_counts(x: Numbers, most: int) -> dict[float, int] | None:
    """The different numbers of x (n,) with their counts; None if there are more than `most`."""
    if len(np.unique(x[: most + 1])) > most:  # nearly always enough, and sorts few
        return None
    values, counts = np.unique(x, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True)) if len(values) <= most else None


class StringStatistics:
    """The different values with their counts while there are few, the shortest and longest length, and an example."""

    def __init__(self, name: str, max_levels: int) -> None:
        self.name, self.max_levels = name, max_levels
        self.missing = 0
        self.levels: Counter[str] | None = Counter()
        self.shortest: int | None = None
        self.longest: int | None = None
        self.example: str | None = None

    def update(self, values: pa.Array) -> None:
        """Add a block of strings."""
        self.missing += values.null_count
        lengths = pc.min_max(pc.utf8_length(values)).as_py()
        if lengths["min"] is None:
            return
        if self.example is None:
            self.example = values.drop_null()[0].as_py()[:MAX_EXAMPLE_CHARACTERS]
        self.shortest = min(lengths["min"], lengths["min"] if self.shortest is None else self.shortest)
        self.longest = max(lengths["max"], self.longest or 0)
        if self.longest > MAX_LEVEL_CHARACTERS:
            self.levels = None
        if self.levels is not None:
            self.levels = self._with(self.levels, values)

    def _with(self, levels: Counter[str], values: pa.Array) -> Counter[str] | None:
        """The counts with those of a block; None, and `levels` as they were, if there are too many."""
        found = values.drop_null().value_counts()
        if len(found) > self.max_levels:
            return None
        counts = dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))
        if len(levels.keys() | counts.keys()) > self.max_levels:
            return None
        levels.update(counts)
        return levels

    def info(self, rows: int, kind: str | None = None) -> ColumnInfo:
        """The description as a column of this kind, or of the one that its values have."""
        levels = self.levels
        kind = kind or kind_of_strings(levels, rows)
        if kind == "text" or levels is None:
            distinct = None if levels is None else len(levels)
            lengths = {"shortest": self.shortest, "longest": self.longest, "example": self.example}
            return ColumnInfo(self.name, "text", self.missing, distinct, lengths)
        if kind == "boolean":
            levels = merged_spellings(levels)
        ordered = sorted(levels.items(), key=lambda level: (-level[1], level[0]))
        statistics: dict[str, Any] = {"levels": [{"value": level, "count": count} for level, count in ordered]}
        if ordered:
            statistics["histogram"] = level_histogram(ordered)
        return ColumnInfo(self.name, kind, self.missing, len(levels), statistics)
