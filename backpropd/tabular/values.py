"""What a single field may say: nothing, a number, a yes or no, or a word. One rule, for files and for JSON.

A field is read without the spaces around it, and then

- it is *missing* when it is empty or one of `MISSING`, quoted or not;
- it is a *number* when it is a plain decimal, as in `-12`, `0.5`, `.5`, `5.` or `1.5e-3`, that float64 holds: finite,
  and rounded only behind the digits that float64 has. Whatever a number would not give back is a word: `007` and
  `+49` (identifiers, telephone numbers), `0x10`, `1,234`, `1_000`, `１２`, `inf`, `1e400` (too large), `1e-400` (it
  would become zero), and an integer beyond 2**53 that float64 would change;
- it is *boolean* when it is one of `TRUE` or `FALSE`, in capitals or not. 0 and 1 are numbers;
- otherwise it is a word.
"""

from __future__ import annotations

import math
import re

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "Null", "NULL", "None", "?")
TRUE = ("true", "yes", "t", "y")
FALSE = ("false", "no", "f", "n")
SPACES = " \t\n\r\v\f"

EXACT_INTEGER = 2.0**53
"""Up to here every integer is a float64 of its own."""

_DECIMAL = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]+")
_NOT_ZERO = re.compile(r"-?[0.]*[1-9]")


def is_missing(text: str) -> bool:
    """Whether a field says that there is no value."""
    return text.strip(SPACES) in MISSING


def parse_number(text: str) -> float | None:
    """The number that a field says, or None where it is a word (see the top of this file)."""
    text = text.strip(SPACES)
    if not _DECIMAL.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) and keeps_its_value(text, value) else None


def keeps_its_value(decimal: str, value: float) -> bool:
    """Whether float64 kept what the decimal says: no large integer was changed, nothing became zero."""
    if abs(value) >= EXACT_INTEGER:
        return not _INTEGER.fullmatch(decimal) or _same_integer(decimal, value)
    return value != 0 or not _NOT_ZERO.match(decimal)


def _same_integer(decimal: str, value: float) -> bool:
    # A finite float64 has at most 309 digits before the point, so int() has little to read.
    return len(decimal) <= 310 and int(decimal) == int(value)


def parse_boolean(text: str) -> bool | None:
    """The truth that a field says, or None."""
    text = text.strip(SPACES).lower()
    return True if text in TRUE else False if text in FALSE else None


def label_of(value: float | bool | str) -> str:
    """How a value is written as a class: `"3"`, `"3.5"`, `"true"`, `"setosa"`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) <= EXACT_INTEGER else repr(float(value))
