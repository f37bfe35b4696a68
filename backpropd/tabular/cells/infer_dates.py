"""The format of a column of dates, from the shapes of its cells and then from the cells themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.cells.date_formats import DATE_FORMATS, DAY_FIRST, MONTH_FIRST, DateFormat
from backpropd.tabular.cells.dates import read_dates, read_hours
from backpropd.tabular.cells.shapes import tidy

Scan = Callable[[], Iterable[pa.StringArray]]
"""The blocks of a column's cells, from its beginning."""

MIN_SHARE = 0.9


@dataclass
class DateGuess:
    """A format with the cells that are dates in it, and what tells two orders of day and month apart.

    `descents`: a date is before the one above it. `days` are the days of the month. `rival`: the order that fits as
    many cells.
    """

    form: DateFormat
    fitting: int = 0
    descents: int = 0
    days: set[int] = field(default_factory=set)
    rival: DateFormat | None = None

    def add(self, cells: pa.StringArray) -> None:
        """Count a block of tidied cells."""
        if self.form.is_time:
            self.fitting += len(cells) - read_hours(cells, self.form).null_count
            return
        dates = read_dates(cells, self.form).drop_null()
        stamps = dates.cast(pa.int64()).to_numpy()
        self.fitting += len(stamps)
        self.descents += int((stamps[1:] < stamps[:-1]).sum())
        self.days.update(pc.unique(pc.day(dates)).to_pylist())


def infer_dates(
    shapes: Mapping[str, int], filled: int, scan: Scan, *, named: bool = False, day_first: bool = False
) -> DateGuess | None:
    """The format of at least nine tenths of the `filled` cells, None if there is none.

    `named`: the column is said to hold dates, so that plain numbers may be dates, and one that fits is enough.
    `day_first`: whether other signs in the file are those of a country that writes the day first.
    """
    least = 1 if named else MIN_SHARE * filled
    guesses = [DateGuess(form) for form in DATE_FORMATS.values() if named or not form.named_only]
    guesses = [guess for guess in guesses if _count(guess.form, shapes) >= least]
    if not guesses or not filled:
        return None
    for cells in scan():
        tidied = tidy(cells.drop_null())
        for guess in guesses:
            guess.add(tidied)
    best = max(guess.fitting for guess in guesses)
    return _choose([guess for guess in guesses if guess.fitting == best], day_first) if best >= least else None


def _count(form: DateFormat, shapes: Mapping[str, int]) -> int:
    pattern = re.compile(form.pattern)
    return sum(count for shape, count in shapes.items() if pattern.match(shape))


def _choose(guesses: list[DateGuess], day_first: bool) -> DateGuess:
    """Of formats that fit equally, the first; of two orders of day and month, the one with dates in order.

    Then the one in which every date is the same day of its month, as in monthly tables.
    """
    orders = {guess.form: guess for guess in guesses}
    if not (DAY_FIRST in orders and MONTH_FIRST in orders) or guesses[0].form not in (DAY_FIRST, MONTH_FIRST):
        return guesses[0]
    preferred = [orders[DAY_FIRST], orders[MONTH_FIRST]]
    if not day_first:
        preferred.reverse()
    chosen, other = sorted(preferred, key=lambda guess: (guess.descents, len(guess.days) > 1))
    chosen.rival = other.form
    return chosen
