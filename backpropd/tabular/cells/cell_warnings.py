"""What a user should know of how the cells of a column were read, or why they are words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.candidate import Candidate
from backpropd.tabular.cells.conversions import DateCells, NumberCells
from backpropd.tabular.cells.convert import convert
from backpropd.tabular.cells.infer_dates import MIN_SHARE, DateGuess
from backpropd.tabular.cells.infer_numbers import NumberGuess
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.notation import CURRENCY, MULTIPLIERS, NumberNotation
from backpropd.tabular.cells.shapes import tidy
from backpropd.tabular.warnings import WarningLog

MIXED_SHARE = 0.5
RARE_SHARE = 0.1  # of numbers with a leading zero, among which they may be a mistake
MAX_LOOKED_UP = 20  # columns whose cells are looked up in the file for their warning
LEADING_ZERO = "^[-+( ]*0[0-9]"
MULTIPLIED = f"[0-9.] ?(?:{'|'.join(map(re.escape, MULTIPLIERS))})[^A-Za-z]*$"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CellWarnings:
    """Adds to a log what is told of columns of numbers and dates; `line_of` maps a row, from 0, to its line."""

    log: WarningLog
    line_of: Callable[[int], int]
    markers: Markers
    looked_up: list[str] = field(default_factory=list)

    def of_notation(self, column: Candidate, notation: NumberNotation, guess: NumberGuess) -> None:
        """Tell of a unit or of multipliers that were read into the numbers."""
        name, unit = column.name, notation.unit
        if notation.multipliers:
            detail = (
                "letters such as K, M and B are read as thousands, millions and billions: upload with this column's "
                "kind as category if they belong to codes"
            )
            self._add("multipliers", column, detail, lambda cells: _matches(tidy(cells), MULTIPLIED))
        if notation.annotated:
            detail = (
                "signs beside numbers, such as < or *, are left out: 0.5 for <0.5; upload with this column's kind as "
                "category if they matter"
            )
            plain = NumberCells(replace(notation, annotated=False), exact=False)
            self._add("annotated_numbers", column, detail, self._misfits(plain), guess.annotated)
        if guess.in_parentheses == guess.fitting:
            detail = "all numbers stand in parentheses, and are read as negative: that changes nothing for training"
            self.log.add("negative_numbers", name, detail, count=guess.fitting)
        if not unit or CURRENCY.fullmatch(unit):
            return
        if unit != "%":
            self.log.add("unit", name, f"the unit {unit!r} is left out: the column holds numbers")
        if guess.without_unit and not notation.multipliers:
            detail = f"numbers without {unit!r} stand beside numbers with it, and are read as if they had it, too"
            self._add("mixed_units", column, detail, lambda cells: self._lack(unit, cells), guess.without_unit)

    def of_alternative(self, name: str, notation: NumberNotation, count: int) -> None:
        """Tell that a separator may also be the other of decimal mark and thousands separator."""
        mark = "the decimal mark" if notation.thousands == "" else "a thousands separator"
        separator = notation.thousands or notation.decimal
        detail = (
            f"{separator!r} always stands before three digits, and is read as {mark}: upload with decimal or thousands "
            "if that is wrong"
        )
        self.log.add("ambiguous_numbers", name, detail, count=count)

    def of_words(self, column: Candidate, guess: NumberGuess) -> None:
        """Tell why a column with many numbers holds words."""
        filled = column.profile.filled
        misfits = self._misfits(NumberCells(guess.notation, exact=False))
        if guess.leading_zeros:
            if guess.fitting >= MIN_SHARE * filled and guess.leading_zeros <= RARE_SHARE * guess.fitting:
                detail = (
                    f"{guess.leading_zeros} of {guess.fitting} numbers have a leading zero, as codes do, so all are "
                    "kept as words: upload with this column's kind as number if they are quantities"
                )
                self._add("mixed_column", column, detail, _leading_zeros, guess.leading_zeros)
        elif guess.fitting >= MIXED_SHARE * filled:
            detail = (
                f"{guess.fitting} of {filled} cells are numbers, and the others are words, so all are kept as words: "
                "upload with this column's kind as number to take the words for missing values"
            )
            self._add("mixed_column", column, detail, misfits, filled - guess.fitting)
        elif guess.in_any_unit >= MIN_SHARE * filled:
            detail = (
                "the cells are numbers in several units or currencies, and kept as words: convert them to one unit to "
                "learn from the numbers"
            )
            self._add("mixed_column", column, detail, misfits, filled - guess.fitting)

    def of_some_dates(self, column: Candidate, found: DateGuess) -> None:
        """Tell why a column with many dates holds words."""
        filled = column.profile.filled
        detail = (
            f"{found.fitting} of {filled} cells are dates in the format {found.form.name}, and the others are not, so "
            "all are kept as words: upload with this column's kind as date to take the others for missing values"
        )
        self._add("mixed_column", column, detail, self._misfits(DateCells(found.form)), filled - found.fitting)

    def _misfits(self, conversion: NumberCells | DateCells) -> Callable[[pa.StringArray], Mask]:
        return lambda cells: convert(conversion, cells, self.markers)[1]

    def _lack(self, unit: str, cells: pa.StringArray) -> Mask:
        tidied = tidy(cells)
        others = pc.invert(pc.or_(pc.match_substring(tidied, unit), pc.is_in(tidied, pa.array(["", "0"]))))
        mask: Mask = pc.fill_null(others, False).to_numpy(zero_copy_only=False)
        return mask & ~self.markers.find(tidied)

    def _add(
        self, code: str, column: Candidate, detail: str, find: Callable[[pa.StringArray], Mask], count: int = 1
    ) -> None:
        lines = []
        if len(self.looked_up) < MAX_LOOKED_UP:
            lines = [(self.line_of(row), value) for row, value in column.examples(find)]
            self.looked_up.append(column.name)
        self.log.add(code, column.name, detail, lines, count)


def _matches(cells: pa.StringArray, pattern: str) -> Mask:
    """Which cells (n,) match a regular expression."""
    mask: Mask = pc.fill_null(pc.match_substring_regex(cells, pattern), False).to_numpy(zero_copy_only=False)
    return mask


def _leading_zeros(cells: pa.StringArray) -> Mask:
    return _matches(tidy(cells), LEADING_ZERO)
