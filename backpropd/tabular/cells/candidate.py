"""A column of strings, of which it is to be decided what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backpropd.tabular.cells.infer_dates import Scan
from backpropd.tabular.cells.profile import CellProfile
from backpropd.tabular.warnings import MAX_EXAMPLES


@dataclass(frozen=True)
class Candidate:
    """A column of strings: what its cells look like, and how to read them again: perhaps once each, or row by row."""

    name: str
    profile: CellProfile
    scan: Scan
    rows: Callable[[], Iterable[pa.StringArray]]

    def examples(self, find: Callable[[pa.StringArray], NDArray[np.bool_]]) -> list[tuple[int, str]]:
        """The rows, from 0, and the values of the first cells that `find` marks in a block."""
        found: list[tuple[int, str]] = []
        row = 0
        for cells in self.rows():
            marked = np.flatnonzero(find(cells))
            found += [(row + index, cells[index].as_py()) for index in marked[: MAX_EXAMPLES - len(found)].tolist()]
            if len(found) >= MAX_EXAMPLES:
                break
            row += len(cells)
        return found
