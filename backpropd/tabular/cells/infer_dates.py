"""The format of a column of dates, from the shapes of its cells and then from the cells themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.date_formats import DATE_FORMATS, DAY_FIRST, MONTH_FIRST, DateFormat
from backpropd.tabular.cells.dates import names_of_months, read_dates, read_hours, short_years
from backpropd.tabular.cells.month_names import are_months
from backpropd.tabular.cells.shapes import by_value, tidy

Scan = Callable[[], Iterable[tuple[pa.StringArray, NDArray[np.int64] | None]]]
"""The blocks of a column's cells, from its beginning; or its different cells in their order, with their counts."""

MIN_SHARE = 0.9
MIXED_SHARE = 0.75  # of the cells, that are dates among others: the column is words, with a warning
ORDERS = (DAY_FIRST, MONTH_FIRST)
DOTTED = re.compile(r"[0-9]\.[0-9]{1,2}\.[0-9]")  # with points the day is first everywhere


@dataclass
class DateGuess:
    """A format with the cells that are dates in it, and what tells two orders of day and month apart.

    `descents`: a date is before the one above it. `days` are the days of the month. `rival` is the other order, if
    some cells fit it too, which are then `ambiguous`; where all are, the order is a guess. `short_years` are the years
    of two digits, if it `has_short_years`, and `months` the names of months, if the format has no days.
    """

    form: DateFormat
    has_short_years: bool = False
    fitting: int = 0
    descents: int = 0
    days: set[int] = field(default_factory=set)
    rival: DateFormat | None = None
    ambiguous: int = 0
    short_years: set[int] = field(default_factory=set)
    months: set[str] = field(default_factory=set)

    def add(self, cells: pa.StringArray, counts: NDArray[np.int64] | None) -> None:
        """Count a block of tidied cells, each once or as often as `counts` (n,) say."""
        read = partial(read_hours if self.form.is_time else read_dates, form=self.form)
        values = by_value(read, cells)
        fits = values.is_valid().to_numpy(zero_copy_only=False)
        self.fitting += int(fits.sum() if counts is None else counts[fits].sum())
        if self.form.is_time:
            return
        dates = values.drop_null()
        stamps = dates.cast(pa.int64()).to_numpy()
        self.descents += int((stamps[1:] < stamps[:-1]).sum())
        self.days.update(pc.unique(pc.day(dates)).to_pylist())
        if self.form.is_month:
            self.months |= names_of_months(cells.filter(pa.array(fits)), self.form)
        if self.has_short_years:
            self.short_years |= short_years(cells.filter(pa.array(fits)), self.form)


def infer_dates(
    shapes: Mapping[str, int], filled: int, scan: Scan, *, named: bool = False, day_first: bool = False
) -> DateGuess | None:
    """The format of most of the `filled` cells, None if fewer than three quarters have one.

    `named`: the upload gives the column the kind date, so plain numbers may be dates, and one matching cell is enough.
    `day_first`: whether other signs in the file are those of a country that writes the day first.
    """
    least = 1 if named else MIXED_SHARE * filled
    forms = [form for form in DATE_FORMATS.values() if named or not form.named_only]
    frequent = [form for form in forms if _count(form, shapes) >= least]
    guesses = [DateGuess(form, _has_short_years(form, shapes)) for form in frequent]
    if not guesses or not filled:
        return None
    for cells, counts in scan():
        tidied = tidy(cells if counts is not None else cells.drop_null())
        for guess in guesses:
            guess.add(tidied, counts)
    best = max((guess.fitting for guess in guesses if named or are_months(guess.months)), default=0)
    if best < least:
        return None
    has_points = any(DOTTED.search(shape) for shape in shapes)
    fitting = [guess for guess in guesses if guess.fitting == best and (named or are_months(guess.months))]
    if has_points and any(guess.form == DAY_FIRST for guess in fitting):
        fitting = [guess for guess in fitting if guess.form != MONTH_FIRST]
    chosen = _choose(fitting, day_first)
    if chosen.form in ORDERS and not (has_points and chosen.form == DAY_FIRST):
        chosen.rival = ORDERS[1 - ORDERS.index(chosen.form)]
        chosen.ambiguous = next((guess.fitting for guess in guesses if guess.form == chosen.rival), 0)
    return chosen


def _count(form: DateFormat, shapes: Mapping[str, int]) -> int:
    pattern = re.compile(form.pattern)
    return sum(count for shape, count in shapes.items() if pattern.match(shape))


def _has_short_years(form: DateFormat, shapes: Mapping[str, int]) -> bool:
    pattern = re.compile(form.pattern)
    found = [match.groupdict() for shape in shapes if (match := pattern.match(shape))]
    return any(len((each.get("y") or each.get("y2") or "").strip("'")) == len("99") for each in found)


def _choose(guesses: list[DateGuess], day_first: bool) -> DateGuess:
    """Of formats that fit equally, the first; of two orders of day and month, the one with dates in order.

    Then the one in which every date is the same day of its month, as in monthly tables.
    """
    orders = [guess for guess in guesses if guess.form in ORDERS]
    if len(orders) < len(ORDERS):
        return guesses[0]
    if not day_first:
        orders.reverse()
    return min(orders, key=lambda guess: (guess.descents, len(guess.days) > 1))
