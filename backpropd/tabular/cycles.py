"""Dates and times of day as positions in the cycles that they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WEEK, HOURS = 7, 24
THURSDAY = 3  # 1970-01-01, with Monday as 0


def positions(x: Array, cycle: str) -> Array:
    """Where in the cycle each value (n,) is, in [0, 1), NaN where it is NaN.

    `month` (of the year), `weekday` and `hour` (of the day) take days since 1970, `clock` takes hours of the day.
    """
    if cycle == "clock":
        return x / HOURS % 1
    if cycle == "hour":
        return x % 1
    if cycle == "weekday":
        return (np.floor(x) + THURSDAY) % WEEK / WEEK
    days, present = _whole_days(x)
    year = days.astype("datetime64[Y]")
    start, end = (each.astype("datetime64[D]").astype(np.int64) for each in (year, year + np.timedelta64(1, "Y")))
    return np.where(present, (days.astype(np.int64) - start) / (end - start), np.nan)


def cycles_that_vary(x: Array, *, is_time: bool) -> tuple[str, ...]:
    """The cycles in which values (n,) without NaN are at more than one position.

    In a table of months each date is the same day of its month, and the weekday says nothing.
    """
    if is_time:
        return ("clock",) if len(np.unique(x)) > 1 else ()
    days, _ = _whole_days(x)
    months = days.astype("datetime64[M]")
    found = []
    if len(np.unique(months.astype(np.int64) % 12)) > 1:
        found.append("month")
    day_of_month = (days - months.astype("datetime64[D]")).astype(np.int64)
    if len(np.unique(days.astype(np.int64) % WEEK)) > 1 and len(np.unique(day_of_month)) > 1:
        found.append("weekday")
    if len(np.unique(x % 1)) > 1:
        found.append("hour")
    return tuple(found)


def _whole_days(x: Array) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """The days (n,) of values, and which values are no NaN."""
    present = ~np.isnan(x)
    return np.floor(np.where(present, x, 0)).astype(np.int64).astype("datetime64[D]"), present
