"""The sheet of words: which number each word of a column has, and which of them each example row holds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backpropd.export.xlsx_sheet import Sheet, Styles
from backpropd.tabular import ColumnInfo
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.column_encoders import ColumnEncoder, OneHot
from backpropd.tabular.columns import BOOLEAN_CELLS, are_booleans

FALSE, TRUE = 1, 2
FIRST_EXAMPLE = 3  # column


class Words(NamedTuple):
    """The number of each word, from 1 on, that of a missing value, and the markers of one that are numbers.

    0 is the number of any other word. `any_case`: words are in small letters.
    """

    numbers: Mapping[str, int]
    missing: int
    markers: Sequence[float]
    any_case: bool


def words_of(info: ColumnInfo, encoder: ColumnEncoder) -> Words:
    """The words of a category or a boolean, of another column the markers of a missing value, which have the number 1.

    A level has the number of its place from 1 on. Of a boolean `FALSE` and `TRUE` are the numbers.
    """
    markers = Markers.of(info.statistics.get("markers"))
    named = tuple(filter(None, markers.named or ()))
    if isinstance(encoder, OneHot):
        any_case = are_booleans(encoder.levels)
        missing = len(encoder.levels) + 1 if encoder.missing else 0
        stripped = {level.strip().lower() if any_case else level.strip(): n for n, level in _numbered(encoder.levels)}
        own = {} if any_case else {level: n for n, level in _numbered(encoder.levels)}
        return Words({**dict.fromkeys(named, missing), **stripped, **own}, missing, (), any_case)
    if info.kind == "boolean":
        known = {word: TRUE if value else FALSE for word, value in BOOLEAN_CELLS.items()}
        return Words({**{each.lower(): TRUE + 1 for each in named}, **known}, TRUE + 1, (), True)
    return Words(dict.fromkeys(named, 1), 1, markers.numbers, False)


def _numbered(levels: Sequence[str]) -> enumerate[str]:
    return enumerate(levels, 1)


class WordSheet:
    """The sheet: a row for each word with its number, and in the column of each example the number, or 0."""

    def __init__(self, sheet: Sheet, styles: Styles, rows: int) -> None:
        self.sheet, self.styles, self.next, self.rows = sheet, styles, 1, rows
        for column, title in enumerate(("column", "word", "number")):
            sheet.text(0, column, title, styles.head)
        for row in range(rows):
            sheet.text(0, FIRST_EXAMPLE + row, f"example {row + 1}", styles.head)
        sheet.freeze(1, FIRST_EXAMPLE)
        sheet.widen(0, 1, 16)

    def add(
        self, name: str, words: Words, texts: Sequence[str], cells: Sequence[str], present: Sequence[Sequence[str]]
    ) -> list[str]:
        """Add the words of a column; gives for each example a formula of the number of its word.

        `texts` and `cells` refer to the trimmed and the raw cell of each example, `present` is what both hold now.
        """
        first = self.next
        for word, number in words.numbers.items():
            self._row(name, number)
            self.sheet.text(self.next, 1, word, self.styles.word)
            known = self.sheet.cell(self.next, 1)
            for row, (text, cell) in enumerate(zip(texts, cells, strict=True)):
                same = (
                    f"EXACT({known},{text})" if words.any_case else f"OR(EXACT({known},{text}),EXACT({known},{cell}))"
                )
                found = number if word in present[row] else 0
                self.sheet.formula(self.next, FIRST_EXAMPLE + row, f"IF({same},{self._number()},0)", float(found))
            self.next += 1
        for marker in words.markers:
            self._row(name, words.missing)
            self.sheet.number(self.next, 1, marker)
            for row, cell in enumerate(cells):
                formula = f"IF({cell}={self.sheet.cell(self.next, 1)},{self._number()},0)"
                self.sheet.formula(self.next, FIRST_EXAMPLE + row, formula, 0.0)
            self.next += 1
        columns = range(FIRST_EXAMPLE, FIRST_EXAMPLE + self.rows)
        if self.next == first:
            return ["0"] * self.rows
        return [f"MAX({self.sheet.range(first, column, self.next - 1, column)})" for column in columns]

    def _row(self, name: str, number: int) -> None:
        self.sheet.text(self.next, 0, name, self.styles.word)
        self.sheet.number(self.next, 2, number)

    def _number(self) -> str:
        return self.sheet.cell(self.next, 2)
