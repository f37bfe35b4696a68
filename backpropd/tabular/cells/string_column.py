"""A column of strings while its file is read: its statistics as words, and what its cells look like."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.profile import CellProfile, add_levels
from backpropd.tabular.column_statistics import StringStatistics


class StringColumn:
    """Updated block by block; while there are few different values their counts tell all, so it costs no more."""

    def __init__(self, name: str, max_levels: int, max_shapes: int, markers: Markers) -> None:
        self.name = name
        self.statistics = StringStatistics(name, max_levels)
        self.profile = CellProfile(markers, max_shapes)
        self._markers = markers

    def update(self, cells: pa.StringArray) -> None:
        """Add a block of cells."""
        before = self.statistics.levels
        self.statistics.update(cells)
        if self.statistics.levels is None:
            if before is not None:
                add_levels([self.profile], [before], self._markers)
            self.profile.add(cells)


def finish(columns: Sequence[StringColumn], markers: Markers) -> None:
    """Complete the profiles: the file was read to its end."""
    few = [(each.profile, each.statistics.levels) for each in columns if each.statistics.levels is not None]
    add_levels([profile for profile, _ in few], [levels for _, levels in few], markers)
