"""Encoders: columns to arrays and back, fitted on the training part alone and kept with the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Invalid
from backpropd.tabular.columns import TRUTHS, ColumnInfo
from backpropd.tabular.table import Column, Table, Words, label_of

Array = NDArray[Any]

FARTHEST = 1e12  # deviations from the mean; beyond, float32 would overflow within a network that is itself finite


def width_of(infos: Sequence[ColumnInfo]) -> int:
    """At most how many inputs these columns become; known before the table is read."""
    return sum(info.level_count + 1 if info.kind == "category" else 1 + (info.missing > 0) for info in infos)


@dataclass(frozen=True)
class _Scaled:
    """A number or boolean (false 0, true 1), standardized; a missing one becomes the mean, 0.

    A value more than 1e12 deviations from the mean counts as that far, so that every answer is finite.
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
        if not present.size:
            return cls(0.0, 1.0, bool(missing.any()))
        mean, std = _mean_and_std(present)
        # compared, too: the rounded deviation of equal numbers is not always 0
        usable = std > 0 and bool((present != present[0]).any())
        return cls(mean, std if usable else 1.0, bool(missing.any()))

    @property
    def width(self) -> int:
        return 1 + self.indicator

    def write(self, column: Column, out: Array) -> None:
        x = _numbers(column)
        missing = np.isnan(x)
        with np.errstate(over="ignore"):
            standardized = (x - self.mean) / self.std
        out[:, 0] = np.where(missing, 0.0, np.clip(standardized, -FARTHEST, FARTHEST))
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


def _mean_and_std(x: Array) -> tuple[float, float]:
    """Mean and deviation of (n,); numbers whose squares overflow are scaled down on the way."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(x.mean()), float(x.std())
    if np.isfinite(std):
        return mean, std
    size = np.abs(x).max()
    return float((x / size).mean() * size), float((x / size).std() * size)


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
            parts.append(_KINDS[info.kind].fit(table.columns[info.name][rows]))
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
        return self.transform_parts(table, [np.arange(table.rows)])[0]

    def transform_parts(self, table: Table, parts: Sequence[NDArray[np.intp]]) -> list[Array]:
        """For each of `parts`, row indices (n,), these rows as inputs (n, width); each column is looked at once."""
        outs = [np.empty((len(rows), self.width), self.dtype) for rows in parts]
        start = 0
        for info, encoder in zip(self.infos, self.parts, strict=True):
            column = table.columns[info.name]
            for rows, out in zip(parts, outs, strict=True):
                encoder.write(column[rows], out[:, start : start + encoder.width])
            start += encoder.width
        return outs

    def to_json(self) -> dict[str, Any]:
        """What was learned, for JSON, and the statistics of the columns."""
        columns = [
            {"column": info.to_json(), "encoder": dict(vars(part))}
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
        """Scale to mean 0 and deviation 1 (`standard`), [0, 1] (`unit`), [-1, 1] (`symmetric`), or not (`none`)."""
        y = np.column_stack([_numbers(table.columns[info.name])[rows] for info in infos])
        low, high = y.min(axis=0), y.max(axis=0)
        if scaling == "standard":
            offset, scale = y.mean(axis=0), y.std(axis=0)
        elif scaling == "unit":
            offset, scale = low, high - low
        elif scaling == "none":
            offset, scale = np.zeros(len(low)), np.ones(len(low))
        else:
            offset, scale = (high + low) / 2, (high - low) / 2
        scale = np.where(scale > 0, scale, 1.0)
        return cls([info.name for info in infos], None, offset.tolist(), scale.tolist())

    def encode(self, table: Table) -> Array:
        """Class indices (n,) for classes, else scaled numbers (n, targets) in float64.

        Raises `errors.Invalid` for a value that is none of the classes.
        """
        if self.labels is None:
            y = np.column_stack([_numbers(table.columns[name]) for name in self.names])
            scaled: Array = (y - np.array(self.offset)) / np.array(self.scale)
            return scaled
        column = table.columns[self.names[0]]
        if isinstance(column, Words):
            kind = "boolean" if set(self.labels) <= {"true", "false"} else "category"
            return self._places([_class(level, kind) for level in column.levels])[column.codes]
        values = np.unique(column)
        return self._places([label_of(value) for value in values.tolist()])[values.searchsorted(column)]

    def _places(self, labels: Sequence[str]) -> NDArray[np.intp]:
        """The index of each label among the classes. Raises `errors.Invalid` for one that is no class."""
        places = {label: place for place, label in enumerate(self.labels or [])}
        if unknown := [label for label in labels if label not in places]:
            raise Invalid(
                f"{self.names[0]!r} holds {unknown[0]!r}, which is none of the classes that are learned "
                f"({', '.join(list(places)[:20])}): leave out the rows that have it"
            )
        return np.array([places[label] for label in labels], np.intp)

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
