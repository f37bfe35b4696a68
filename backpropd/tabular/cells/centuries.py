"""The century of years that are written with two digits, chosen from all years of a column."""

from collections.abc import Collection
from datetime import UTC, datetime

POSIX_FIRST_YEAR = 1969  # where nothing is known of a column
AHEAD = 10  # years that plans, contracts and cards reach into the future
COMPACT = 50  # years; a column that spans less is not torn apart


def first_year(years: Collection[int], now: int | None = None) -> int:
    """The first of the hundred years that the two digits of `years` stand for; `now` is the present year.

    No year is in the future, except that a column which spans at most 50 years, and ends at most 10 years from now, is
    there. Such a column is not torn apart: 20 to 61 are 1920 to 1961.
    """
    now = now or datetime.now(UTC).year
    if not years:
        return now - 99
    ordered = sorted(years)
    gaps = [(later - year, year) for year, later in zip(ordered, [*ordered[1:], ordered[0] + 100], strict=True)]
    gap, last = max(gaps)
    if gap < COMPACT:
        return now - 99
    latest = now + AHEAD
    last_year = latest - (latest - last) % 100
    return max(last_year, min(latest, last_year + gap - 1)) - 99
