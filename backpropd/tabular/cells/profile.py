"""What the cells of a column look like, counted block by block in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.shapes import shapes, tidy

MAX_SHAPES = 2000  # numbers and dates have a few hundred
MIN_SHAPES = 100  # in a table of very many columns
MAX_CHARACTERS = 60  # of a cell; longer ones are words


class CellProfile:
    """Counts of the cells that are not empty: the shapes of those with digits, the `markers`, and all others.

    `filled` counts the cells that are no markers. At most `max_shapes` shapes are counted; the others are words.
    """

    def __init__(self, markers: Markers, max_shapes: int = MAX_SHAPES) -> None:
        self._markers, self._max_shapes = markers, max(max_shapes, MIN_SHAPES)
        self.shapes: Counter[str] = Counter()
        self.filled = self.markers = 0

    def add(self, cells: pa.StringArray) -> None:
        """Add a block of cells."""
        cells = cells.drop_null()
        looks = _look_at(cells, self._markers)
        self.markers += int(looks.is_marker.sum())
        self.filled += len(cells) - int(looks.is_marker.sum())
        encoded = looks.shapes.filter(pa.array(looks.has_shape)).dictionary_encode()
        totals = np.bincount(encoded.indices.to_numpy(), minlength=len(encoded.dictionary))
        for shape, total in zip(encoded.dictionary.to_pylist(), totals.tolist(), strict=True):
            self._count(shape, total)

    def _count(self, shape: str, total: int) -> None:
        if shape in self.shapes or len(self.shapes) < self._max_shapes:
            self.shapes[shape] += total

    def _add_level(self, shape: str | None, is_marker: bool, total: int) -> None:
        if is_marker:
            self.markers += total
            return
        self.filled += total
        if shape is not None:
            self._count(shape, total)


def add_levels(profiles: Sequence[CellProfile], levels: Sequence[Mapping[str, int]], markers: Markers) -> None:
    """Add to each profile the different cells of a column with their counts; all columns are looked at together."""
    cells = pa.array([level for each in levels for level in each], pa.string())
    looks = _look_at(cells, markers)
    found = pc.if_else(pa.array(looks.has_shape), looks.shapes, pa.scalar(None, pa.string())).to_pylist()
    rest = zip(found, looks.is_marker.tolist(), strict=True)
    for profile, each in zip(profiles, levels, strict=True):
        for total, (shape, is_marker) in zip(each.values(), rest, strict=False):
            profile._add_level(shape, is_marker, total)


class _Looks(NamedTuple):
    """Of cells (n,): which are markers, their shapes, and which others have a shape that may be a number or a date."""

    is_marker: NDArray[np.bool_]
    shapes: pa.StringArray
    has_shape: NDArray[np.bool_]


def _look_at(cells: pa.StringArray, markers: Markers) -> _Looks:
    if not len(cells):
        return _Looks(np.zeros(0, bool), cells, np.zeros(0, bool))
    cells = tidy(cells)
    is_marker = markers.find(cells)
    shaped, has_digit = shapes(cells)
    is_short = pc.less_equal(pc.binary_length(cells), MAX_CHARACTERS).to_numpy(zero_copy_only=False)
    return _Looks(is_marker, shaped, has_digit & is_short & ~is_marker)
