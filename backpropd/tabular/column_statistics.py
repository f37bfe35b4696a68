"""Statistics of a column, gathered a block at a time."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.columns import ColumnInfo, boolean_label, kind_of_strings

LONGEST_LEVEL = 1000  # characters


class ColumnStatistics(Protocol):
    """What gathers figures of one column."""

    def update(self, values: pa.Array) -> None:
        """Take in a block."""

    def info(self, rows: int) -> ColumnInfo:
        """What came together over so many rows."""


def statistics_for(name: str, numeric: bool, most_levels: int) -> ColumnStatistics:
    """A fresh collector for a column of numbers or of words, which counts up to so many different values."""
    return NumberStatistics(name, most_levels) if numeric else TextStatistics(name, most_levels)


class NumberStatistics:
    """Minimum, maximum, mean and standard deviation (Chan, Golub and LeVeque 1983), and a few distinct values."""

    def __init__(self, name: str, most_levels: int) -> None:
        self.name, self.most_levels = name, most_levels
        self.missing = self.count = 0
        self.mean = self.m2 = 0.0
        self.low, self.high = math.inf, -math.inf
        self.whole = True
        self.values: set[float] | None = set()

    def update(self, values: pa.Array) -> None:
        """Take in a block of finite numbers."""
        self.missing += values.null_count
        x = (values.drop_null() if values.null_count else values).to_numpy()
        if not len(x):
            return
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        self.whole = self.whole and bool((np.floor(x) == x).all())
        self._combine(x)
        if self.values is not None:
            self.values.update(np.unique(x).tolist())
            if len(self.values) > self.most_levels:
                self.values = None

    def _combine(self, x: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(x.mean())
            m2 = float(np.square(x - mean).sum())
            total = self.count + len(x)
            shift = mean - self.mean
            self.mean += shift * len(x) / total
            self.m2 += m2 + shift * shift * self.count * len(x) / total
            self.count = total

    def info(self, rows: int) -> ColumnInfo:
        """The column; figures that overflow a float64 are left out as None."""
        distinct = None if self.values is None else len(self.values)
        if not self.count:
            return ColumnInfo(self.name, "number", rows, 0, dict.fromkeys(("min", "max", "mean", "std", "whole")))
        std = math.sqrt(self.m2 / self.count) if math.isfinite(self.m2) else None
        mean = self.mean if math.isfinite(self.mean) else None
        figures = {"min": self.low, "max": self.high, "mean": mean, "std": std, "whole": self.whole}
        return ColumnInfo(self.name, "number", self.missing, distinct, figures)


class TextStatistics:
    """The different values with their counts while there are few, and the lengths."""

    def __init__(self, name: str, most_levels: int) -> None:
        self.name, self.most_levels = name, most_levels
        self.missing = 0
        self.levels: dict[str, int] | None = {}
        self.shortest: int | None = None
        self.longest: int | None = None

    def update(self, values: pa.Array) -> None:
        """Take in a block."""
        self.missing += values.null_count
        lengths = pc.min_max(pc.utf8_length(values)).as_py()
        if lengths["min"] is None:
            return
        self.shortest = min(lengths["min"], lengths["min"] if self.shortest is None else self.shortest)
        self.longest = max(lengths["max"], self.longest or 0)
        if self.longest > LONGEST_LEVEL:
            self.levels = None
        if self.levels is not None:
            self._count(values)

    def _count(self, values: pa.Array) -> None:
        counts = values.drop_null().value_counts()
        assert self.levels is not None  # noqa: S101 - for the type checker
        if len(counts) > self.most_levels:
            self.levels = None
            return
        for entry in counts.to_pylist():
            self.levels[entry["values"]] = self.levels.get(entry["values"], 0) + entry["counts"]
        if len(self.levels) > self.most_levels:
            self.levels = None

    def info(self, rows: int) -> ColumnInfo:
        """The column."""
        kind = kind_of_strings(self.levels, rows)
        if kind == "boolean" and self.levels is not None:
            merged = {"false": 0, "true": 0}
            for level, count in self.levels.items():
                merged[boolean_label(level)] += count
            self.levels = {level: count for level, count in merged.items() if count}
        distinct = None if self.levels is None else len(self.levels)
        if kind == "text" or self.levels is None:
            lengths = {"shortest": self.shortest, "longest": self.longest}
            return ColumnInfo(self.name, "text", self.missing, distinct, lengths)
        ordered = sorted(self.levels.items(), key=lambda level: (-level[1], level[0]))
        levels = [{"value": level, "count": count} for level, count in ordered]
        return ColumnInfo(self.name, kind, self.missing, distinct, {"levels": levels})
