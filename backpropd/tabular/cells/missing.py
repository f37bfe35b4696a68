"""The spellings of a missing value in columns of numbers and dates.

They are those of pandas, of spreadsheets, of R and of databases, in any case. In a column of words only the empty cell
is missing, because `None` or `NA` may be one of its levels.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_WORDS = (
    "na n/a n.a. n.a n/k n/d nd n.d. nv n/v k.a. s/d tbd nan -nan nat none null nil missing unknown undefined blank "
    "<na> <null> (null) [null] \\n 1.#ind -1.#ind 1.#qnan -1.#qnan "
    "n.n. n.b. n.v. s.d. n.c. b.d. b/d \u043d/\u0434 nan(ind) -nan(ind) bdl b.d.l. <lod <loq <dl dnf dns dnp dsq "
    "#n/a #na #div/0! #ref! #value! #num! #name? #null! #error! #n/a! #calc! #spill! (blank) (empty) (none) (missing)"
)
_LOCAL_ERRORS = (  # of spreadsheets in German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Polish and Russian
    "#nv #wert! #bezug! #zahl! #valeur! #nom? #nombre! #nul! #\u00a1valor! #\u00a1ref! #\u00a1num! #\u00bfnombre? "
    "#\u00a1div/0! #\u00a1nulo! #n/d #valore! #rif! #nome? #nullo! #valor! #n\u00fam! #nulo! #waarde! #verw! #naam? "
    "#getal! #leeg! #v\u00e4rdefel! #saknas! #referens! #namn? #ogiltigt! #arg! #adr! #nazwa? #liczba! "
    "#\u0437\u043d\u0430\u0447! "
    "#\u0441\u0441\u044b\u043b\u043a\u0430! #\u0438\u043c\u044f? #\u0434\u0435\u043b/0! "
    "#\u0447\u0438\u0441\u043b\u043e! #\u043d/\u0434"
)
_SIGNS = "- -- --- \u2014 . .. ... \u2026 ? ?? ??? * ** : / 0000-00-00 00/00/0000"
_PHRASES = (
    "",
    "#n/a n/a",
    "not available",
    "not applicable",
    "no data",
    "no value",
    "not reported",
    "keine angabe",
    "k. a.",
    "n. v.",
    "sin datos",
    "no disponible",
    "non disponible",
    "\u043d\u0435\u0442 \u0434\u0430\u043d\u043d\u044b\u0445",
    "0000-00-00 00:00:00",
)
_ACCOUNTING = [each for sign in "$€£¥" for each in (f"{sign}-", f"{sign} -", f"-{sign}", f"- {sign}")]
MARKERS = frozenset((*_WORDS.split(), *_LOCAL_ERRORS.split(), *_SIGNS.split(), *_PHRASES, *_ACCOUNTING))
INFINITE = frozenset("inf -inf +inf infinity -infinity +infinity \u221e -\u221e 1.#inf -1.#inf".split())  # noqa: SIM905


@dataclass(frozen=True)
class Markers:
    """Which cells are missing: the usual spellings, or where an upload names some, exactly these."""

    named: tuple[str, ...] | None = None

    @classmethod
    def of(cls, named: Sequence[str] | None) -> Markers:
        """The markers that an upload names, None for the usual ones."""
        return cls(None if named is None else tuple(unicodedata.normalize("NFC", each) for each in named))

    def find(self, cells: pa.StringArray) -> NDArray[np.bool_]:
        """Which tidied cells (n,) are missing; an infinite number is, where none are named."""
        if self.named is None:
            return _is_in(pc.utf8_lower(cells), MARKERS | INFINITE)
        return _is_in(cells, {*self.named, ""})

    def without(self, values: pa.FloatArray) -> pa.FloatArray:
        """Numbers (n,) float64, null where one is named as a marker, such as -999."""
        if not self.numbers:
            return values
        is_missing = pc.is_in(values, value_set=pa.array(self.numbers, pa.float64()))
        return pc.if_else(is_missing, pa.scalar(None, pa.float64()), values)

    @cached_property
    def numbers(self) -> list[float]:
        """The named markers that are numbers."""
        found = []
        for marker in self.named or ():
            try:
                found.append(float(marker))
            except ValueError:
                continue
        return found


def is_infinite(cells: pa.StringArray) -> NDArray[np.bool_]:
    """Which tidied cells (n,) say that they are infinite."""
    return _is_in(pc.utf8_lower(cells), INFINITE)


def _is_in(cells: pa.StringArray, values: set[str] | frozenset[str]) -> NDArray[np.bool_]:
    """Which cells are among the values, or null."""
    found = pc.is_in(cells, value_set=pa.array([*sorted(values), None], pa.string()))
    mask: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return mask
