"""Statistics of a column of dates, updated block by block."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.histogram import MAX_BINS, Grid, bin_counted

EPOCH, DAY = datetime(1970, 1, 1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


class DateStatistics:
    """The first and the last date, and the different ones while there are few."""

    def __init__(self, name: str, max_levels: int) -> None:
        self.name, self.max_levels = name, max_levels
        self.missing = 0
        self.low: datetime | None = None
        self.high: datetime | None = None
        self.values: Counter[int] | None = Counter()
        self.grid = Grid(max_levels, least_exponent=0)  # of microseconds since 1970

    def update(self, values: pa.TimestampArray) -> None:
        """Add a block of `timestamp[us]`."""
        self.missing += values.null_count
        found = pc.min_max(values).as_py()
        if found["min"] is None:
            return
        self.low = found["min"] if self.low is None else min(self.low, found["min"])
        self.high = found["max"] if self.high is None else max(self.high, found["max"])
        x = values.drop_null().cast(pa.int64())
        if self.values is None:
            self._count_in_grid(x)
            return
        counts = x.value_counts()
        if len(counts) <= self.max_levels:
            found = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
            self.values.update(dict(found))
        if len(counts) > self.max_levels or len(self.values) > self.max_levels:
            self.grid.add_counted(self.values, *self._range())
            self.values = None
        if len(counts) > self.max_levels:
            self._count_in_grid(x)

    def _count_in_grid(self, x: pa.Int64Array) -> None:
        self.grid.add(x.to_numpy().astype(float), *self._range())

    def _range(self) -> tuple[float, float]:
        assert self.low is not None  # noqa: S101 - for the type checker
        assert self.high is not None  # noqa: S101 - for the type checker
        return float((self.low - EPOCH) // MICROSECOND), float((self.high - EPOCH) // MICROSECOND)

    def _histogram(self) -> dict[str, Any]:
        """The counts between dates; over two months and more the inner edges are days, if few dates are different."""
        low, high = self._range()
        if self.values is None:
            edges, counts = self.grid.binned(low, high)
        else:
            unit = DAY // MICROSECOND if high - low > 2 * MAX_BINS * (DAY // MICROSECOND) else 1
            inner = (round((low + (high - low) * n / MAX_BINS) / unit) * unit for n in range(1, MAX_BINS))
            edges, counts = bin_counted(self.values, [low, *sorted({float(e) for e in inner if low < e < high}), high])
        return {"edges": [iso_date(EPOCH + round(edge) * MICROSECOND) for edge in edges], "counts": counts}

    def info(self, rows: int) -> ColumnInfo:
        """The description."""
        distinct = None if self.values is None else len(self.values)
        statistics: dict[str, Any] = {"min": iso_date(self.low), "max": iso_date(self.high)}
        if self.low is not None:
            statistics["histogram"] = self._histogram()
        return ColumnInfo(self.name, "date", self.missing, distinct, statistics)


def iso_date(moment: datetime | None) -> str | None:
    """A date in ISO 8601, without its time at midnight."""
    text = None if moment is None else moment.isoformat()
    return text.removesuffix("T00:00:00") if text else None
