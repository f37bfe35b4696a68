"""What a model knows of a column: its description, and the levels that a category had in training."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.column_encoders import OneHot
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.feature_encoder import FeatureEncoder


@dataclass(frozen=True)
class KnownColumn:
    """A column: `levels` are the strings that a category had in training, None if any string is one."""

    info: ColumnInfo
    levels: pa.StringArray | None = None

    @property
    def markers(self) -> Markers:
        """The cells that stand for a missing value."""
        return Markers.of(self.info.statistics.get("markers"))

    @property
    def is_flag(self) -> bool:
        """Whether a column of numbers holds no others than 0 and 1."""
        whole, statistics = self.info.statistics.get("whole"), self.info.statistics
        return bool(whole and statistics["min"] >= 0 and statistics["max"] <= 1)


def known_columns(encoder: FeatureEncoder) -> dict[str, KnownColumn]:
    """The columns that a model takes, in their order."""
    levels = [pa.array(each.levels, pa.string()) if isinstance(each, OneHot) else None for _, each in encoder.columns]
    return {info.name: KnownColumn(info, own) for info, own in zip(encoder.column_infos, levels, strict=True)}
