"""Rows of a JSON request as columns of cells, with a JSON pointer for every one that is wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backpropd.errors import MAX_PROBLEMS, Invalid, Problem, UnknownColumn, pointer
from backpropd.tabular.column_names import respelled
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.inputs.conversion import Cells, convert_column, explain
from backpropd.tabular.inputs.input_rows import listed, missing_columns
from backpropd.tabular.inputs.known_column import KnownColumn
from backpropd.tabular.table import Column, Table, class_label
from backpropd.tabular.warnings import TableWarning

SHAPES = "send rows as objects by column name, or as arrays"
CELL_TYPES = (str, float, int, bool, type(None))


class JsonRows:
    """Rows of JSON, all objects by column name or all arrays.

    They are `InputRows`. `columns` are the names of the arrays' values; `path` is where the rows are in the request,
    and `is_single` tells that the request is one row itself. A name that is another spelling of one of the `known`
    (those of `columns` if they are None) is this one. Raises `errors.Invalid` for rows of other shapes.
    """

    def __init__(
        self,
        rows: Sequence[Any],
        columns: Sequence[str],
        path: Sequence[str] = ("rows",),
        known: Collection[str] | None = None,
        *,
        is_single: bool = False,
    ) -> None:
        self._rows, self._path, self._is_single = rows, path, is_single
        self.rows, self.is_typed_by_hand = len(rows), True
        self.read_warnings: Sequence[TableWarning] = ()
        self.by_name = bool(rows) and isinstance(rows[0], dict)
        self._index = {name: index for index, name in enumerate(columns)}
        self._check_shapes(columns)
        other = respelled(self.names(), columns if known is None else known)
        self._written = {name: written for written, name in other.items()}
        if other and self.by_name:
            self._rows = [{other.get(name, name): value for name, value in row.items()} for row in rows]
        elif other:
            self._index = {other.get(name, name): index for name, index in self._index.items()}

    def _check_shapes(self, columns: Sequence[str]) -> None:
        if problems := list(islice(self._misshapen(columns), MAX_PROBLEMS + 1)):
            raise Invalid.from_problems(problems)

    def _misshapen(self, columns: Sequence[str]) -> Iterator[Problem]:
        expected = dict if self.by_name else list
        for row, each in enumerate(self._rows):
            if not isinstance(each, expected):
                detail = f"{SHAPES}, all of them alike" if isinstance(each, dict | list) else SHAPES
                yield Problem(self._pointer(row), detail)
            elif not self.by_name and len(each) != len(columns):
                detail = f"the row has {len(each)} values, and there are {len(columns)} columns: {listed(columns)}"
                yield Problem(self._pointer(row), detail)

    def _pointer(self, row: int, *key: str | int) -> str:
        return pointer(*self._path, *(() if self._is_single else (row,)), *key)

    def pointer(self, row: int, name: str) -> str:
        """The JSON pointer of a cell."""
        return self._pointer(row, self._written.get(name, name) if self.by_name else self._index[name])

    def names(self) -> list[str]:
        """The names of all columns, those that not every row has included."""
        if not self.by_name:
            return list(self._index)
        return list(dict.fromkeys(name for row in self._rows for name in row))

    def described(self, name: str) -> None:
        """No column is described."""

    def rows_with(self, names: Sequence[str]) -> dict[str, Sequence[int]]:
        """For each of these columns the rows that have it."""
        if not self.by_name:
            return dict.fromkeys(names, range(self.rows))
        having: dict[str, list[int]] = {name: [] for name in names}
        for row, each in enumerate(self._rows):
            for name in having.keys() & each.keys():
                having[name].append(row)
        return {**having}

    def require(self, names: Sequence[str]) -> None:
        """Raise `errors.Invalid`, which names every one of these columns that a row lacks."""
        missing = self._missing(set(names))
        if missing:
            hint = "send null for a missing value"
            ordered = [name for name in names if name in missing]
            problems = [Problem(self._pointer(missing[name], name), f"is required: {hint}") for name in ordered]
            raise Invalid(missing_columns(ordered, hint), problems=problems[:MAX_PROBLEMS])

    def _missing(self, names: set[str]) -> dict[str, int]:
        """The names that a row lacks, with the first such row."""
        if not self.by_name:
            return dict.fromkeys(names - self._index.keys(), 0)
        found, looked_for = dict[str, int](), names
        for row, each in enumerate(self._rows):
            lacking = looked_for - each.keys()
            found |= dict.fromkeys(lacking, row)
            looked_for = looked_for - lacking
        return found

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """The rows as numbers (n, columns), if they have these columns, no others, and plain numbers in all of them."""
        rows = self._rows
        if self.by_name:
            if any(len(row) != len(names) for row in rows):
                return None
            rows = [[row[name] for name in names] for row in rows]
        elif list(self._index) != list(names):
            return None
        if not set(map(type, chain.from_iterable(rows))) <= {int, float}:
            return None
        try:
            return np.array(rows, np.float64)
        except OverflowError:  # an int beyond float64
            return None

    def cells(self, name: str) -> Cells:
        """The cells of a column, null where a row lacks it. Raises `errors.Invalid` for arrays and objects."""
        key: Any = name if self.by_name else self._index[name]
        values = [row.get(key) for row in self._rows] if self.by_name else [row[key] for row in self._rows]
        if not set(map(type, values)).issubset(CELL_TYPES):
            self._reject_nested(values, name)
        return cells_from_json(values)

    def blocks(self, names: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """The cells of these columns, in blocks of at most `rows` rows. Raises `errors.Invalid` as `cells` does."""
        columns = {name: self.cells(name) for name in names}
        for start in range(0, self.rows, rows):
            yield {name: cells.slice(start, min(rows, self.rows - start)) for name, cells in columns.items()}

    def problem(self, row: int, name: str, detail: str) -> Problem:
        """What is wrong with a cell."""
        return Problem(self.pointer(row, name), detail)

    def _reject_nested(self, values: Sequence[Any], name: str) -> None:
        detail = "a cell is text, a number, true, false or null"
        raise Invalid.from_problems(
            Problem(self.pointer(row, name), detail)
            for row, each in enumerate(values)
            if not isinstance(each, CELL_TYPES)
        )


def cells_from_json(values: Sequence[Any]) -> Cells:
    """Values of `CELL_TYPES`: numbers as float64 where there is nothing else, otherwise strings."""
    types = set(map(type, values))
    if types <= {str, type(None)}:
        return Cells(pa.array(values, pa.string()))
    if types <= {int, float, type(None)}:
        try:
            return Cells(pa.array(np.array(values, np.float64), from_pandas=True))
        except OverflowError:  # an int beyond float64
            values = [math.inf if _is_huge(each) else each for each in values]
            return Cells(pa.array(np.array(values, np.float64), from_pandas=True))
    numbers = np.array([type(each) in (int, float) for each in values])
    return Cells(pa.array([None if each is None else class_label(each) for each in values], pa.string()), numbers)


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and abs(value) > 2**1023


def parse_columns(rows: JsonRows, columns: Mapping[str, KnownColumn]) -> Table:
    """These columns of the rows as values. Raises `errors.Invalid` with a pointer for every cell that is wrong."""
    rows.require(list(columns))
    problems: list[Problem] = []
    values: dict[str, Column] = {}
    for name, column in columns.items():
        cells = rows.cells(name)
        converted = convert_column(cells, column)
        values[name] = converted.values
        for row in np.flatnonzero(converted.wrong)[: MAX_PROBLEMS + 1].tolist():
            problems.append(Problem(rows.pointer(row, name), explain(cells.values[row].as_py(), column)))
        if len(problems) > MAX_PROBLEMS:
            break
    if problems:
        raise Invalid.from_problems(problems)
    return Table(values, rows.rows)


def table_from_json_rows(rows: Sequence[Any], infos: Sequence[ColumnInfo]) -> Table:
    """A table of the columns `infos`, and of no others, from objects by column name or arrays in the order of `infos`.

    Null is a missing value. Numbers may be strings, and labels numbers. Raises `errors.Invalid` with a pointer for
    every wrong cell.
    """
    columns = {info.name: KnownColumn(info) for info in infos}
    parsed = JsonRows(rows, list(columns))
    if unknown := [name for name in parsed.names() if name not in columns]:
        detail = f"there is no column {unknown[0]!r} here; there are: {listed(list(columns))}"
        raise UnknownColumn(detail, pointer=parsed.pointer(parsed.rows_with(unknown[:1])[unknown[0]][0], unknown[0]))
    return parse_columns(parsed, columns)
