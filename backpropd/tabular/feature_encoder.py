"""Feature columns to input arrays: an encoder fitted on the training rows only and saved with the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.column_encoders import (
    Array,
    ColumnEncoder,
    Scaled,
    UnlikeTraining,
    encoder_class,
    encoder_from_json,
)
from backpropd.tabular.columns import ColumnInfo, is_time_of_day
from backpropd.tabular.table import Table

DType = np.dtype[Any]


def max_width(infos: Sequence[ColumnInfo]) -> int:
    """The largest number of inputs that these columns become; known before the table is read."""
    return sum(_max_values(info) + (info.missing > 0) for info in infos)


def _max_values(info: ColumnInfo) -> int:
    if info.kind == "category":
        return info.level_count
    return 7 if info.kind == "date" else 3 if is_time_of_day(info) else 1


class FeatureEncoder:
    """Encodes the feature columns `infos`, in this order, into one array (n, width)."""

    def __init__(self, infos: Sequence[ColumnInfo], column_encoders: Sequence[ColumnEncoder], dtype: DType) -> None:
        self.infos, self.column_encoders, self.dtype = list(infos), list(column_encoders), dtype

    @classmethod
    def fit(
        cls, table: Table, infos: Sequence[ColumnInfo], rows: Array, dtype: DType, scaling: str = "standard"
    ) -> FeatureEncoder:
        """Fit means, deviations and levels on these rows, which are the training rows.

        `scaling` of numbers and dates is `standard` (mean and deviation), `robust` (median and quartiles, with smooth
        clipping) or `none`: see `column_encoders.Scaled`.
        """
        encoders = [encoder_class(info).fit(table.columns[info.name][rows], info, scaling) for info in infos]
        return cls([info.without_histogram() for info in infos], encoders, dtype)

    def without_scaling(self, names: Iterable[str]) -> FeatureEncoder:
        """A copy that does not scale these numbers and booleans; a missing value becomes 0."""
        unscaled = set(names)
        encoders = [
            replace(each, mean=0.0, std=1.0, smooth=False)
            if info.name in unscaled and isinstance(each, Scaled)
            else each
            for info, each in self._columns()
        ]
        return FeatureEncoder(self.infos, encoders, self.dtype)

    @cached_property
    def width(self) -> int:
        """The number of inputs."""
        return sum(each.width for each in self.column_encoders)

    def of(self, name: str) -> ColumnEncoder:
        """The encoder of a column."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, ColumnEncoder]:
        return {info.name: each for info, each in self._columns()}

    @property
    def names(self) -> list[str]:
        """What each input is."""
        return [name for info, each in self._columns() for name in each.names(info.name)]

    def transform(self, table: Table) -> Array:
        """The table's rows as inputs (n, width)."""
        out = np.empty((table.rows, self.width), self.dtype)
        start = 0
        for info, encoder in self._columns():
            encoder.write(table.columns[info.name], out[:, start : start + encoder.width])
            start += encoder.width
        return out

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

    def findings(self, table: Table) -> dict[str, UnlikeTraining]:
        """For each feature in the table which of its cells (n,) training had nothing like, for warnings."""
        columns = table.columns
        return {info.name: each.findings(columns[info.name]) for info, each in self._columns() if info.name in columns}

    def to_json(self) -> dict[str, Any]:
        """The fitted values and the columns' descriptions, for JSON."""
        columns = [{"column": info.to_json(), "encoder": dict(vars(each))} for info, each in self._columns()]
        return {"dtype": self.dtype.name, "columns": columns}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FeatureEncoder:
        """The encoder whose `to_json` this is."""
        # older models store only the name and kind of a column
        infos = [ColumnInfo.from_json({"missing": 0, "distinct": None, **each["column"]}) for each in data["columns"]]
        encoders = [encoder_from_json(info, each["encoder"]) for info, each in zip(infos, data["columns"], strict=True)]
        return cls(infos, encoders, np.dtype(data["dtype"]))

    def _columns(self) -> Iterable[tuple[ColumnInfo, ColumnEncoder]]:
        return zip(self.infos, self.column_encoders, strict=True)
