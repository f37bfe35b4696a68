"""The sheet of words: the code of each word of a column, and which of them each example row holds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backpropd.export.xlsx_examples import Cell
from backpropd.export.xlsx_sheet import Sheet, Styles
from backpropd.tabular import ColumnInfo
from backpropd.tabular.cells.missing import INFINITE, MARKERS, Markers
from backpropd.tabular.column_encoders import ColumnEncoder, OneHot
from backpropd.tabular.columns import BOOLEAN_CELLS, are_booleans

FALSE, TRUE = 1, 2
FIRST_EXAMPLE = 3  # column
USUAL_MARKERS = sorted(filter(None, MARKERS | INFINITE))
"""Markers of a missing value, in small letters, in numbers, dates and booleans for which the upload named none."""


class Words(NamedTuple):
    """The words of a column, each with its code from 1 on; any other word has the code 0.

    `codes`: of words without spaces at their ends, in small letters if `any_case`. `padded_codes`: of levels with
    spaces at their ends, which the whole text of a cell is compared with first. `missing_code`: of a missing value.
    `numeric_markers`: markers of a missing value that are numbers. `usual_markers`: whether the usual markers are
    missing values, too.
    """

    codes: Mapping[str, int]
    missing_code: int
    padded_codes: Mapping[str, int] = {}
    numeric_markers: Sequence[float] = ()
    any_case: bool = False
    usual_markers: bool = False

    def code_of(self, text: str, raw: Cell) -> int:
        """The code of a text without spaces at its ends, which the cell `raw` holds; 0 for another word."""
        padded = self.padded_codes.get(raw, 0) if isinstance(raw, str) else 0
        return padded or self.codes.get(text, 0)


def words_of(info: ColumnInfo, encoder: ColumnEncoder) -> Words:
    """The words of a category or a boolean, of another column the markers of a missing value, which have the code 1.

    A level has the code of its place from 1 on. Of a boolean `FALSE` and `TRUE` are the codes.
    """
    markers = Markers.of(info.statistics.get("markers"))
    named, are_usual = tuple(filter(None, markers.named or ())), markers.named is None
    if isinstance(encoder, OneHot):
        return _words_of_levels(encoder, named)
    named = tuple(" ".join(filter(None, each.split(" "))) for each in named)
    if info.kind == "boolean":
        known = {word: TRUE if value else FALSE for word, value in BOOLEAN_CELLS.items()}
        codes = {**known, **{each.lower(): TRUE + 1 for each in named}}
        return Words(codes, TRUE + 1, any_case=True, usual_markers=are_usual)
    return Words(dict.fromkeys(named, 1), 1, numeric_markers=markers.numbers, usual_markers=are_usual)


def _words_of_levels(encoder: OneHot, named: Sequence[str]) -> Words:
    """Levels as the service finds them: the whole text, the text without its ends, and so the first level."""
    levels = dict(zip(encoder.levels, range(1, 1 + len(encoder.levels)), strict=True))
    missing = len(levels) + 1 if encoder.missing else 0
    if are_booleans(levels):
        marked = dict.fromkeys((each.lower() for each in named), missing)
        return Words({**marked, **{level.lower(): code for level, code in levels.items()}}, missing, any_case=True)
    stripped = {level.strip(): code for level, code in reversed(levels.items())}
    plain = {level: code for level, code in levels.items() if level == level.strip()}
    padded = {level: code for level, code in levels.items() if level not in plain}
    codes = {word: code for word, code in {**dict.fromkeys(named, missing), **stripped, **plain}.items() if word}
    return Words(codes, missing, padded)


class WordSheet:
    """The sheet: a row for each word with its code, and in the column of each example the code, or 0."""

    def __init__(self, sheet: Sheet, styles: Styles, rows: int) -> None:
        self.sheet, self.styles, self.next_row, self.rows = sheet, styles, 1, rows
        self._usual_markers: str | None = None
        for column, title in enumerate(("column", "word", "number")):
            sheet.text(0, column, title, styles.head)
        for row in range(rows):
            sheet.text(0, FIRST_EXAMPLE + row, f"example {row + 1}", styles.head)
        sheet.freeze(1, FIRST_EXAMPLE)
        sheet.widen(0, 1, 16)

    def add(
        self, name: str, words: Words, texts: Sequence[str], cells: Sequence[str], stored: Sequence[tuple[str, Cell]]
    ) -> list[str]:
        """Add the words of a column; gives for each example a formula of the code of its word.

        `texts` and `cells` refer to the text and the raw cell of each example, `stored` is what both hold in the file.
        """
        first = self.next_row
        for word, code in words.padded_codes.items():
            self._word(name, word, code, cells, [raw == word for _, raw in stored])
        padded_end = self.next_row
        for word, code in words.codes.items():
            self._word(name, word, code, texts, [text == word for text, _ in stored])
        for marker in words.numeric_markers:
            self.sheet.number(self.next_row, 1, marker)
            same = [f"AND(ISNUMBER({cell}),{cell}={self.sheet.cell(self.next_row, 1)})" for cell in cells]
            self._row(name, words.missing_code, same, [raw == marker for _, raw in stored])
        return [self._code(FIRST_EXAMPLE + row, first, padded_end) for row in range(self.rows)]

    def _code(self, column: int, first: int, padded_end: int) -> str:
        """The code in the rows from the first one; one of a padded level has precedence."""
        if self.next_row == first:
            return "0"
        others = f"MAX({self.sheet.range(padded_end, column, self.next_row - 1, column)})"
        if padded_end == first:
            return others
        padded = f"MAX({self.sheet.range(first, column, padded_end - 1, column)})"
        return f"IF({padded}>0,{padded},{others})"

    def usual_markers(self) -> str:
        """A reference to the usual markers of a missing value, which are written once."""
        if self._usual_markers is None:
            first = self.next_row
            for marker in USUAL_MARKERS:
                self.sheet.text(self.next_row, 0, "missing", self.styles.word)
                self.sheet.text(self.next_row, 1, marker, self.styles.word)
                self.next_row += 1
            self._usual_markers = self.sheet.range(first, 1, self.next_row - 1, 1)
        return self._usual_markers

    def _word(self, name: str, word: str, code: int, references: Sequence[str], is_stored: Sequence[bool]) -> None:
        self.sheet.text(self.next_row, 1, word, self.styles.word)
        own = self.sheet.cell(self.next_row, 1)
        self._row(name, code, [f"EXACT({own},{each})" for each in references], is_stored)

    def _row(self, name: str, code: int, same: Sequence[str], is_stored: Sequence[bool]) -> None:
        """Complete a row: `same` are conditions that each example has its word, `is_stored` what they result in."""
        self.sheet.text(self.next_row, 0, name, self.styles.word)
        self.sheet.number(self.next_row, 2, code)
        own = self.sheet.cell(self.next_row, 2)
        for column, (condition, holds) in enumerate(zip(same, is_stored, strict=True), FIRST_EXAMPLE):
            self.sheet.formula(self.next_row, column, f"IF({condition},{own},0)", float(code if holds else 0))
        self.next_row += 1
