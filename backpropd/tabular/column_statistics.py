"""Statistics of a column, updated block by block."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.columns import ColumnInfo, boolean_label, kind_of_strings

MAX_LEVEL_CHARACTERS = 1000


def statistics_for(name: str, numeric: bool, max_levels: int) -> NumberStatistics | StringStatistics:
    """A new collector for a column of numbers or strings, which counts up to `max_levels` different values."""
    return NumberStatistics(name, max_levels) if numeric else StringStatistics(name, max_levels)


class NumberStatistics:
    """Minimum, maximum, mean and standard deviation (Chan, Golub and LeVeque 1983), and the distinct values if few."""

    def __init__(self, name: str, max_levels: int) -> None:
        self.name, self.max_levels = name, max_levels
        self.missing = self.count = 0
        self.mean = self.m2 = 0.0
        self.low, self.high = math.inf, -math.inf
        self.whole = True
        self.values: set[float] | None = set()

    def update(self, values: pa.Array) -> None:
        """Add a block of finite numbers."""
        self.missing += values.null_count
        x = (values.drop_null() if values.null_count else values).to_numpy()
        if not len(x):
            return
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        self.whole = self.whole and bool((np.floor(x) == x).all())
        self._update_moments(x)
        if self.values is not None:
            self.values.update(np.unique(x).tolist())
            if len(self.values) > self.max_levels:
                self.values = None

    def _update_moments(self, x: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(x.mean())
            m2 = float(np.square(x - mean).sum())
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
        statistics = {"min": self.low, "max": self.high, "mean": mean, "std": std, "whole": self.whole}
        return ColumnInfo(self.name, "number", self.missing, distinct, statistics)


class StringStatistics:
    """The different values with their counts while there are few, and the shortest and longest length."""

    def __init__(self, name: str, max_levels: int) -> None:
        self.name, self.max_levels = name, max_levels
        self.missing = 0
        self.levels: Counter[str] | None = Counter()
        self.shortest: int | None = None
        self.longest: int | None = None

    def update(self, values: pa.Array) -> None:
        """Add a block of strings."""
        self.missing += values.null_count
        lengths = pc.min_max(pc.utf8_length(values)).as_py()
        if lengths["min"] is None:
            return
        self.shortest = min(lengths["min"], lengths["min"] if self.shortest is None else self.shortest)
        self.longest = max(lengths["max"], self.longest or 0)
        if self.longest > MAX_LEVEL_CHARACTERS:
            self.levels = None
        if self.levels is not None:
            self.levels = self._with(self.levels, values)

    def _with(self, levels: Counter[str], values: pa.Array) -> Counter[str] | None:
        counts = values.drop_null().value_counts()
        if len(counts) > self.max_levels:
            return None
        for entry in counts.to_pylist():
            levels[entry["values"]] += entry["counts"]
        return levels if len(levels) <= self.max_levels else None

    def info(self, rows: int) -> ColumnInfo:
        """The description."""
        kind, levels = kind_of_strings(self.levels, rows), self.levels
        if kind == "text" or levels is None:
            distinct = None if levels is None else len(levels)
            lengths = {"shortest": self.shortest, "longest": self.longest}
            return ColumnInfo(self.name, "text", self.missing, distinct, lengths)
        if kind == "boolean":
            spellings, levels = levels, Counter()
            for spelling, count in spellings.items():
                levels[boolean_label(spelling)] += count
        ordered = sorted(levels.items(), key=lambda level: (-level[1], level[0]))
        statistics = {"levels": [{"value": level, "count": count} for level, count in ordered]}
        return ColumnInfo(self.name, kind, self.missing, len(levels), statistics)
