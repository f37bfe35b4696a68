"""The notation of a column's numbers: decimal mark, thousands separator, currency, unit, and multipliers.

The pattern of a notation is read both by Python's `re` and by RE2, which Arrow uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

SYMBOLS = r"(?:[A-Z]{1,3}|Rp|Bds)?[$€£¥₹₽₩₺₫₱₪₴฿₦₿¢]"
CODES = (
    "USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|RUB|UAH|TRY|BRL|MXN|ARS|CLP|COP|"
    "PEN|ZAR|NGN|KES|EGP|MAD|ILS|AED|SAR|KRW|TWD|HKD|SGD|THB|MYR|IDR|PHP|VND|PKR|BDT|LKR|BTC|ETH|Euro|euro|Fr\\.|"
    "Rs\\.?|kr\\.?|Kr\\.|Kč|zł|Ft|лв\\.?|руб\\.?|грн\\.?|[Ll]ei|Bs\\.|元|円|원"
)
CURRENCY = re.compile(f"{SYMBOLS}|{CODES}")

_MULTIPLIERS = {  # by the power of ten
    3: "K k thousand Thousand tsd Tsd Tsd. тыс тыс. kB KB",
    4: "万 萬 만",
    5: "lakh Lakh lakhs Lakhs Lac lac",
    6: "M m mn Mn MM mio Mio Mio. mil mln Mln млн млн. million Million millions millones MB",
    7: "crore Crore crores Cr cr",
    9: "B b bn Bn BN mrd Mrd Mrd. mld млрд млрд. billion Billion billions G GB",
    8: "亿 億 억",
    12: "T tn trillion Trillion TB",
}
MULTIPLIERS = {word: power for power, words in _MULTIPLIERS.items() for word in words.split()}
# Alone in a column these are rather units: metres, bits, tesla, bytes, credits.
NEED_COMPANY = frozenset(("m", "mil", "b", "G", "T", "kB", "KB", "MB", "GB", "TB", "cr", "Cr", "MM"))

BYTES = "B"  # a unit where multiples of it stand beside it
MULTIPLES_OF_BYTES = frozenset(("kB", "KB", "MB", "GB", "TB"))
LIMIT = "[<>≤≥~≈]=? ?"
NOTE = r" ?(?:\*{1,3}|[†‡§¹²³⁴⁵]|\[[0-9A-Za-z]{1,2}\]|\([A-Za-z]{1,2}\))| [bcdefinprsuz]{1,2}"
"""What may stand before a number, as in `<0.5`, and behind it, as in `12*`, `12 [1]` or the flag of `12 p`."""

MIN_UNIT_LETTERS = 2  # of a unit that may have a plural: ms is no plural of m

NUMBER_MARKS = ((".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
"""The decimal marks and thousands separators, the most usual first."""


@dataclass(frozen=True)
class NumberNotation:
    """How a column writes its numbers; `multipliers`: they may end with one, as `30.32K`.

    `prefix` is a currency. The prefix and the unit may be absent in a cell. `annotated`: a `LIMIT` may stand before a
    number, or a `NOTE` behind it.
    """

    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    unit: str = ""
    multipliers: bool = False
    annotated: bool = False

    def to_json(self) -> dict[str, Any]:
        """The notation as the API shows it."""
        return asdict(self) | {"thousands": self.thousands or None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> NumberNotation:
        """The notation whose `to_json` this is; None is the plain one."""
        return cls(**{**data, "thousands": data["thousands"] or ""}) if data else PLAIN

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as `-1234.5`."""
        return self == PLAIN

    @property
    def pattern(self) -> str:
        """Matches a whole tidied cell; its groups are `open, sign, inner, body, exponent, multiplier, minus, close`."""
        return _pattern(self)

    def _build_pattern(self) -> str:
        prefix = f"(?:{re.escape(self.prefix)} *)?" if self.prefix else ""
        unit = f"(?: ?{_unit_pattern(self.unit)})?" if self.unit else ""
        known = [word for word in MULTIPLIERS if word != self.unit]
        words = "|".join(sorted(map(re.escape, known), key=len, reverse=True))
        multiplier = f"(?: ?(?P<multiplier>{words}))" if self.multipliers else "(?P<multiplier>#)"
        limit, note = (f"(?:{LIMIT})?", f"(?:{NOTE})?") if self.annotated else ("", "")
        scale = f"(?:[eE](?P<exponent>[-+]?[0-9]+)|{multiplier})?"
        return (
            rf"^{limit}{prefix}(?:(?P<open>\() ?)?(?P<sign>[-+])? ?{prefix}(?P<inner>[-+])?"
            rf"(?P<body>{self._body}){scale}{unit}(?P<minus>-)?(?: ?(?P<close>\)))?{unit}{note}$"
        )

    @property
    def _body(self) -> str:
        decimal, thousands = re.escape(self.decimal), re.escape(self.thousands)
        whole = "[0-9]+"
        if thousands:
            groups = f"[1-9][0-9]{{0,2}}(?:{thousands}[0-9]{{3}})+"
            if self.thousands == ",":  # 12,34,567 is Indian
                groups += f"|[1-9][0-9]?(?:{thousands}[0-9]{{2}})+{thousands}[0-9]{{3}}"
            whole = f"(?:{groups}|{whole})"
        return f"(?:{whole}(?:{decimal}(?:--?|[0-9]*))?|{decimal}[0-9]+)"  # 5,- is a price


PLAIN = NumberNotation()


def singular(unit: str) -> str:
    """A unit without the sign of a plural or an abbreviation: `hour` for `hours`, `min` for `min.`."""
    stem = unit.removesuffix(".").removesuffix("s")
    return stem if len(stem) >= MIN_UNIT_LETTERS and stem.isalpha() else unit


def _unit_pattern(unit: str) -> str:
    stem = singular(unit)
    return re.escape(stem) + (r"s?\.?" if stem.isalpha() and len(stem) >= MIN_UNIT_LETTERS else "")


@lru_cache(maxsize=1024)
def _pattern(notation: NumberNotation) -> str:
    return notation._build_pattern()
