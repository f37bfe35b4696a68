"""The rows of a JSON text as blocks of columns: rows that are objects, rows that are lists, or columns in memory.

Rows are read twice: first for the columns, then block by block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from backpropd.errors import NotATable
from backpropd.tabular.header import is_header
from backpropd.tabular.json_files.cells import Key, columns_of_lists, flatten, name_of, to_cell
from backpropd.tabular.json_files.layout import FORMS
from backpropd.tabular.limits import TableLimits, check_columns, check_rows
from backpropd.tabular.line_numbers import LineNumbers
from backpropd.tabular.warnings import MAX_EXAMPLES

BLOCK_ROWS = 8 * 1024
BLOCK_CELLS = 128 * 1024
HEADER_ROWS = 100  # below the first, which tell whether it is a header
NESTED = {list, dict}

Block = list[Sequence[Any]]
Values = Callable[[bool], Iterator[tuple[Any, int]]]
"""Opens the text anew and gives each row with its line; its argument says whether numbers are told from strings."""


class Source(Protocol):
    """Where the cells come from: the number of columns, their names (None: none are given), and the cells' blocks."""

    width: int
    names: Sequence[str] | None
    nested: Mapping[int, int]
    """The columns (by index) with lists among their values, each with the first line."""
    short: Sequence[int]
    """The lines of lists that lack cells, some for each length."""

    def line_of(self, row: int) -> int:
        """The line of a row, from 0."""

    def blocks(self) -> Iterator[Block]:
        """The columns of each block of rows."""


class ObjectRows:
    """Rows that are objects: their names are the columns, in the order in which they appear."""

    names: Sequence[str] | None
    nested: Mapping[int, int]
    short: Sequence[int] = ()

    def __init__(self, values: Values, limits: TableLimits) -> None:
        """Read all rows once. Raises `NotATable` and `TableTooLarge`."""
        self._values, self._flat = values, True
        self._lines, self._lists = LineNumbers(), dict[Key, int]()
        names: dict[Key, None] = {}
        for row, line in values(False):
            if type(row) is not dict:
                raise _mixed(row, line, "an object")
            is_nested = not NESTED.isdisjoint(map(type, row.values()))
            cells: Mapping[Key, Any] = self._inspect(row, line) if is_nested else row
            if not cells.keys() <= names.keys():
                names |= dict.fromkeys(cells)
                _check(len(names), len(self._lines), limits)
            self._lines.add(line)
        _check(len(names), len(self._lines), limits)
        self._keys, self.width = [*names], len(names)
        self.names = [*map(name_of, names)]
        self.nested = {n: self._lists[key] for n, key in enumerate(names) if key in self._lists}

    def _inspect(self, row: dict[Any, Any], line: int) -> dict[Key, Any]:
        """Flatten a row, and remember which of its values are lists."""
        if any(isinstance(each, dict) for each in row.values()):
            self._flat, row = False, flatten(row)
        for name, each in row.items():
            if isinstance(each, list):
                self._lists.setdefault(name, line)
        return row

    def line_of(self, row: int) -> int:
        """See `Source`."""
        return self._lines.line_of(row)

    def blocks(self) -> Iterator[Block]:
        """See `Source`."""
        rows: Iterator[dict[Key, Any]] = (row for row, _ in self._values(bool(self.nested)))
        if not self._flat:
            rows = (flatten(row) for row, _ in self._values(bool(self.nested)))
        while block := [*islice(rows, _block_rows(self.width))]:
            yield [[row.get(key) for row in block] for key in self._keys]


class ListRows:
    """Rows that are lists, perhaps below a header."""

    names: Sequence[str] | None
    nested: Mapping[int, int]
    short: Sequence[int]

    def __init__(self, values: Values, limits: TableLimits, header: bool | None, names: Sequence[str] | None) -> None:
        """Read all rows once. `names` were given beside the rows; `header` says whether the first row has them.

        Raises `NotATable` and `TableTooLarge`.
        """
        self._values, self.width = values, 0
        self._lines = LineNumbers()
        nested: dict[int, int] = {}
        first: list[list[str]] = []
        lines_of_width: dict[int, list[int]] = {}
        for row, line in values(False):
            if type(row) is not list:
                raise _mixed(row, line, "a list")
            if not NESTED.isdisjoint(map(type, row)):
                nested = {n: line for n, each in enumerate(row) if type(each) in NESTED} | nested
            if len(row) > self.width:
                self.width = len(row)
                _check(self.width, len(self._lines), limits)
            if len(first) <= HEADER_ROWS:
                first.append([to_cell(each) or "" for each in row])
            lines = lines_of_width.setdefault(len(row), [])
            if len(lines) < MAX_EXAMPLES:
                lines.append(line)
            self._lines.add(line)
        _check(self.width, len(self._lines), limits)
        self.short = sorted(line for width, lines in lines_of_width.items() if width < self.width for line in lines)
        self.nested, self._header_rows = nested, 0
        self.names = names if names is None or len(names) == self.width else None
        if self.names is None and (is_header(first[0], first[1:]) if header is None else header):
            self._header_rows, self.names = 1, first[0] + [""] * (self.width - len(first[0]))

    def line_of(self, row: int) -> int:
        """See `Source`."""
        return self._lines.line_of(row + self._header_rows)

    def blocks(self) -> Iterator[Block]:
        """See `Source`."""
        rows = (row for row, _ in self._values(bool(self.nested)))
        deque(islice(rows, self._header_rows), maxlen=0)
        while block := [*islice(rows, _block_rows(self.width))]:
            yield columns_of_lists(block, self.width)


class Columns:
    """Columns that are in memory, by name."""

    names: Sequence[str] | None
    nested: Mapping[int, int] = {}
    short: Sequence[int] = ()

    def __init__(self, columns: Mapping[str, Sequence[Any]], limits: TableLimits) -> None:
        """Raises `TableTooLarge`."""
        self.names, self._columns = [*columns], [*columns.values()]
        self.width = len(columns)
        _check(self.width, len(self._columns[0]), limits)

    def line_of(self, row: int) -> int:
        """See `Source`."""
        return row + 1

    def blocks(self) -> Iterator[Block]:
        """See `Source`."""
        size = _block_rows(self.width)
        for start in range(0, len(self._columns[0]), size):
            yield [column[start : start + size] for column in self._columns]


def _block_rows(width: int) -> int:
    return max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(width, 1)))


def _mixed(row: Any, line: int, others: str) -> NotATable:
    what = "an object" if isinstance(row, dict) else "a list" if isinstance(row, list) else "a single value"
    return NotATable(f"line {line}: this row is {what}, and the first row is {others}: {FORMS}")


def _check(columns: int, rows: int, limits: TableLimits) -> None:
    """Raise `TableTooLarge` for too many columns or rows."""
    check_columns(columns, limits.columns)
    check_rows(rows, limits.rows)
