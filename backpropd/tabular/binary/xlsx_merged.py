"""The rows of a sheet with the values of cells that are merged over several rows in each of these."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import python_calamine as calamine

from backpropd.tabular.binary.xlsx_sheets import is_blank


class MergedRows:
    """Iterates once over the rows; `filled` counts the cells that got the value of a cell above."""

    def __init__(self, sheet: calamine.CalamineSheet) -> None:
        self._sheet = sheet
        self.filled = 0

    def __iter__(self) -> Iterator[list[Any]]:
        begins, pending = self._begins(), dict[int, tuple[int, Any]]()
        for n, row in enumerate(self._sheet.iter_rows()):
            for column, (last, value) in list(pending.items()):
                if n > last or not is_blank(row[column]):
                    del pending[column]
                else:
                    row[column] = value
                    self.filled += not is_blank(value)
            pending |= {column: (last, row[column]) for column, last in begins.get(n, ()) if 0 <= column < len(row)}
            yield row

    def _begins(self) -> dict[int, list[tuple[int, int]]]:
        """The first column and the last row of the merged cells that begin in each row."""
        left = self._sheet.start[1] if self._sheet.start else 0  # of the first column with cells
        begins = defaultdict[int, list[tuple[int, int]]](list)
        for (top, column), (bottom, _) in self._sheet.merged_cell_ranges or ():
            if bottom > top:
                begins[top].append((column - left, bottom))
        return begins
