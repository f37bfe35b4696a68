"""Target columns to arrays and back: class indices, or numbers scaled to the range of the output activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Invalid
from backpropd.tabular.column_encoders import Array, as_numbers
from backpropd.tabular.columns import BOOLEAN_CELLS, BOOLEAN_PAIRS, ColumnInfo
from backpropd.tabular.table import CategoricalColumn, Table, class_label


class TargetEncoder:
    """Encodes targets as indices into `labels`, or if that is None as (value - offset) / scale.

    Predictions of numbers are clipped to `bounds`, the lowest and the highest value of each target, if they are given.
    """

    def __init__(
        self,
        names: Sequence[str],
        labels: list[str] | None,
        offset: list[float],
        scale: list[float],
        bounds: tuple[list[float], list[float]] | None = None,
    ) -> None:
        self.names, self.labels = list(names), labels
        self.offset, self.scale, self.bounds = offset, scale, bounds

    @classmethod
    def fit_classes(cls, table: Table, info: ColumnInfo) -> TargetEncoder:
        """The classes of a column in order: numbers by value, strings alphabetically, false before true.

        Booleans are labelled as they are most often written.
        """
        column = table.columns[info.name]
        if info.kind == "boolean":
            labels = boolean_labels(info)
        elif isinstance(column, CategoricalColumn):
            labels = sorted(column.levels)
        else:
            labels = [class_label(value) for value in np.unique(column).tolist()]
        return cls([info.name], labels, [], [])

    @classmethod
    def fit_scaling(
        cls, table: Table, infos: Sequence[ColumnInfo], rows: Array, scaling: str, *, clip: bool = False
    ) -> TargetEncoder:
        """Scale to mean 0 and deviation 1 (`standard`), [0, 1] (`unit`), [-1, 1] (`symmetric`), or not (`none`).

        With `clip` predictions stay within the range of these rows.
        """
        y = np.column_stack([as_numbers(table.columns[info.name])[rows] for info in infos])
        low, high = y.min(axis=0), y.max(axis=0)
        offset, scale = {
            "standard": (y.mean(axis=0), y.std(axis=0)),
            "unit": (low, high - low),
            "symmetric": ((high + low) / 2, (high - low) / 2),
            "none": (np.zeros(len(low)), np.ones(len(low))),
        }[scaling]
        scale, bounds = np.where(scale > 0, scale, 1.0), (low.tolist(), high.tolist()) if clip else None
        return cls([info.name for info in infos], None, offset.tolist(), scale.tolist(), bounds)

    def encode(self, table: Table) -> Array:
        """Class indices (n,) for classes, else scaled numbers (n, targets) in float64.

        Raises `errors.Invalid` for a value that is not one of the classes.
        """
        if self.labels is None:
            y = np.column_stack([as_numbers(table.columns[name]) for name in self.names])
            scaled: Array = (y - np.array(self.offset)) / np.array(self.scale)
            return scaled
        column = table.columns[self.names[0]]
        if isinstance(column, CategoricalColumn):
            return self._indices([self.label_of(level) for level in column.levels])[column.codes]
        values = np.unique(column)
        return self._indices([class_label(value) for value in values.tolist()])[values.searchsorted(column)]

    @property
    def is_boolean(self) -> bool:
        """Whether the labels are the two words of a boolean."""
        meanings = [BOOLEAN_CELLS.get(label.lower()) for label in self.labels or ()]
        return len(meanings) == 2 and {*meanings} == {False, True}

    def label_of(self, level: str) -> str:
        """The label that a level has: a boolean may be in any spelling."""
        meaning = BOOLEAN_CELLS.get(level.lower())
        if meaning is None or not self.is_boolean:
            return level
        return next(label for label in self.labels or () if BOOLEAN_CELLS[label.lower()] == meaning)

    def _indices(self, labels: Sequence[str]) -> NDArray[np.intp]:
        """The class index of each label. Raises `errors.Invalid` for an unknown one."""
        indices = {label: index for index, label in enumerate(self.labels or [])}
        if unknown := [label for label in labels if label not in indices]:
            raise Invalid(
                f"{self.names[0]!r} holds {unknown[0]!r}, which is not one of the model's classes "
                f"({', '.join(list(indices)[:20])}): remove the rows that have it"
            )
        return np.array([indices[label] for label in labels], np.intp)

    def decode(self, h: Array) -> Array:
        """Outputs (n, targets) in the targets' own units, float64, within the bounds if there are any."""
        values = self.values(h)
        return values if self.bounds is None else np.clip(values, *map(np.array, self.bounds))

    def values(self, y: Array) -> Array:
        """Encoded targets (n, targets) in their own units, float64."""
        values: Array = y.astype(np.float64) * np.array(self.scale) + np.array(self.offset)
        return values

    def to_json(self) -> dict[str, Any]:
        """The fitted values, for JSON."""
        fitted = {"names": self.names, "labels": self.labels, "offset": self.offset, "scale": self.scale}
        return fitted if self.bounds is None else {**fitted, "bounds": self.bounds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetEncoder:
        """The encoder whose `to_json` this is."""
        return cls(data["names"], data["labels"], data["offset"], data["scale"], data.get("bounds"))


def boolean_labels(info: ColumnInfo) -> list[str]:
    """Both labels of a boolean column, false first, as its description spells them, or as the other one suggests."""
    written = {BOOLEAN_CELLS[level["value"].lower()]: level["value"] for level in info.statistics.get("levels", ())}
    words = {word.lower() for word in written.values()}
    pair = next((pair for pair in (*BOOLEAN_PAIRS, ("1", "0")) if words <= {*pair}), ("true", "false"))
    return [written.get(False, pair[1]), written.get(True, pair[0])]
