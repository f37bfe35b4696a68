"""One column to inputs: what is fitted on the training rows, and how values, missing and unseen ones become inputs.

What no training row has contributes nothing of its own, because no weight was trained for it: a missing value becomes
the mean, and an unseen level the mean of the known levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.columns import BOOLEAN_CELLS, ColumnInfo, is_time_of_day
from backpropd.tabular.cycles import cycles_that_vary, positions
from backpropd.tabular.table import CategoricalColumn, Column

Array = NDArray[Any]
Mask = NDArray[np.bool_]

MAX_DEVIATIONS = 1e12  # from the mean; beyond, float32 would overflow within a network that is itself finite
SMOOTH_LIMIT = 3.0  # what smooth clipping never exceeds
SCALINGS = ("standard", "robust")


class Findings(NamedTuple):
    """Which cells (n,) training had nothing like: unseen levels, missing values, numbers far outside.

    A number is far outside if it is further from the training rows' range than that range is wide.
    """

    unseen: Mask
    missing: Mask
    out_of_range: Mask


def as_numbers(column: Column) -> NDArray[np.float64]:
    """A column as numbers: booleans become 0 and 1, missing values NaN."""
    if not isinstance(column, CategoricalColumn):
        return column
    values = [float(BOOLEAN_CELLS[level.lower()]) for level in column.levels]
    return np.array([*values, np.nan])[column.codes]


@dataclass(frozen=True)
class Scaled:
    """A number or boolean (false 0, true 1), as (x - mean) / std; a missing value becomes 0.

    `standard` scaling: mean and deviation; `robust`: median and interquartile range, half the range where that is 0,
    and for booleans -1 and 1. Values are clipped at 1e12 deviations, so that every output is finite, or with `smooth`
    by z / sqrt(1 + (z / 3)^2), which stays within 3 (Holzmüller, Grinsztajn and Steinwart 2024). With `indicator`, a
    second input is 1 where the value is missing; it is set if a training row has a missing value. `low` and `high` are
    the range of the training rows, None in older models.
    """

    mean: float
    std: float
    indicator: bool
    smooth: bool = False
    low: float | None = None
    high: float | None = None

    @classmethod
    def fit(cls, column: Column, info: ColumnInfo, scaling: str) -> Scaled:
        """Fit to the training rows; `scaling` is one of `SCALINGS`."""
        return cls(**_fitted(as_numbers(column), info.kind, scaling))

    @property
    def width(self) -> int:
        """The number of inputs."""
        return 1 + self.indicator

    def write(self, column: Column, out: Array) -> None:
        """Write the inputs of a column (n,) to `out` (n, width)."""
        x = as_numbers(column)
        out[:, 0] = self.scaled(x)
        if self.indicator:
            out[:, 1] = np.isnan(x)

    def scaled(self, x: Array) -> Array:
        """The numbers (n,) scaled and clipped, 0 where they are NaN."""
        with np.errstate(over="ignore"):
            z = np.clip((x - self.mean) / self.std, -MAX_DEVIATIONS, MAX_DEVIATIONS)
        if self.smooth:
            z = z / np.sqrt(1 + (z / SMOOTH_LIMIT) ** 2)
        return np.where(np.isnan(x), 0.0, z)

    def findings(self, column: Column) -> Findings:
        """What of a column (n,) training had nothing like."""
        x = as_numbers(column)
        missing, outside = np.isnan(x), np.zeros(len(x), bool)
        if self.low is not None and self.high is not None:
            outside = np.maximum(self.low - x, x - self.high) > self.high - self.low
        return Findings(np.zeros(len(x), bool), missing & (not self.indicator), outside)

    def names(self, name: str) -> list[str]:
        """What each input is, for a column of this name."""
        return [name, f"{name} is missing"][: self.width]


@dataclass(frozen=True)
class Cyclic(Scaled):
    """A date in days since 1970, or a time of day in hours: the elapsed time, scaled like a number, and `cycles`.

    Each cycle that varies in the training rows is a sine and a cosine, 0 where the value is missing: `month` (the time
    of the year), `weekday` and `hour` (the time of the day) of a date, `clock` of a time of day.
    """

    cycles: tuple[str, ...] = ()

    @classmethod
    def fit(cls, column: Column, info: ColumnInfo, scaling: str) -> Cyclic:
        """Fit to the training rows."""
        x = as_numbers(column)
        cycles = cycles_that_vary(x[~np.isnan(x)], is_time=info.kind == "number")
        return cls(**_fitted(x, info.kind, scaling), cycles=cycles)

    @property
    def width(self) -> int:
        """The number of inputs."""
        return super().width + 2 * len(self.cycles)

    def write(self, column: Column, out: Array) -> None:
        """Write the inputs of a column (n,) to `out` (n, width)."""
        super().write(column, out)
        x = as_numbers(column)
        for index, cycle in enumerate(self.cycles):
            angle = 2 * np.pi * positions(x, cycle)
            start = super().width + 2 * index
            out[:, start] = np.where(np.isnan(x), 0.0, np.sin(angle))
            out[:, start + 1] = np.where(np.isnan(x), 0.0, np.cos(angle))

    def names(self, name: str) -> list[str]:
        """What each input is, for a column of this name."""
        waves = [f"{wave} of the {cycle} of {name}" for cycle in self.cycles for wave in ("sine", "cosine")]
        return [name, f"{name} is missing"][: super().width] + waves


@dataclass(frozen=True)
class OneHot:
    """A category: an input for each level of the training rows, and with `missing` one for missing values.

    `missing` is set if a training row has a missing value. An unseen level, and a missing value that training had not,
    becomes `frequencies`, the shares of the levels in the training rows that have one. Older models have none, and an
    input for unseen and missing values that may never have been trained.
    """

    levels: list[str]
    frequencies: list[float] | None = None
    missing: bool = True

    @classmethod
    def fit(cls, column: Column, info: ColumnInfo, scaling: str) -> OneHot:
        """Fit to the training rows; nothing is scaled."""
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        codes = column.codes[column.codes >= 0]
        counts = np.bincount(codes, minlength=len(column.levels))
        present = sorted((column.levels[code], counts[code]) for code in np.flatnonzero(counts))
        frequencies = [float(count / len(codes)) for _, count in present]
        return cls([level for level, _ in present], frequencies, len(codes) < len(column.codes))

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.levels) + self.missing

    def write(self, column: Column, out: Array) -> None:
        """Write the inputs of a column (n,) to `out` (n, width)."""
        inputs = self._inputs(column)
        known = np.flatnonzero(inputs < self.width)
        unseen = np.flatnonzero(inputs == self.width)
        out[:] = 0
        out[known, inputs[known]] = 1
        if self.frequencies is None:
            out[unseen, -1] = 1
        else:
            out[unseen, : len(self.levels)] = self.frequencies

    def _inputs(self, column: Column) -> NDArray[np.intp]:
        """The input (n,) of each value, `width` for what training had nothing like."""
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        known = {level: index for index, level in enumerate(self.levels)}
        # the last entry is for the code -1 of a missing value
        missing = len(known) if self.missing else self.width
        return np.array([*(known.get(level, self.width) for level in column.levels), missing], np.intp)[column.codes]

    def findings(self, column: Column) -> Findings:
        """What of a column (n,) training had nothing like."""
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        missing = column.codes < 0
        unseen = (self._inputs(column) == self.width) & ~missing
        return Findings(unseen, missing & (not self.missing), np.zeros(len(missing), bool))

    def names(self, name: str) -> list[str]:
        """What each input is, for a column of this name."""
        rest = "unseen or missing" if self.frequencies is None else "missing"
        return [*(f"{name} = {level}" for level in self.levels), f"{name} is {rest}"][: self.width]


ColumnEncoder = Scaled | Cyclic | OneHot


def encoder_class(info: ColumnInfo) -> type[ColumnEncoder]:
    """The class of the encoder that is fitted to a column."""
    if info.kind == "category":
        return OneHot
    return Cyclic if info.kind == "date" or is_time_of_day(info) else Scaled


def encoder_from_json(info: ColumnInfo, data: Mapping[str, Any]) -> ColumnEncoder:
    """The encoder of a column whose fields these are."""
    if "cycles" in data:
        return Cyclic(**{**data, "cycles": tuple(data["cycles"])})
    return OneHot(**data) if info.kind == "category" else Scaled(**data)


def _fitted(x: Array, kind: str, scaling: str) -> dict[str, Any]:
    """The fields of `Scaled` fitted to numbers (n,), of which NaN are missing."""
    missing = np.isnan(x)
    present = x[~missing]
    fields = {"indicator": bool(missing.any()), "smooth": scaling == "robust" and kind != "boolean"}
    if not present.size:
        return {"mean": 0.0, "std": 1.0, **fields}
    if scaling == "robust":
        center, spread = (0.5, 0.5) if kind == "boolean" else _median_and_quartiles(present)
    else:
        center, spread = _mean_and_std(present)
    # the values are compared too: the rounded deviation of equal numbers is not always 0
    usable = spread > 0 and bool((present != present[0]).any())
    low, high = float(present.min()), float(present.max())
    return {"mean": center, "std": spread if usable else 1.0, **fields, "low": low, "high": high}


def _mean_and_std(x: Array) -> tuple[float, float]:
    """Mean and standard deviation of (n,); numbers whose squares overflow are scaled down first."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(x.mean()), float(x.std())
    if np.isfinite(std):
        return mean, std
    largest = np.abs(x).max()
    return float((x / largest).mean() * largest), float((x / largest).std() * largest)


def _median_and_quartiles(x: Array) -> tuple[float, float]:
    """Median and interquartile range of (n,), half the range where that is 0; the largest float where they overflow."""
    lower, median, upper = np.quantile(x, (0.25, 0.5, 0.75))
    with np.errstate(over="ignore"):
        spread = upper - lower if upper > lower else (x.max() - x.min()) / 2
    return float(median), float(min(spread, np.finfo(np.float64).max))
