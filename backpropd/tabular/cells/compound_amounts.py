"""Patterns of amounts with several units in a cell, as 2h 50m, 51°30'N and 5'11": they become numbers of one unit."""

from __future__ import annotations

from typing import NamedTuple

_NUMBER = "[0-9]{1,6}(?:[.,][0-9]{1,9})?"
_AND = "(?:,? ?(?:and )?)"
_PRIME, _DOUBLE_PRIME = "['\u2032]", "(?:[\"\u2033\u201d]|'')"


class Part(NamedTuple):
    """A group of a pattern: what one of it is in the unit of the result, and what it is less than."""

    group: str
    factor: float
    below: float = float("inf")


HOURS = (
    Part("day", 24),
    Part("hour", 1),
    Part("minute", 1 / 60),
    Part("minute_of_hour", 1 / 60, 60),
    Part("second", 1 / 3600),
)
WORDED_DURATION = (
    rf"(?P<minus>-)?(?:(?P<day>{_NUMBER}) ?(?:d|(?i:days?)){_AND})?"
    rf"(?:(?P<hour>{_NUMBER}) ?(?:h|(?i:hrs?|hours?)\.?)(?: ?(?P<minute_of_hour>[0-9]{{2}})|{_AND}))?"
    rf"(?:(?P<minute>{_NUMBER}) ?(?:m|(?i:mins?|minutes?)\.?){_AND})?"
    rf"(?:(?P<second>{_NUMBER}) ?(?:s|(?i:secs?|seconds?)\.?))?"
)  # single letters are small: 3S is a size
ISO_DURATION = (
    rf"(?P<minus>-)?P(?:(?P<day>{_NUMBER})D)?"
    rf"(?:T(?:(?P<hour>{_NUMBER})H)?(?:(?P<minute>{_NUMBER})M)?(?:(?P<second>{_NUMBER})S)?)?"
)
DEGREES = (Part("degree", 1, 361), Part("arcminute", 1 / 60, 60), Part("arcsecond", 1 / 3600, 60))
ANGLE = (
    f"(?P<minus>[-SW])?(?:[NE])? ?(?P<degree>{_NUMBER}) ?[\u00b0\u00ba]"
    f"(?: ?(?P<arcminute>{_NUMBER}) ?{_PRIME}?(?: ?(?P<arcsecond>{_NUMBER}) ?{_DOUBLE_PRIME}?)?)?"
    " ?(?:[NE]|(?P<south_or_west>[SW]))?"
)
INCHES = (Part("foot", 12, 10), Part("inch", 1, 12), Part("inches", 1))
_INCH_SIGN = rf"(?:{_DOUBLE_PRIME}|in\.?|inch(?:es)?)"
FEET = (
    rf"(?:(?P<foot>[0-9]{{1,2}}) ?(?:{_PRIME}|ft\.?|feet|foot)(?:[ -]{{0,2}}(?P<inch>{_NUMBER}) ?{_INCH_SIGN}?)?"
    rf"|(?P<inches>{_NUMBER}) ?{_INCH_SIGN})"
)
