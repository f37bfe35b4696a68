"""The interface of rows to predict, wherever they come from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Problem
from backpropd.tabular.column_names import MAX_NAME_CHARACTERS
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.inputs.conversion import Cells
from backpropd.tabular.warnings import TableWarning


class InputRows(Protocol):
    """Rows that can be read several times, block by block."""

    rows: int
    """Their number."""
    is_typed_by_hand: bool
    """Whether every wrong cell is an error; otherwise a few of them count as missing, as in an upload."""
    read_warnings: Sequence[TableWarning]
    """What their file has otherwise than it was read."""

    def names(self) -> Sequence[str]:
        """The names of all columns."""

    def described(self, name: str) -> ColumnInfo | None:
        """The description of a column's cells, if there is one."""

    def rows_with(self, names: Sequence[str]) -> Mapping[str, Sequence[int]]:
        """For each of these columns the rows that have it."""

    def require(self, names: Sequence[str]) -> None:
        """Raise `errors.Invalid`, which names every one of these columns that is missing."""

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """The rows as numbers (n, columns), if that is all they are: these columns, without a missing value."""

    def blocks(self, names: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """The cells of these columns by name, in blocks of at most `rows` rows."""

    def problem(self, row: int, name: str, detail: str) -> Problem:
        """What is wrong with a cell."""


def missing_columns(names: Sequence[str], hint: str) -> str:
    """What to say about columns that are missing: all their names."""
    several = f"{len(names)} columns of the model: {listed(names, 1000)}"
    what = f"the column {names[0]!r}" if len(names) == 1 else several
    return f"the rows lack {what}; {hint}"


def listed(names: Sequence[str], most: int = 20) -> str:
    """The first names, separated by commas, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(name[:MAX_NAME_CHARACTERS] for name in names[:most]) + more
