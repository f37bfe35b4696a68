"""Encoders: columns to arrays and back, fitted on the training part alone and kept with the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.columns import TRUTHS, ColumnInfo
from backpropd.tabular.table import Column, Table, Words, label_of

Array = NDArray[Any]


def width_of(infos: Sequence[ColumnInfo]) -> int:
    """At most how many inputs these columns become; known before the table is read."""
    return sum(info.level_count + 1 if info.kind == "category" else 1 + (info.missing > 0) for info in infos)


@dataclass(frozen=True)
class _Scaled:
    """A number or boolean (false 0, true 1), standardized; a missing one becomes the mean, 0.

    With `indicator`, a second input is 1 where the value was missing; there is one if the training part had any.
    """

    mean: float
    std: float
    indicator: bool

    @classmethod
    def fit(cls, column: Column) -> _Scaled:
        x = _numbers(column)
        missing = np.isnan(x)
        present = x[~missing]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(present.mean()) if present.size else 0.0
            std = float(present.std()) if present.size else 1.0
        # compared, too: the rounded deviation of equal numbers is not always 0
        usable = np.isfinite(std) and bool((present != present[:1]).any())
        return cls(mean if np.isfinite(mean) else 0.0, std if usable else 1.0, bool(missing.any()))

    @property
    def width(self) -> int:
        return 1 + self.indicator

    def write(self, column: Column, out: Array) -> None:
        x = _numbers(column)
        missing = np.isnan(x)
        out[:, 0] = np.where(missing, 0.0, (x - self.mean) / self.std)
        if self.indicator:
            out[:, 1] = missing

    def names(self, name: str) -> list[str]:
        return [name, f"{name} is missing"][: self.width]


@dataclass(frozen=True)
class _OneHot:
    """A category: an input for each level met in training, and one for the unseen and the missing."""

    levels: list[str]

    @classmethod
    def fit(cls, column: Column) -> _OneHot:
        words = _words(column)
        met = np.unique(words.codes[words.codes >= 0])
        return cls(sorted(words.levels[code] for code in met))

    @property
    def width(self) -> int:
        return len(self.levels) + 1

    def write(self, column: Column, out: Array) -> None:
        words = _words(column)
        places = {level: place for place, level in enumerate(self.levels)}
        unseen = len(self.levels)
        # one more entry at the end, where the code -1 of a missing value points
        where = np.array([*(places.get(level, unseen) for level in words.levels), unseen])
        out[:] = 0
        out[np.arange(len(out)), where[words.codes]] = 1

    def names(self, name: str) -> list[str]:
        return [*(f"{name} = {level}" for level in self.levels), f"{name} is unseen or missing"]


_KINDS: Mapping[str, type[_Scaled] | type[_OneHot]] = {"number": _Scaled, "boolean": _Scaled, "category": _OneHot}


def _numbers(column: Column) -> NDArray[np.float64]:
    """A column as numbers: booleans are 0 and 1, NaN where missing."""
    if not isinstance(column, Words):
        return column
    values = [float(TRUTHS[level.lower()]) for level in column.levels]
    return np.array([*values, np.nan])[column.codes]


def _words(column: Column) -> Words:
    if not isinstance(column, Words):
        raise TypeError("a column of numbers has no levels")
    return column


class FeatureEncoder:
    """Encodes the feature columns into one array (n, width); `infos` are the columns it takes, in order."""

    def __init__(self, infos: Sequence[ColumnInfo], parts: Sequence[_Scaled | _OneHot], dtype: np.dtype[Any]) -> None:
        self.infos, self.parts, self.dtype = list(infos), list(parts), dtype

    @classmethod
    def fit(cls, table: Table, infos: Sequence[ColumnInfo], rows: Array, dtype: np.dtype[Any]) -> FeatureEncoder:
        """Learn means, deviations and levels from these rows, the training part."""
        parts = []
        for info in infos:
            column = table.columns[info.name]
            part = column.take(rows) if isinstance(column, Words) else column[rows]
            parts.append(_KINDS[info.kind].fit(part))
        return cls(infos, parts, dtype)

    def unscaled(self, names: Iterable[str]) -> FeatureEncoder:
        """The same, but these numbers and booleans stay as they are; a missing one becomes 0."""
        kept = set(names)
        parts = [
            replace(part, mean=0.0, std=1.0) if info.name in kept and isinstance(part, _Scaled) else part
            for info, part in zip(self.infos, self.parts, strict=True)
        ]
        return FeatureEncoder(self.infos, parts, self.dtype)

    @property
    def width(self) -> int:
        """How many inputs the columns become."""
        return sum(part.width for part in self.parts)

    @property
    def names(self) -> list[str]:
        """What each input is."""
        return [name for info, part in zip(self.infos, self.parts, strict=True) for name in part.names(info.name)]

    def transform(self, table: Table) -> Array:
        """The table's rows as inputs (n, width)."""
        out = np.empty((table.rows, self.width), self.dtype)
        start = 0
        with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite, and training says so
            for info, part in zip(self.infos, self.parts, strict=True):
                part.write(table.columns[info.name], out[:, start : start + part.width])
                start += part.width
        return out

    def to_json(self) -> dict[str, Any]:
        """What was learned, for JSON, and the statistics of the columns."""
        columns = [
            {"column": info.to_json(), "encoder": asdict(part)}
            for info, part in zip(self.infos, self.parts, strict=True)
        ]
        return {"dtype": self.dtype.name, "columns": columns}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FeatureEncoder:
        """The encoder whose `to_json` this is."""
        # models made before the statistics were kept have a name and a kind alone
        infos = [ColumnInfo.from_json({"missing": 0, "distinct": None, **each["column"]}) for each in data["columns"]]
        parts = [_KINDS[each["column"]["kind"]](**each["encoder"]) for each in data["columns"]]
        return cls(infos, parts, np.dtype(data["dtype"]))


class TargetEncoder:
    """Encodes what is to be learned: classes as indices, or numbers on the scale of the output activation."""

    def __init__(self, names: Sequence[str], labels: list[str] | None, offset: list[float], scale: list[float]) -> None:
        self.names, self.labels = list(names), labels
        self.offset, self.scale = offset, scale

    @classmethod
    def classes_of(cls, table: Table, info: ColumnInfo) -> TargetEncoder:
        """The classes of a column: numbers in their order, words in theirs, false before true."""
        column = table.columns[info.name]
        if not isinstance(column, Words):
            return cls([info.name], [label_of(value) for value in np.unique(column).tolist()], [], [])
        return cls([info.name], sorted({_class(level, info.kind) for level in column.levels}), [], [])

    @classmethod
    def scaling_of(cls, table: Table, infos: Sequence[ColumnInfo], rows: Array, scaling: str) -> TargetEncoder:
        """Scale to mean 0 and deviation 1 (`standard`), to [0, 1] (`unit`) or to [-1, 1] (`symmetric`)."""
        y = np.column_stack([_numbers(table.columns[info.name])[rows] for info in infos])
        low, high = y.min(axis=0), y.max(axis=0)
        if scaling == "standard":
            offset, scale = y.mean(axis=0), y.std(axis=0)
        elif scaling == "unit":
            offset, scale = low, high - low
        else:
            offset, scale = (high + low) / 2, (high - low) / 2
        scale = np.where(scale > 0, scale, 1.0)
        return cls([info.name for info in infos], None, offset.tolist(), scale.tolist())

    def encode(self, table: Table) -> Array:
        """Class indices (n,) for classes, else scaled numbers (n, targets) in float64."""
        if self.labels is None:
            y = np.column_stack([_numbers(table.columns[name]) for name in self.names])
            scaled: Array = (y - np.array(self.offset)) / np.array(self.scale)
            return scaled
        column = table.columns[self.names[0]]
        places = {label: place for place, label in enumerate(self.labels)}
        if isinstance(column, Words):
            kind = "boolean" if set(self.labels) <= {"true", "false"} else "category"
            return np.array([places[_class(level, kind)] for level in column.levels], np.intp)[column.codes]
        values, inverse = np.unique(column, return_inverse=True)
        return np.array([places[label_of(value)] for value in values.tolist()], np.intp)[inverse]

    def decode(self, h: Array) -> Array:
        """Outputs (n, targets) in the targets' own units, float64."""
        values: Array = h.astype(np.float64) * np.array(self.scale) + np.array(self.offset)
        return values

    def to_json(self) -> dict[str, Any]:
        """What was learned, for JSON."""
        return {"names": self.names, "labels": self.labels, "offset": self.offset, "scale": self.scale}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetEncoder:
        """The encoder whose `to_json` this is."""
        return cls(data["names"], data["labels"], data["offset"], data["scale"])


def _class(level: str, kind: str) -> str:
    return ("true" if TRUTHS[level.lower()] else "false") if kind == "boolean" else level
