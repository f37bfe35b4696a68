"""A column of strings while its file is read: its statistics as words, and what its cells look like."""

from __future__ import annotations

import pyarrow as pa

from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.profile import CellProfile
from backpropd.tabular.column_statistics import StringStatistics


class StringColumn:
    """Updated block by block; while there are few different values their counts tell all, so it costs no more."""

    def __init__(self, name: str, max_levels: int, markers: Markers) -> None:
        self.name = name
        self.statistics = StringStatistics(name, max_levels)
        self.profile = CellProfile(markers)

    def update(self, cells: pa.StringArray) -> None:
        """Add a block of cells."""
        before = self.statistics.levels
        self.statistics.update(cells)
        if self.statistics.levels is None:
            if before is not None:
                self.profile.add_levels(before)
            self.profile.add(cells)

    def finish(self) -> None:
        """Complete the profile: the file was read to its end."""
        if self.statistics.levels is not None:
            self.profile.add_levels(self.statistics.levels)
