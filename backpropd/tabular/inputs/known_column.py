"""What a model knows of a column: its description, and what training saw in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.feature_encoder import FeatureEncoder


@dataclass(frozen=True)
class KnownColumn:
    """A column: `levels` are the strings that a category had in training, None if any string is one.

    `saw_missing` is whether training had missing values.
    """

    info: ColumnInfo
    levels: pa.StringArray | None = None
    saw_missing: bool = True

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range beyond which a number is far outside: that of the table, widened by its width at both ends."""
        low, high = (self.info.statistics.get(name) for name in ("min", "max"))
        if self.info.kind != "number" or low is None or high is None:
            return None
        width = float(high) - float(low)
        return low - width, high + width

    @property
    def is_flag(self) -> bool:
        """Whether a column of numbers holds no others than 0 and 1."""
        whole, statistics = self.info.statistics.get("whole"), self.info.statistics
        return bool(whole and statistics["min"] >= 0 and statistics["max"] <= 1)


def known_columns(encoder: FeatureEncoder) -> dict[str, KnownColumn]:
    """The features of a model, in their order."""
    fitted = [each["encoder"] for each in encoder.to_json()["columns"]]
    return {info.name: _known(info, each) for info, each in zip(encoder.infos, fitted, strict=True)}


def _known(info: ColumnInfo, fitted: Mapping[str, Any]) -> KnownColumn:
    levels = pa.array(fitted["levels"], pa.string()) if "levels" in fitted else None
    return KnownColumn(info, levels, bool(fitted.get("indicator", info.missing)))
