"""One column to inputs: what is fitted on the training rows, and how values, missing and unseen ones become inputs.

What no training row has contributes nothing of its own, because no weight was trained for it: a missing value becomes
the mean, and an unseen level the mean of the known levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
SCALINGS = ("standard", "robust", "none")


class UnlikeTraining(NamedTuple):
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

    `standard` scaling: mean and deviation; `robust`: median and interquartile range, half the range where that is 0.
    `none`: 0 and 1, which leave it as it is. Values are clipped at 1e12 deviations, so that every output is finite, or
    with `smooth` by z / sqrt(1 + (z / 3)^2), which stays within 3 (Holzmüller, Grinsztajn and Steinwart 2024). With
    `indicator`, a second input is 1 where the value is missing; it is set if a training row has a missing value. `low`
    and `high` are the range of the training rows, None in older models.
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
        return cls(**_fitted(as_numbers(column), scaling))

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
            z = x - self.mean
            z /= self.std
        np.clip(z, -MAX_DEVIATIONS, MAX_DEVIATIONS, z)
        if self.smooth:
            z = smoothly_clipped(z)
        z[np.isnan(z)] = 0.0
        return z

    def findings(self, column: Column) -> UnlikeTraining:
        """What of a column (n,) training had nothing like."""
        x = as_numbers(column)
        missing, outside = np.isnan(x), np.zeros(len(x), bool)
        if self.low is not None and self.high is not None:
            outside = np.maximum(self.low - x, x - self.high) > self.high - self.low
        return UnlikeTraining(np.zeros(len(x), bool), missing & (not self.indicator), outside)

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
        return cls(**_fitted(x, scaling), cycles=cycles)

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

    `robust` scaling treats each input as a number, and the first of two levels has no input. `off` and `on` are then
    what each input is in rows without and with its level, None with other scaling.
    """

    levels: list[str]
    frequencies: list[float] | None = None
    missing: bool = True
    off: list[float] | None = None
    on: list[float] | None = None

    @classmethod
    def fit(cls, column: Column, info: ColumnInfo, scaling: str) -> OneHot:
        """Fit to the training rows."""
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        codes = column.codes[column.codes >= 0]
        counts = np.bincount(codes, minlength=len(column.levels))
        present = sorted((column.levels[code], counts[code]) for code in np.flatnonzero(counts))
        frequencies = [float(count / len(codes)) for _, count in present]
        encoder = cls([level for level, _ in present], frequencies, len(codes) < len(column.codes))
        if scaling != "robust" or not present:
            return encoder
        counted = [*(count for _, count in present), len(column.codes) - len(codes)][: encoder._inputs_unscaled]
        off, on = _scaled_zero_and_one(np.array(counted), len(column.codes))
        return replace(encoder, off=off.tolist(), on=on.tolist())

    @property
    def width(self) -> int:
        """The number of inputs."""
        return self._inputs_unscaled - self._leaves_out_first

    @property
    def _inputs_unscaled(self) -> int:
        return len(self.levels) + self.missing

    @property
    def _leaves_out_first(self) -> bool:
        return self.on is not None and len(self.levels) == 2

    def write(self, column: Column, out: Array) -> None:
        """Write the inputs of a column (n,) to `out` (n, width)."""
        kinds, first = self._kinds(column), int(self._leaves_out_first)
        own = np.flatnonzero((kinds >= first) & (kinds < self._inputs_unscaled))
        unseen = np.flatnonzero(kinds == self._inputs_unscaled)
        out[:] = 0
        out[own, kinds[own] - first] = 1
        if self.frequencies is None:
            out[unseen, -1] = 1
        else:
            out[unseen, : len(self.levels) - first] = self.frequencies[first:]
        if self.off is not None and self.on is not None:
            out *= np.subtract(self.on, self.off)[first:]
            out += np.array(self.off)[first:]

    def _kinds(self, column: Column) -> NDArray[np.intp]:
        """Which level or missing value (n,) each is, and after these what training had nothing like."""
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        unseen = self._inputs_unscaled
        known = {level: index for index, level in enumerate(self.levels)}
        # the last entry is for the code -1 of a missing value
        missing = len(known) if self.missing else unseen
        return np.array([*(known.get(level, unseen) for level in column.levels), missing], np.intp)[column.codes]

    def findings(self, column: Column) -> UnlikeTraining:
        """What of a column (n,) training had nothing like."""
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        missing = column.codes < 0
        unseen = (self._kinds(column) == self._inputs_unscaled) & ~missing
        return UnlikeTraining(unseen, missing & (not self.missing), np.zeros(len(missing), bool))

    def names(self, name: str) -> list[str]:
        """What each input is, for a column of this name."""
        rest = "unseen or missing" if self.frequencies is None else "missing"
        names = [*(f"{name} = {level}" for level in self.levels), f"{name} is {rest}"][: self._inputs_unscaled]
        return names[int(self._leaves_out_first) :]


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


def _fitted(x: Array, scaling: str) -> dict[str, Any]:
    """The fields of `Scaled` fitted to numbers (n,), of which NaN are missing."""
    missing = np.isnan(x)
    present = x[~missing]
    fields = {"indicator": bool(missing.any()), "smooth": scaling == "robust"}
    if not present.size:
        return {"mean": 0.0, "std": 1.0, **fields}
    measure = {"standard": _mean_and_std, "robust": _median_and_quartiles, "none": _zero_and_one}[scaling]
    center, spread = measure(present)
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


def _zero_and_one(x: Array) -> tuple[float, float]:
    """What leaves numbers (n,) as they are."""
    return 0.0, 1.0


def _median_and_quartiles(x: Array) -> tuple[float, float]:
    """Median and interquartile range of (n,), half the range where that is 0; the largest float where they overflow."""
    lower, median, upper = np.quantile(x, (0.25, 0.5, 0.75))
    with np.errstate(over="ignore"):
        spread = upper - lower if upper > lower else (x.max() - x.min()) / 2
    return float(median), float(min(spread, np.finfo(np.float64).max))


def _scaled_zero_and_one(ones: Array, rows: int) -> tuple[Array, Array]:
    """The robustly scaled values of 0 and 1 in columns of 0 and 1, from the number of ones in each (n,)."""
    quartiles = np.array([[0.25], [0.5], [0.75]])
    lower, median, upper = np.clip(quartiles * (rows - 1) - (rows - ones - 1), 0, 1)
    spread = np.where(upper > lower, upper - lower, 0.5)
    return smoothly_clipped(-median / spread), smoothly_clipped((1 - median) / spread)


def smoothly_clipped(z: Array) -> Array:
    """Numbers (n,) that approach `SMOOTH_LIMIT` instead of exceeding it."""
    return z / np.sqrt(1 + (z / SMOOTH_LIMIT) ** 2)
