"""Feature columns to input arrays: an encoder fitted on the training rows only and saved with the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.columns import BOOLEAN_CELLS, ColumnInfo
from backpropd.tabular.table import CategoricalColumn, Column, Table

Array = NDArray[Any]
DType = np.dtype[Any]

MAX_DEVIATIONS = 1e12  # from the mean; beyond, float32 would overflow within a network that is itself finite


def max_width(infos: Sequence[ColumnInfo]) -> int:
    """The largest number of inputs that these columns become; known before the table is read."""
    return sum(info.level_count + 1 if info.kind == "category" else 1 + (info.missing > 0) for info in infos)


def as_numbers(column: Column) -> NDArray[np.float64]:
    """A column as numbers: booleans become 0 and 1, missing values NaN."""
    if not isinstance(column, CategoricalColumn):
        return column
    values = [float(BOOLEAN_CELLS[level.lower()]) for level in column.levels]
    return np.array([*values, np.nan])[column.codes]


@dataclass(frozen=True)
class _Scaled:
    """A number or boolean (false 0, true 1), standardized; a missing value becomes the mean, 0.

    Values are clipped at 1e12 deviations from the mean, so that every output is finite. With `indicator`, a second
    input is 1 where the value is missing; it is set if a training row has a missing value.
    """

    mean: float
    std: float
    indicator: bool

    @classmethod
    def fit(cls, column: Column) -> _Scaled:
        x = as_numbers(column)
        missing = np.isnan(x)
        present = x[~missing]
        if not present.size:
            return cls(0.0, 1.0, bool(missing.any()))
        mean, std = _mean_and_std(present)
        # the values are compared too: the rounded deviation of equal numbers is not always 0
        usable = std > 0 and bool((present != present[0]).any())
        return cls(mean, std if usable else 1.0, bool(missing.any()))

    @property
    def width(self) -> int:
        return 1 + self.indicator

    def write(self, column: Column, out: Array) -> None:
        x = as_numbers(column)
        missing = np.isnan(x)
        with np.errstate(over="ignore"):
            standardized = (x - self.mean) / self.std
        out[:, 0] = np.where(missing, 0.0, np.clip(standardized, -MAX_DEVIATIONS, MAX_DEVIATIONS))
        if self.indicator:
            out[:, 1] = missing

    def names(self, name: str) -> list[str]:
        return [name, f"{name} is missing"][: self.width]


@dataclass(frozen=True)
class _OneHot:
    """A category: an input for each level of the training rows, and one for unseen levels and missing values."""

    levels: list[str]

    @classmethod
    def fit(cls, column: Column) -> _OneHot:
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        present = np.unique(column.codes[column.codes >= 0])
        return cls(sorted(column.levels[code] for code in present))

    @property
    def width(self) -> int:
        return len(self.levels) + 1

    def write(self, column: Column, out: Array) -> None:
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        inputs = {level: index for index, level in enumerate(self.levels)}
        # the last entry is for the code -1 of a missing value
        input_of_code = np.array([*(inputs.get(level, len(inputs)) for level in column.levels), len(inputs)])
        out[:] = 0
        out[np.arange(len(out)), input_of_code[column.codes]] = 1

    def names(self, name: str) -> list[str]:
        return [*(f"{name} = {level}" for level in self.levels), f"{name} is unseen or missing"]


_ColumnEncoder = _Scaled | _OneHot
_ENCODERS: Mapping[str, type[_ColumnEncoder]] = {"number": _Scaled, "boolean": _Scaled, "category": _OneHot}


def _mean_and_std(x: Array) -> tuple[float, float]:
    """Mean and standard deviation of (n,); numbers whose squares overflow are scaled down first."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(x.mean()), float(x.std())
    if np.isfinite(std):
        return mean, std
    largest = np.abs(x).max()
    return float((x / largest).mean() * largest), float((x / largest).std() * largest)


class FeatureEncoder:
    """Encodes the feature columns `infos`, in this order, into one array (n, width)."""

    def __init__(self, infos: Sequence[ColumnInfo], column_encoders: Sequence[_ColumnEncoder], dtype: DType) -> None:
        self.infos, self.column_encoders, self.dtype = list(infos), list(column_encoders), dtype

    @classmethod
    def fit(cls, table: Table, infos: Sequence[ColumnInfo], rows: Array, dtype: DType) -> FeatureEncoder:
        """Fit means, deviations and levels on these rows, which are the training rows."""
        return cls(infos, [_ENCODERS[info.kind].fit(table.columns[info.name][rows]) for info in infos], dtype)

    def without_scaling(self, names: Iterable[str]) -> FeatureEncoder:
        """A copy that does not scale these numbers and booleans; a missing value becomes 0."""
        unscaled = set(names)
        encoders = [
            replace(each, mean=0.0, std=1.0) if info.name in unscaled and isinstance(each, _Scaled) else each
            for info, each in self._columns()
        ]
        return FeatureEncoder(self.infos, encoders, self.dtype)

    @property
    def width(self) -> int:
        """The number of inputs."""
        return sum(each.width for each in self.column_encoders)

    @property
    def names(self) -> list[str]:
        """What each input is."""
        return [name for info, each in self._columns() for name in each.names(info.name)]

    def transform(self, table: Table) -> Array:
        """The table's rows as inputs (n, width)."""
        return self.transform_subsets(table, [np.arange(table.rows)])[0]

    def transform_subsets(self, table: Table, subsets: Sequence[NDArray[np.intp]]) -> list[Array]:
        """For each array of row indices (n,) the inputs (n, width) of these rows; each column is read once."""
        outs = [np.empty((len(rows), self.width), self.dtype) for rows in subsets]
        start = 0
        for info, encoder in self._columns():
            column = table.columns[info.name]
            for rows, out in zip(subsets, outs, strict=True):
                encoder.write(column[rows], out[:, start : start + encoder.width])
            start += encoder.width
        return outs

    def to_json(self) -> dict[str, Any]:
        """The fitted values and the columns' descriptions, for JSON."""
        columns = [{"column": info.to_json(), "encoder": dict(vars(each))} for info, each in self._columns()]
        return {"dtype": self.dtype.name, "columns": columns}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FeatureEncoder:
        """The encoder whose `to_json` this is."""
        # older models store only the name and kind of a column
        infos = [ColumnInfo.from_json({"missing": 0, "distinct": None, **each["column"]}) for each in data["columns"]]
        encoders = [_ENCODERS[each["column"]["kind"]](**each["encoder"]) for each in data["columns"]]
        return cls(infos, encoders, np.dtype(data["dtype"]))

    def _columns(self) -> Iterable[tuple[ColumnInfo, _ColumnEncoder]]:
        return zip(self.infos, self.column_encoders, strict=True)
