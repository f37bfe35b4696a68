"""Rows whose columns came as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from backpropd.errors import Invalid, Problem
from backpropd.tabular.inputs.conversion import Cells
from backpropd.tabular.inputs.input_rows import missing_columns
from backpropd.tabular.warnings import TableWarning


class TensorRows:
    """Columns of cells by name, all of the same length, and the JSON pointer of each.

    They are `InputRows`.
    """

    def __init__(self, columns: Mapping[str, Cells], pointers: Mapping[str, str]) -> None:
        self._columns, self._pointers = columns, pointers
        self.rows, self.is_typed_by_hand = len(next(iter(columns.values())).values), True
        self.read_warnings: Sequence[TableWarning] = ()

    def names(self) -> list[str]:
        """The names of all columns."""
        return list(self._columns)

    def described(self, name: str) -> None:
        """No column is described."""

    def rows_with(self, names: Sequence[str]) -> dict[str, Sequence[int]]:
        """For each of these columns all rows."""
        return dict.fromkeys(names, range(self.rows))

    def require(self, names: Sequence[str]) -> None:
        """Raise `errors.Invalid`, which names every one of these columns that is missing."""
        if missing := [name for name in names if name not in self._columns]:
            hint = "send an input of this name for each, or all features in their order as one matrix"
            detail = missing_columns(missing, hint)
            raise Invalid(detail, problems=[Problem("/inputs", detail)])

    def numbers(self, _: Sequence[str]) -> None:
        """They are read column by column."""

    def blocks(self, names: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """The cells of these columns, in blocks of at most `rows` rows."""
        for start in range(0, self.rows, rows):
            yield {name: self._columns[name].slice(start, min(rows, self.rows - start)) for name in names}

    def problem(self, row: int, name: str, detail: str) -> Problem:
        """What is wrong with a cell."""
        return Problem(self._pointers[name], f"row {row} (from 0) of the column {name!r}: {detail}")
