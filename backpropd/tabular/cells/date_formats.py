"""The formats of dates and times of day: a name, and a pattern that both Python's `re` and RE2 read.

The groups of a pattern are `y, m, d` (year, month, day), `y2, m2` (the same in another place), `mon` (a month's name),
`q` (quarter), `w, wd` (ISO week and weekday), `hour, minute, second, fraction, half` (AM or PM) and `zone`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from backpropd.tabular.cells.compound_amounts import (
    ANGLE,
    DEGREES,
    FEET,
    HOURS,
    INCHES,
    ISO_DURATION,
    WORDED_DURATION,
    Part,
)
from backpropd.tabular.cells.month_names import MONTH_OF_NAME
from backpropd.tabular.columns import TIME_OF_DAY

_MONTH = f"(?P<mon>(?i:{'|'.join(sorted(MONTH_OF_NAME, key=len, reverse=True))}))\\.?"
_LETTER = "[A-Za-z\u00c0-\u024f\u0400-\u04ff]"
_WEEKDAY = rf"(?:{_LETTER}{{2,13}}\.?,? )?"
_ENGLISH_WEEKDAY = r"(?:(?i:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?i:day)?\.?,? )?"
_YEAR = "(?P<y>[0-9]{4})"
_SHORT_YEAR = "(?P<y>[0-9]{4}|'?[0-9]{2})"
_DAY = "(?P<d>[0-9]{1,2})"
_NTH = "(?:st|nd|rd|th|\\.)?"
_HALF = r"(?: ?(?P<half>[AaPp]\.?[Mm]\.?))?"
_FRACTION = r"(?:[.,](?P<fraction>[0-9]{1,9}))?"
_CLOCK = (
    rf"(?P<hour>[0-9]{{1,2}})[:.](?P<minute>[0-9]{{2}})(?:[:.](?P<second>[0-9]{{2}}){_FRACTION})?{_HALF}"
    r"(?: ?(?:(?P<zone>Z|(?:UTC|GMT)?[-+][0-9]{1,2}(?::?[0-9]{2})?)|[A-Z]{3,4}))?(?: Uhr)?"
)
_COMPACT_CLOCK = "(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2}))?(?P<zone>Z)?"
# "Year", "month" and "day" in Chinese or Japanese, and in Korean.
_YEAR_SIGN, _MONTH_SIGN, _DAY_SIGN = "[\u5e74\ub144] ?", "[\u6708\uc6d4] ?", "[\u65e5\uc77c]"
_TIME_OF_DAY = (
    rf"(?P<hour>[0-9]{{1,2}})(?::(?P<minute>[0-9]{{2}})(?::(?P<second>[0-9]{{2}}){_FRACTION})?{_HALF}"
    r"|[:.](?P<minute3>[0-9]{2}) ?Uhr| Uhr"
    r"|\.(?P<minute2>[0-9]{2})\.(?P<second2>[0-9]{2})| ?(?P<half2>[AaPp]\.?[Mm]\.?))"
)
_DURATION = (
    r"(?P<minus>-)?(?:(?P<d>[0-9]{1,5}) days?,? )?(?P<hour>[0-9]{1,4}):(?P<minute>[0-9]{2})"
    rf"(?::(?P<second>[0-9]{{2}}){_FRACTION})?"
)
_LAP_TIME = r"(?P<minus>-)?(?P<minute>[0-9]{1,3}):(?P<second>[0-9]{2})[.,](?P<fraction>[0-9]{1,9})"


@dataclass(frozen=True)
class DateFormat:
    """A format; a date may be followed by a time unless it `is_time` alone or `is_whole`.

    `is_elapsed`: the time may exceed a day. `named_only`: numbers look the same, so that it is only tried in a column
    that is said to hold dates. With `parts` it is no date but an amount, which becomes a number of a `unit`.
    """

    name: str
    date: str
    is_time: bool = False
    is_whole: bool = False
    named_only: bool = False
    is_elapsed: bool = False
    parts: tuple[Part, ...] = ()
    unit: str = ""

    @property
    def is_month(self) -> bool:
        """Whether it has the name of a month and no day."""
        return "(?P<mon>" in self.date and "(?P<d>" not in self.date

    @cached_property
    def pattern(self) -> str:
        """Matches a whole tidied cell."""
        return f"^{self.date}$" if self.is_time or self.is_whole else f"^{self.date}(?:(?:T|,? +|:){_CLOCK})?$"


YEAR_FIRST = DateFormat(
    "year-month-day",
    rf"{_ENGLISH_WEEKDAY}{_YEAR}(?:[-/._]|\. )(?P<m>[0-9]{{1,2}})(?:[-/._]|\. ){_DAY}\.?(?: ?\({_LETTER}{{2,13}}\))?",
)
DAY_FIRST = DateFormat(  # `1. 2. 10` and `1.2.10.` are sections of a book
    "day/month/year",
    rf"{_WEEKDAY}{_DAY}(?:[-/.](?P<m>[0-9]{{1,2}})[-/.]{_SHORT_YEAR}"
    r"|\. ?(?P<m2>[0-9]{1,2})\. ?(?P<y2>[0-9]{4})\.?)",
)
MONTH_FIRST = DateFormat("month/day/year", f"{_WEEKDAY}(?P<m>[0-9]{{1,2}})[-/.]{_DAY}[-/.]{_SHORT_YEAR}")
TIME = DateFormat(TIME_OF_DAY, _TIME_OF_DAY, is_time=True)
DURATION = DateFormat("duration", _DURATION, is_time=True, is_elapsed=True)
LAP_TIME = DateFormat("minutes and seconds", _LAP_TIME, is_time=True, is_elapsed=True)
AMOUNTS = (
    DateFormat("duration in words", WORDED_DURATION, is_time=True, parts=HOURS, unit="hours"),
    DateFormat("ISO 8601 duration", ISO_DURATION, is_time=True, parts=HOURS, unit="hours"),
    DateFormat("degrees", ANGLE, is_time=True, parts=DEGREES, unit="degrees"),
    DateFormat("feet and inches", FEET, is_time=True, parts=INCHES, unit="inches"),
)
COMPACT = DateFormat("yearmonthday", f"{_YEAR}(?P<m>[0-9]{{2}})(?P<d>[0-9]{{2}})", named_only=True)
_FORMATS = (
    YEAR_FIRST,
    DAY_FIRST,
    MONTH_FIRST,
    DateFormat("short year-month-day", f"(?P<y>[0-9]{{2}})[-/.](?P<m>[0-9]{{1,2}})[-/.]{_DAY}"),
    DateFormat(
        "year\u5e74month\u6708day\u65e5", rf"{_YEAR}{_YEAR_SIGN}(?P<m>[0-9]{{1,2}}){_MONTH_SIGN}{_DAY}{_DAY_SIGN}"
    ),
    DateFormat("year\u5e74month\u6708", rf"{_YEAR}{_YEAR_SIGN}(?P<m>[0-9]{{1,2}}){_MONTH_SIGN}"),
    DateFormat(
        "yearmonthdayThourminutesecond", f"{_YEAR}(?P<m>[0-9]{{2}})(?P<d>[0-9]{{2}})T{_COMPACT_CLOCK}", is_whole=True
    ),
    DateFormat("year-month", f"{_YEAR}[-/M](?P<m>[0-9]{{1,2}})"),
    DateFormat("month/year", rf"(?:(?P<m>[0-9]{{1,2}})[-/]|(?P<m2>[0-9]{{2}})\.){_YEAR}"),
    DateFormat("day month year", rf"{_WEEKDAY}{_DAY}{_NTH}[-/. ]*(?:de |of )?{_MONTH}[-/., ]*(?:de )?{_SHORT_YEAR}"),
    DateFormat("[day/month/year:time]", rf"\[{_DAY}/{_MONTH}/{_YEAR}:{_CLOCK}\]", is_whole=True),
    DateFormat(
        "weekday month day time year", rf"[A-Za-z]{{3}},? {_MONTH} {{1,2}}{_DAY} {_CLOCK} {_YEAR}", is_whole=True
    ),
    DateFormat("month day, year", rf"{_WEEKDAY}{_MONTH}[- ]*{_DAY}{_NTH}(?:, ?|[- ]+){_SHORT_YEAR}"),
    DateFormat("year month day", f"{_YEAR}[-/. ]*{_MONTH}[-/. ]*{_DAY}"),
    DateFormat("month year", rf"{_MONTH}[-/., ]*{_YEAR}"),
    DateFormat("month short year", rf"{_MONTH}(?:[-/]| ?')(?P<y2>[0-9]{{2}})"),
    DateFormat("year month", f"{_YEAR}[-/., ]*{_MONTH}"),
    DateFormat("year quarter", f"{_YEAR}[-/. ]?[Qq](?P<q>[0-9])"),
    DateFormat("quarter year", f"[Qq](?P<q>[0-9])[-/. ]*(?:{_YEAR}|'(?P<y2>[0-9]{{2}}))"),
    DateFormat("year week", f"{_YEAR}-?W(?P<w>[0-9]{{2}})(?:-?(?P<wd>[0-9]))?"),
    TIME,
    DURATION,
    LAP_TIME,
    *AMOUNTS,
    COMPACT,
    DateFormat("year", _YEAR, named_only=True),
)
DATE_FORMATS = {each.name: each for each in _FORMATS}
