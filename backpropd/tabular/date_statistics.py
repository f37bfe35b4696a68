"""Statistics of a column of dates, updated block by block."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.columns import ColumnInfo


class DateStatistics:
    """The first and the last date, and the different ones while there are few."""

    def __init__(self, name: str, max_levels: int) -> None:
        self.name, self.max_levels = name, max_levels
        self.missing = 0
        self.low: datetime | None = None
        self.high: datetime | None = None
        self.values: set[int] | None = set()

    def update(self, values: pa.TimestampArray) -> None:
        """Add a block of `timestamp[us]`."""
        self.missing += values.null_count
        found = pc.min_max(values).as_py()
        if found["min"] is None:
            return
        self.low = found["min"] if self.low is None else min(self.low, found["min"])
        self.high = found["max"] if self.high is None else max(self.high, found["max"])
        if self.values is not None:
            self.values.update(pc.unique(values.drop_null().cast(pa.int64())).to_pylist())
            if len(self.values) > self.max_levels:
                self.values = None

    def info(self, rows: int) -> ColumnInfo:
        """The description."""
        distinct = None if self.values is None else len(self.values)
        statistics: dict[str, Any] = {"min": iso_date(self.low), "max": iso_date(self.high)}
        return ColumnInfo(self.name, "date", self.missing, distinct, statistics)


def iso_date(moment: datetime | None) -> str | None:
    """A date in ISO 8601, without its time at midnight."""
    text = None if moment is None else moment.isoformat()
    return text.removesuffix("T00:00:00") if text else None
