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
from backpropd.tabular.derived import ColumnsWithDerived, DerivedFeature, input_columns
from backpropd.tabular.table import Column, Table

DType = np.dtype[Any]


def max_width(infos: Sequence[ColumnInfo]) -> int:
    """The largest number of inputs that these columns become; known before the table is read."""
    return sum(_max_values(info) + (info.missing > 0) for info in infos)


def _max_values(info: ColumnInfo) -> int:
    if info.kind == "category":
        return info.level_count
    return 7 if info.kind == "date" else 3 if is_time_of_day(info) else 1


class FeatureEncoder:
    """Encodes the features `infos`, in this order, into one array (n, width).

    Features are columns of a table and `derived` ones. `sources` are the columns that only these use: their encoders
    know the range of training, and give no input.
    """

    def __init__(
        self,
        infos: Sequence[ColumnInfo],
        column_encoders: Sequence[ColumnEncoder],
        dtype: DType,
        derived: Sequence[DerivedFeature] = (),
        sources: Sequence[tuple[ColumnInfo, ColumnEncoder]] = (),
    ) -> None:
        self.infos, self.column_encoders, self.dtype = list(infos), list(column_encoders), dtype
        self.derived, self.sources = {each.name: each for each in derived}, list(sources)

    @classmethod
    def fit(
        cls,
        table: Table,
        infos: Sequence[ColumnInfo],
        rows: Array,
        dtype: DType,
        scaling: str = "standard",
        *,
        derived: Sequence[DerivedFeature] = (),
        sources: Sequence[ColumnInfo] = (),
    ) -> FeatureEncoder:
        """Fit means, deviations and levels on these rows, which are the training rows.

        `scaling` of numbers and dates is `standard` (mean and deviation), `robust` (median and quartiles, with smooth
        clipping) or `none`: see `column_encoders.Scaled`.
        """
        columns = ColumnsWithDerived(table.columns, {each.name: each for each in derived})
        fitted = [
            (info.without_histogram(), encoder_class(info).fit(columns[info.name][rows], info, scaling))
            for info in (*infos, *sources)
        ]
        pairs = [(_with_range(*each) if each[0].name in columns.derived else each) for each in fitted[: len(infos)]]
        return cls([info for info, _ in pairs], [each for _, each in pairs], dtype, derived, fitted[len(infos) :])

    def without_scaling(self, names: Iterable[str]) -> FeatureEncoder:
        """A copy that does not scale these numbers and booleans; a missing value becomes 0."""
        unscaled = set(names)
        encoders = [
            replace(each, mean=0.0, std=1.0, smooth=False)
            if info.name in unscaled and isinstance(each, Scaled)
            else each
            for info, each in self._columns()
        ]
        return FeatureEncoder(self.infos, encoders, self.dtype, list(self.derived.values()), self.sources)

    def in_float64(self) -> FeatureEncoder:
        """A copy that gives inputs in float64."""
        derived = list(self.derived.values())
        return FeatureEncoder(self.infos, self.column_encoders, np.dtype(np.float64), derived, self.sources)

    @cached_property
    def columns(self) -> list[tuple[ColumnInfo, ColumnEncoder]]:
        """The columns of a table that are read, each once, in the order in which the features use them first.

        With the encoder of each; that of a column which only derived features use gives no inputs.
        """
        pairs = {info.name: (info, each) for info, each in (*self.sources, *self._columns())}
        return [pairs[name] for name in input_columns(self.features)]

    @property
    def column_infos(self) -> list[ColumnInfo]:
        """The descriptions of the columns that are read, in the order of `columns`."""
        return [info for info, _ in self.columns]

    @property
    def features(self) -> list[str | dict[str, Any]]:
        """The features as a job names them."""
        names = (info.name for info in self.infos)
        return [self.derived[name].to_json() if name in self.derived else name for name in names]

    def derived_from(self, column: str) -> list[DerivedFeature]:
        """The features that are derived from a column."""
        return [each for each in self.derived.values() if column in each.columns]

    @cached_property
    def places(self) -> dict[str, slice]:
        """The inputs of each feature."""
        ends = np.cumsum([0, *(each.width for each in self.column_encoders)]).tolist()
        return {info.name: slice(*ends[index : index + 2]) for index, info in enumerate(self.infos)}

    @cached_property
    def width(self) -> int:
        """The number of inputs."""
        return sum(each.width for each in self.column_encoders)

    def of(self, name: str) -> ColumnEncoder:
        """The encoder of a column."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, ColumnEncoder]:
        return {info.name: each for info, each in (*self.sources, *self._columns())}

    @property
    def names(self) -> list[str]:
        """What each input is."""
        return [name for info, each in self._columns() for name in each.names(info.name)]

    def transform(self, table: Table) -> Array:
        """The table's rows as inputs (n, width)."""
        out = np.empty((table.rows, self.width), self.dtype)
        self._write(table.columns, self.infos, out)
        return out

    def rewrite(self, columns: Mapping[str, Column], changed: str, out: Array) -> None:
        """Write to `out` (n, width) the inputs that depend on the column `changed` of these columns (n,)."""
        names = {changed, *(each.name for each in self.derived_from(changed))}
        self._write(columns, [info for info in self.infos if info.name in names], out)

    def _write(self, columns: Mapping[str, Column], infos: Sequence[ColumnInfo], out: Array) -> None:
        values = self._with_derived(columns)
        for info in infos:
            self._by_name[info.name].write(values[info.name], out[:, self.places[info.name]])

    def _with_derived(self, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        return ColumnsWithDerived(columns, self.derived) if self.derived else columns

    def transform_subsets(self, table: Table, subsets: Sequence[NDArray[np.intp]]) -> list[Array]:
        """For each array of row indices (n,) the inputs (n, width) of these rows; each column is read once."""
        outs = [np.empty((len(rows), self.width), self.dtype) for rows in subsets]
        start, columns = 0, self._with_derived(table.columns)
        for info, encoder in self._columns():
            column = columns[info.name]
            for rows, out in zip(subsets, outs, strict=True):
                encoder.write(column[rows], out[:, start : start + encoder.width])
            start += encoder.width
        return outs

    def findings(self, table: Table) -> dict[str, UnlikeTraining]:
        """For each feature and column in the table which cells (n,) training had nothing like, for warnings."""
        columns = self._with_derived(table.columns)
        pairs = (*self.sources, *self._columns())
        return {info.name: each.findings(columns[info.name]) for info, each in pairs if info.name in columns}

    def to_json(self) -> dict[str, Any]:
        """The fitted values and the columns' descriptions, for JSON."""
        columns = [self._entry(info, each) for info, each in self._columns()]
        sources = [self._entry(info, each) for info, each in self.sources]
        return {"dtype": self.dtype.name, "columns": columns, **({"sources": sources} if sources else {})}

    def _entry(self, info: ColumnInfo, encoder: ColumnEncoder) -> dict[str, Any]:
        derived = {"derived": self.derived[info.name].to_json()} if info.name in self.derived else {}
        return {**derived, "column": info.to_json(), "encoder": dict(vars(encoder))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FeatureEncoder:
        """The encoder whose `to_json` this is."""
        pairs = [_pair_of(each) for each in data["columns"]]
        derived = [DerivedFeature.from_json(each["derived"]) for each in data["columns"] if "derived" in each]
        sources = [_pair_of(each) for each in data.get("sources", ())]
        infos, encoders = [info for info, _ in pairs], [encoder for _, encoder in pairs]
        return cls(infos, encoders, np.dtype(data["dtype"]), derived, sources)

    def _columns(self) -> Iterable[tuple[ColumnInfo, ColumnEncoder]]:
        return zip(self.infos, self.column_encoders, strict=True)


def _pair_of(entry: Mapping[str, Any]) -> tuple[ColumnInfo, ColumnEncoder]:
    # older models store only the name and kind of a column
    info = ColumnInfo.from_json({"missing": 0, "distinct": None, **entry["column"]})
    return info, encoder_from_json(info, entry["encoder"])


def _with_range(info: ColumnInfo, encoder: ColumnEncoder) -> tuple[ColumnInfo, ColumnEncoder]:
    """A derived feature with the range of the training rows, which no table describes."""
    assert isinstance(encoder, Scaled)  # noqa: S101 - for the type checker
    return replace(info, statistics={"min": encoder.low, "max": encoder.high}), encoder
