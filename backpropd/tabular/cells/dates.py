"""Cells in one format as timestamps in microseconds, or as hours of the day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.centuries import POSIX_FIRST_YEAR
from backpropd.tabular.cells.compound_amounts import Part
from backpropd.tabular.cells.date_formats import DateFormat
from backpropd.tabular.cells.month_names import MONTH_OF_NAME

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_CLOCK_HOURS = 48  # of timetables that count on behind midnight
HOUR, MINUTE, SECOND = 3_600_000_000, 60_000_000, 1_000_000  # microseconds
FIRST_INSTANT, LAST_INSTANT = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999, in microseconds


class _Fields:
    """The groups of a pattern for n cells, as integers (n,)."""

    def __init__(self, cells: pa.StringArray, pattern: str) -> None:
        found = pc.extract_regex(cells, pattern)
        self.matched: Mask = found.is_valid().to_numpy(zero_copy_only=False)
        self._groups = {field.name: column for field, column in zip(found.type, found.flatten(), strict=True)}

    def has(self, name: str) -> bool:
        """Whether the pattern has this group."""
        return name in self._groups

    def text(self, name: str) -> pa.StringArray:
        """The group as strings, empty where it is absent."""
        if name not in self._groups:
            return pa.array([""] * len(self.matched), pa.string())
        return pc.fill_null(self._groups[name], "")

    def number(self, name: str, default: int) -> Integers:
        """The group as integers, `default` where it is absent."""
        if name not in self._groups:
            return np.full(len(self.matched), default, np.int64)
        text = self.text(name)
        found = pc.if_else(pc.equal(text, ""), str(default), text).cast(pa.int64())
        numbers: Integers = found.to_numpy(zero_copy_only=False)
        return numbers

    def amount(self, part: Part) -> NDArray[np.float64]:
        """The group of a part as numbers in its own unit, NaN where it is absent."""
        text = pc.replace_substring(self.text(part.group), ",", ".")
        found = pc.if_else(pc.equal(text, ""), "nan", text).cast(pa.float64())
        numbers: NDArray[np.float64] = found.to_numpy(zero_copy_only=False)
        return numbers


def read_dates(cells: pa.StringArray, form: DateFormat, first_year: int = POSIX_FIRST_YEAR) -> pa.TimestampArray:
    """Tidied cells as `timestamp[us]`, in UTC where they have a zone; null where a cell is no date in this format.

    The dates are those of the years 1 to 9999; a year of two digits is in the hundred years from `first_year` on.
    """
    fields = _Fields(cells, form.pattern)
    year, is_short = _digits_of_year(fields)
    year = np.where(is_short, first_year + (year - first_year) % 100, year)
    days, valid = _weeks(fields, year) if fields.has("w") else _days(fields, year)
    microseconds, in_day = _time(fields)
    offset, is_zone = _offset(fields.text("zone"))
    stamps = days * (24 * HOUR) + microseconds - offset
    valid &= fields.matched & in_day & is_zone & (stamps >= FIRST_INSTANT) & (stamps <= LAST_INSTANT)
    return pa.array(stamps, mask=~valid).cast(pa.timestamp("us"))


def read_hours(cells: pa.StringArray, form: DateFormat) -> pa.DoubleArray:
    """Tidied cells as hours, null where a cell is no time in this format; those of a day are in [0, 24).

    Amounts are in the unit of their format.
    """
    fields = _Fields(cells, form.pattern)
    if form.parts:
        return _amounts(fields, form.parts)
    microseconds, valid = (_elapsed if form.is_elapsed else _time)(fields)
    return pa.array(microseconds / HOUR, mask=~(fields.matched & valid))


def short_years(cells: pa.StringArray, form: DateFormat) -> set[int]:
    """The years of two digits in tidied cells of this format."""
    year, is_short = _digits_of_year(_Fields(cells, form.pattern))
    return set(np.unique(year[is_short]).tolist())


def names_of_months(cells: pa.StringArray, form: DateFormat) -> set[str]:
    """The names of months in tidied cells of this format, in small letters."""
    return set(pc.unique(pc.utf8_lower(_Fields(cells, form.pattern).text("mon"))).to_pylist())


def _days(fields: _Fields, year: Integers) -> tuple[Integers, Mask]:
    """Days since 1970 (n,), and which of them exist."""
    month, day = _month(fields), fields.number("d", 1)
    valid = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0)
    first = _month_start(months)
    valid &= day <= _month_start(months + 1) - first
    return first + day - 1, valid


def _weeks(fields: _Fields, year: Integers) -> tuple[Integers, Mask]:
    """Days since 1970 (n,) of ISO weeks, and which of them exist: some years have 52 weeks, some 53."""
    week, weekday = fields.number("w", 0), fields.number("wd", 1)
    first = _week_start(year) + (week - 1) * 7
    valid = (year >= 1) & (week >= 1) & (first < _week_start(year + 1)) & (weekday >= 1) & (weekday <= 7)
    return first + weekday - 1, valid


def _digits_of_year(fields: _Fields) -> tuple[Integers, Mask]:
    """The years (n,) as they are written, and which of them have two digits."""
    text = pc.coalesce(*(pc.if_else(pc.equal(each, ""), None, each) for each in map(fields.text, ("y", "y2"))), "0")
    year = pc.replace_substring(text, "'", "").cast(pa.int64()).to_numpy(zero_copy_only=False)
    short = (pc.binary_length(text).to_numpy(zero_copy_only=False) < 4) & fields.matched
    return year, short


def _month(fields: _Fields) -> Integers:
    names = fields.text("mon")
    quarter = fields.number("q", 0)
    month = np.where(quarter > 0, np.where(quarter <= 4, quarter * 3 - 2, 99), _number_of_month(fields))
    known = pc.index_in(pc.utf8_lower(names), value_set=pa.array([*MONTH_OF_NAME], pa.string()))
    of_name = np.array([*MONTH_OF_NAME.values(), 0])[pc.fill_null(known, len(MONTH_OF_NAME)).to_numpy()]
    return np.where(of_name > 0, of_name, month)


def _number_of_month(fields: _Fields) -> Integers:
    second = fields.number("m2", 0)
    return np.where(second > 0, second, fields.number("m", 1))


def _month_start(months: Integers) -> Integers:
    """Days since 1970 of the first day of months since 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _week_start(year: Integers) -> Integers:
    """Days since 1970 of the Monday of the ISO week 1, which contains January 4."""
    fourth = _month_start((year - 1970) * 12) + 3
    return fourth - (fourth + 3) % 7  # 1970-01-01 was a Thursday


def _time(fields: _Fields) -> tuple[Integers, Mask]:
    """Microseconds since midnight (n,), and which of them are within a day."""
    hour = fields.number("hour", 0)
    minute = sum(fields.number(name, 0) for name in ("minute", "minute2", "minute3"))
    second = fields.number("second", 0) + fields.number("second2", 0)
    half = pc.ascii_lower(pc.binary_join_element_wise(fields.text("half"), fields.text("half2"), ""))
    is_am, is_pm = (_mask(pc.starts_with(half, letter)) for letter in "ap")
    valid = (hour <= 23) & (minute <= 59) & (second <= 60) & ~((is_am | is_pm) & ((hour > 12) | (hour == 0)))
    hour = np.where((is_am | is_pm) & (hour == 12), 0, hour) + 12 * is_pm
    return hour * HOUR + minute * MINUTE + second * SECOND + _fraction(fields), valid


def _elapsed(fields: _Fields) -> tuple[Integers, Mask]:
    """Microseconds of durations (n,), and which are such: hours and minutes alone at most those of two days.

    Others, as 89:21, may be scores.
    """
    hour, minute, second = (fields.number(name, 0) for name in ("hour", "minute", "second"))
    has_seconds = _mask(pc.not_equal(fields.text("second"), ""))
    valid: Mask = (second <= 59) & (has_seconds | (hour <= MAX_CLOCK_HOURS))
    if fields.has("hour"):
        valid &= minute <= 59
    total = fields.number("d", 0) * (24 * HOUR) + hour * HOUR + minute * MINUTE + second * SECOND + _fraction(fields)
    signed: Integers = np.where(_mask(pc.equal(fields.text("minus"), "-")), -total, total)
    return signed, valid


def _amounts(fields: _Fields, parts: Sequence[Part]) -> pa.DoubleArray:
    """The sums of the parts (n,), null where all are absent or one is too large."""
    found = np.array([fields.amount(part) for part in parts])
    limits = np.array([[part.below] for part in parts])
    valid = fields.matched & ~(found >= limits).any(axis=0) & ~np.isnan(found).all(axis=0)
    total = np.nansum(found * np.array([[part.factor] for part in parts]), axis=0)
    signs = pc.binary_join_element_wise(fields.text("minus"), fields.text("south_or_west"), "")
    return pa.array(np.where(_mask(pc.equal(signs, "")), total, -total), mask=~valid)


def _fraction(fields: _Fields) -> Integers:
    """The microseconds of fractions of a second (n,)."""
    found = pc.utf8_slice_codeunits(pc.utf8_rpad(fields.text("fraction"), 6, "0"), 0, 6).cast(pa.int64())
    micros: Integers = found.to_numpy(zero_copy_only=False)
    return micros


def _offset(zone: pa.StringArray) -> tuple[Integers, Mask]:
    """The offset from UTC in microseconds (n,): 0 for `Z` and for none; and which of them are less than a day."""
    digits = pc.replace_substring_regex(zone, "[^0-9]", "")
    digits = pc.replace_substring_regex(digits, "^([0-9])$", r"0\1")
    padded = pc.if_else(pc.equal(digits, ""), "0000", pc.utf8_rpad(digits, 4, "0")).cast(pa.int64())
    value = padded.to_numpy(zero_copy_only=False)
    sign = np.where(_mask(pc.match_substring(zone, "-")), -1, 1)
    hours, minutes = value // 100, value % 100
    return sign * (hours * HOUR + minutes * MINUTE), (hours <= 23) & (minutes <= 59)


def _mask(found: Any) -> Mask:
    mask: Mask = found.to_numpy(zero_copy_only=False)
    return mask
