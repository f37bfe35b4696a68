"""Findings about rows to predict: what was ignored, or differs from what training saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import MAX_PROBLEMS, Invalid, Problem
from backpropd.tabular import column_encoders
from backpropd.tabular.column_names import MAX_NAME_CHARACTERS
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.derived import DerivedFeature
from backpropd.tabular.inputs.conversion import Cells, Converted, Mask, explain, same_number
from backpropd.tabular.inputs.input_rows import InputRows
from backpropd.tabular.inputs.known_column import KnownColumn
from backpropd.tabular.table import CategoricalColumn, Column, class_label
from backpropd.tabular.warnings import TableWarning

MAX_ROWS, MAX_VALUES = 10, 5  # of one finding
MAX_FINDINGS = 200
MAX_VALUE_CHARACTERS = 50
MAX_WRONG_SHARE = 0.1
WRONG_CELLS = "cells_not_"  # the codes of cells that are not of their column's kind begin so, as those of uploads do
ABOUT_TRAINING = ("constant_column", "empty_column", "looks_like_id", "mixed_column")  # of no use to a prediction


@dataclass
class Finding:
    """A kind of finding (`code`) in one column: in how many rows, the first of these (from 0), and what it means."""

    code: str
    column: str | None
    count: int = 0
    rows: list[int] = field(default_factory=list)
    detail: str = ""
    values: list[str] = field(default_factory=list)

    def add(self, rows: NDArray[np.intp], start: int, cells: Cells) -> None:
        """Add rows of a block that begins at the row `start`."""
        self.count += len(rows)
        self.rows += (rows[: MAX_ROWS - len(self.rows)] + start).tolist()
        for row in rows[:MAX_VALUES].tolist():
            value = _shown(cells, row)
            if len(self.values) < MAX_VALUES and value not in self.values:
                self.values.append(value)

    def to_json(self) -> dict[str, Any]:
        """The finding as the API shows it."""
        return {name: value for name, value in asdict(self).items() if name != "values"}


def _shown(cells: Cells, row: int) -> str:
    cell = cells.values[row].as_py()
    return repr(cell[:MAX_VALUE_CHARACTERS]) if isinstance(cell, str) else class_label(cell)


@dataclass(frozen=True)
class DerivedColumn:
    """A derived feature of a model, and what the model knows of its values."""

    feature: DerivedFeature
    info: ColumnInfo

    def explain(self, code: str) -> str:
        """What a finding of this code means."""
        if code == "missing_value":
            why = "only numbers above 0 have a logarithm, and " if self.feature.operation == "log" else ""
            return f"{why}training had no row without {self.info.name}: the prediction takes a typical value"
        low, high = (class_label(self.info.statistics.get(name)) for name in ("min", "max"))
        return f"{self.info.name} is far outside the rows that were trained on, which have {low} to {high}"


class InputFindings:
    """Collects findings about `rows`, of which `columns` go into the model and `known` are in its table."""

    def __init__(
        self,
        rows: InputRows,
        columns: Mapping[str, KnownColumn],
        known: Sequence[str],
        derived: Mapping[str, DerivedColumn] = {},
    ) -> None:
        self._rows, self._columns, self._derived = rows, columns, derived
        self._found: dict[tuple[str, str | None], Finding] = {}
        self._filled = dict.fromkeys(columns, 0)
        for warning in rows.read_warnings:
            if warning.column is None or (warning.column in columns and warning.code not in ABOUT_TRAINING):
                self._found[warning.code, warning.column] = _reading(warning)
        in_table = set(known)
        extra = [name for name in rows.names() if name not in in_table]
        detail = "no column of the model's table has this name: the prediction does not use it"
        for name, having in rows.rows_with(extra[:MAX_FINDINGS]).items():
            shown = name[:MAX_NAME_CHARACTERS]
            self._found["extra_column", shown] = Finding(
                "extra_column", shown, len(having), [*having[:MAX_ROWS]], detail
            )

    def add(
        self,
        start: int,
        cells: Mapping[str, Cells],
        converted: Mapping[str, Converted],
        unlike: Mapping[str, column_encoders.UnlikeTraining],
    ) -> None:
        """Look at a block that begins at the row `start`, without `problems`; `unlike` training were these values."""
        for name, each in converted.items():
            self._note(f"{WRONG_CELLS}{self._columns[name].info.kind}s", name, each.wrong, start, cells[name])
            found = unlike[name]
            self._note("missing_value", name, found.missing & ~each.wrong, start, cells[name])
            self._note("unseen_category", name, found.unseen, start, cells[name])
            self._note("out_of_range", name, found.out_of_range, start, cells[name])
            self._filled[name] += len(each.wrong) - count_missing(each.values)
        for name in self._derived.keys() & unlike.keys():
            first, *others = self._derived[name].feature.columns
            wrong = np.logical_or.reduce([converted[column].wrong for column in (first, *others)])
            self._note("missing_value", name, unlike[name].missing & ~wrong, start, cells[first])
            self._note("out_of_range", name, unlike[name].out_of_range, start, cells[first])

    def problems(self, start: int, name: str, cells: Cells, converted: Converted) -> list[Problem]:
        """What is wrong in a column of a block, of rows typed by hand and of categories; other cells are only noted."""
        column = self._columns[name]
        if not self._rows.is_typed_by_hand and column.info.kind != "category":
            return []
        return [
            self._rows.problem(start + row, name, explain(cells.values[row].as_py(), column))
            for row in np.flatnonzero(converted.wrong)[: MAX_PROBLEMS + 1].tolist()
        ]

    def _note(self, code: str, name: str, rows: Mask, start: int, cells: Cells) -> None:
        if rows.any():
            self._found.setdefault((code, name), Finding(code, name)).add(np.flatnonzero(rows), start, cells)

    def to_list(self) -> list[Finding]:
        """All findings, once every block was added. Raises `errors.Invalid` if too many cells of a column are wrong."""
        for finding in self._found.values():
            if (derived := self._derived.get(finding.column or "")) is not None:
                finding.detail = derived.explain(finding.code)
            if finding.column is None or finding.column not in self._columns:
                continue
            column = self._columns[finding.column]
            if finding.code.startswith(WRONG_CELLS):
                self._check_share(finding, column)
            finding.detail = finding.detail or _detail(finding, column)
        return list(self._found.values())[:MAX_FINDINGS]

    def _check_share(self, finding: Finding, column: KnownColumn) -> None:
        filled = self._filled[column.info.name] + finding.count
        if finding.count > MAX_WRONG_SHARE * filled:
            raise Invalid(
                f"{finding.count} of {filled} cells of the column {finding.column!r} are not of its kind, "
                f"{column.info.kind}, such as {', '.join(finding.values)}: check that it is the column of this name in "
                "the model's table"
            )


def _reading(warning: TableWarning) -> Finding:
    """A warning about how the file was read, with the lines in its text."""
    values = [repr(example.value[:MAX_VALUE_CHARACTERS]) for example in warning.examples[:MAX_VALUES]]
    lines = [f"line {each.line}: {value}" for each, value in zip(warning.examples, values, strict=False)]
    detail = warning.detail + (f" ({', '.join(lines)})" if lines else "")
    return Finding(warning.code, warning.column, warning.count, [], detail, values)


def count_missing(column: Column) -> int:
    """The number of missing values."""
    missing = column.codes < 0 if isinstance(column, CategoricalColumn) else np.isnan(column)
    return int(np.count_nonzero(missing))


def _detail(finding: Finding, column: KnownColumn) -> str:
    values = ", ".join(finding.values)
    if finding.code == "missing_value":
        return "training had no missing value in this column: the prediction takes a typical one"
    if finding.code == "out_of_range":
        low, high = (class_label(column.info.statistics.get(name)) for name in ("min", "max"))
        return f"far outside the table that was trained on, which has {low} to {high}: {values}"
    if finding.code.startswith(WRONG_CELLS):
        return f"taken for missing, because this column holds {column.info.kind}s: {values}"
    hint = same_number([value.strip("'") for value in finding.values], column)
    return f"not among the values of training: {values}" + (f"; the column holds {hint!r}" if hint else "")
