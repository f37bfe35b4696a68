"""Removal of zero-width characters from cells, and composition of accents.

They are invisible, but make equal numbers or words differ.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.cells.rewrite import Misfits
from backpropd.tabular.cells.shapes import WITHOUT_WIDTH, composed, is_ascii, trimmed_or_missing
from backpropd.tabular.formats import TableReader


class PlainCells:
    """Trims the blocks of a table, and counts the cells that lost a character of no width.

    The columns `as_written` keep theirs.
    """

    def __init__(self, names: Sequence[str], as_written: Collection[str] = ()) -> None:
        self._as_written = as_written
        self._found = {name: Misfits() for name in names}

    def trim(self, name: str, cells: pa.StringArray, first_row: int) -> pa.StringArray:
        """The cells of a block, null where nothing is left; its first row is `first_row`."""
        if name in self._as_written or is_ascii(cells):
            return cells
        cells = composed(cells)
        marked = pc.fill_null(pc.match_substring_regex(cells, WITHOUT_WIDTH), False)
        if not pc.any(marked).as_py():
            return cells
        self._found[name].add(first_row, cells, np.asarray(marked))
        return trimmed_or_missing(cells)

    def report(self, reader: TableReader) -> None:
        """Warn of the columns in which cells were changed."""
        for name, found in self._found.items():
            if found.count:
                detail = "characters without width, such as soft hyphens and zero-width spaces, are left out"
                examples = [(reader.line_of(row), ascii(value)[1:-1]) for row, value in found.examples]
                reader.warnings.add("invisible_characters", name, detail, examples, found.count)
