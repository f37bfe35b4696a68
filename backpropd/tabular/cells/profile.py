"""What the cells of a column look like, counted block by block in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.shapes import shapes, tidy

MAX_SHAPES = 2000  # numbers and dates have a few hundred
MAX_CHARACTERS = 60  # of a cell; longer ones are words


class CellProfile:
    """Counts of the cells that are not empty: the shapes of those with digits, the `markers`, and all others.

    `filled` counts the cells that are no markers.
    """

    def __init__(self, markers: Markers) -> None:
        self._markers = markers
        self.shapes: Counter[str] = Counter()
        self.filled = self.markers = 0

    def add_levels(self, levels: Mapping[str, int]) -> None:
        """Add different cells with their counts."""
        self._add(pa.array([*levels], pa.string()), np.array([*levels.values()], np.int64))

    def add(self, cells: pa.StringArray) -> None:
        """Add a block of cells."""
        cells = cells.drop_null()
        self._add(cells, np.ones(len(cells), np.int64))

    def _add(self, cells: pa.StringArray, counts: NDArray[np.int64]) -> None:
        cells = tidy(cells)
        is_marker = self._markers.find(cells)
        self.markers += int(counts[is_marker].sum())
        counts = np.where(is_marker, 0, counts)
        self.filled += int(counts.sum())
        if not len(cells):
            return
        shaped, has_digit = shapes(cells)
        short = pc.less_equal(pc.binary_length(cells), MAX_CHARACTERS).to_numpy(zero_copy_only=False)
        kept = has_digit & short & (counts > 0)
        encoded = shaped.filter(pa.array(kept)).dictionary_encode()
        totals = np.bincount(encoded.indices.to_numpy(), counts[kept], len(encoded.dictionary)).astype(int)
        for shape, total in zip(encoded.dictionary.to_pylist(), totals.tolist(), strict=True):
            if shape in self.shapes or len(self.shapes) < MAX_SHAPES:
                self.shapes[shape] += total
