"""What each column of strings is, decided from all its cells and from what the other columns of the file show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa

from backpropd.errors import UnusableColumn, pointer
from backpropd.tabular.cells.candidate import Candidate
from backpropd.tabular.cells.cell_warnings import CellWarnings
from backpropd.tabular.cells.centuries import first_year
from backpropd.tabular.cells.conversions import Conversion, DateCells, NumberCells, WordCells
from backpropd.tabular.cells.infer_dates import MIN_SHARE, infer_dates
from backpropd.tabular.cells.infer_numbers import NumberGuess, infer_numbers
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.notation import PLAIN, NumberNotation
from backpropd.tabular.cells.profile import CellProfile
from backpropd.tabular.read_options import UNUSED, ReadOptions
from backpropd.tabular.warnings import WarningLog

WHOLE = re.compile("0|-?9+")  # shapes of whole numbers that come back as they stand


@dataclass
class Decisions:
    """The conversions of the columns that are more than words, by name, and the marks of the file's numbers."""

    conversions: dict[str, Conversion] = field(default_factory=dict)
    decimal: str = "."
    thousands: str | None = None
    warnings: WarningLog = field(default_factory=WarningLog)


def decide(
    candidates: Sequence[Candidate],
    options: ReadOptions,
    line_of: Callable[[int], int],
    *,
    plain_decimals: int = 0,
    delimiter: str | None = None,
) -> Decisions:
    """Decide the columns together; `plain_decimals` columns hold numbers like `12.5`.

    `line_of` maps a row, from 0, to its line.

    Raises `UnusableColumn` for a column that cannot be of the kind that the options name.
    """
    guesses = {each.name: infer_numbers(each.profile.shapes, options.decimal, options.thousands) for each in candidates}
    marks = Counter({".": plain_decimals})
    for each in candidates:
        if (guess := guesses[each.name]) and _are_numbers(each, guess) and guess.decimals and not guess.alternative:
            marks[guess.notation.decimal] += 1
    decisions = Decisions()
    warnings = CellWarnings(decisions.warnings, line_of, Markers.of(options.missing))
    decider = _Decider(options, warnings, options.decimal or _most_common(marks), delimiter)
    for each in candidates:
        if conversion := decider.decide(each, guesses[each.name]):
            decisions.conversions[each.name] = conversion
    _count_marks(decisions, marks)
    decisions.decimal = options.decimal or decisions.decimal
    return decisions


def _most_common(marks: Counter[str]) -> str | None:
    return marks.most_common(1)[0][0] if marks.total() else None


def _count_marks(decisions: Decisions, marks: Counter[str]) -> None:
    notations = [each.notation for each in decisions.conversions.values() if isinstance(each, NumberCells)]
    for notation in notations:
        marks[notation.decimal] += notation.decimal != "."
    decisions.decimal = _most_common(marks) or "."
    decisions.thousands = _most_common(Counter(each.thousands for each in notations if each.thousands))


def _are_numbers(candidate: Candidate, guess: NumberGuess | None) -> bool:
    if guess is None or guess.leading_zeros:
        return False
    return guess.fitting >= MIN_SHARE * candidate.profile.filled


def _are_whole(profile: CellProfile) -> bool:
    """Whether every filled cell is a whole number that comes back as it stands."""
    is_number = profile.filled == profile.shapes.total() and not profile.markers
    return is_number and all(map(WHOLE.fullmatch, profile.shapes))


@dataclass(frozen=True)
class _Decider:
    options: ReadOptions
    warnings: CellWarnings
    decimal: str | None
    delimiter: str | None

    def decide(self, candidate: Candidate, guess: NumberGuess | None) -> Conversion | None:
        """The conversion of a column, None for words."""
        if known := self.options.known_kinds.get(candidate.name):
            return self._known(candidate, guess, known)
        if forced := self.options.kinds.get(candidate.name):
            return self._forced(candidate, guess, forced)
        profile = candidate.profile
        if not profile.filled:
            return NumberCells(PLAIN)
        if guess and _are_numbers(candidate, guess):
            return NumberCells(self._notation(candidate, guess))
        if dates := self._dates(candidate, guess):
            return dates
        if guess:
            self.warnings.of_words(candidate, guess)
        return self._words(profile)

    def _words(self, profile: CellProfile) -> Conversion | None:
        return WordCells() if self.options.missing is not None and profile.markers else None

    def _known(self, candidate: Candidate, guess: NumberGuess | None, kind: str) -> Conversion | None:
        """The conversion of a known column: numbers with marks that the file shows; all other cells as they stand."""
        if kind == UNUSED:
            return NumberCells(PLAIN) if _are_whole(candidate.profile) else None
        if kind != "number" or guess is None or not guess.fitting or not guess.has_marks_alone:
            return None
        return NumberCells(self._notation(candidate, guess), exact=False)

    def _forced(self, candidate: Candidate, guess: NumberGuess | None, kind: str) -> Conversion | None:
        if kind == "text":
            return None
        if kind == "number":
            if guess is None or not guess.fitting:
                if (hours := self._dates(candidate, None)) and hours.form.is_time:
                    return hours
                raise impossible_kind(candidate.name, kind, candidate.rows())
            return NumberCells(self._notation(candidate, guess), exact=False)
        if kind == "date":
            dates = self._dates(candidate, None, named=True)
            if dates is None or dates.form.is_time:
                raise impossible_kind(candidate.name, kind, candidate.rows())
            return dates
        return WordCells("boolean") if kind == "boolean" else self._words(candidate.profile)

    def _notation(self, candidate: Candidate, guess: NumberGuess) -> NumberNotation:
        """The notation of a guess, or its alternative if other columns have that decimal mark."""
        notation = guess.notation
        if guess.alternative:
            decimal = self.decimal or ("," if self.delimiter == ";" else None)
            if guess.alternative.decimal == decimal or self.options.thousands == guess.alternative.thousands != "":
                notation = guess.alternative
            if not self.decimal and not self.options.thousands:
                self.warnings.of_alternative(candidate.name, notation, guess.fitting)
        self.warnings.of_notation(candidate, notation, guess)
        return notation

    def _dates(self, candidate: Candidate, guess: NumberGuess | None, named: bool = False) -> DateCells | None:
        profile, day_first = candidate.profile, self.decimal == "," or self.delimiter == ";"
        found = infer_dates(profile.shapes, profile.filled, candidate.scan, named=named, day_first=day_first)
        if found is None or (found.form.unit and guess and guess.fitting >= MIN_SHARE * profile.filled):
            return None  # 00.5 m is a code, and no duration
        if not named and found.fitting < MIN_SHARE * profile.filled:
            self.warnings.of_some_dates(candidate, found)
            return None
        if found.rival and found.ambiguous:
            others = (
                "this is a guess: write them as year-month-day if it is wrong"
                if found.ambiguous == found.fitting
                else f"{found.fitting - found.ambiguous} other dates fit this order alone"
            )
            detail = f"dates are read as {found.form.name}, and some could be {found.rival.name}: {others}"
            self.warnings.log.add("ambiguous_dates", candidate.name, detail, count=found.ambiguous)
        if found.form.unit:
            detail = f"amounts in the format {found.form.name} are read as numbers of {found.form.unit}"
            self.warnings.log.add("unit", candidate.name, detail, count=found.fitting)
        if not found.short_years:
            return DateCells(found.form)
        first = first_year(found.short_years)
        detail = (
            f"years of two digits are read as {first} to {first + 99}, by those of the whole column and the present "
            "year: write four digits if that is wrong"
        )
        self.warnings.log.add("two_digit_years", candidate.name, detail, count=found.fitting)
        return DateCells(found.form, first)


def impossible_kind(name: str, kind: str, cells: Iterable[pa.StringArray]) -> UnusableColumn:
    """The error for a column none of whose cells is of the kind that the options name."""
    values = (cell for block in cells for cell in block.unique().drop_null().to_pylist())
    examples = map(str, islice(values, 3))
    return UnusableColumn(
        f"the column {name!r} cannot be of kind {kind}: none of its cells is one (such as {', '.join(examples)}); "
        "choose another kind",
        pointer=pointer("kinds", name),
    )
