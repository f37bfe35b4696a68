"""The shape of a cell (number, date, something with digits, words, empty), and how usual a cell is in each column."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from backpropd.tabular.cells import shapes
from backpropd.tabular.cells.missing import MARKERS

EMPTY, NUMBER, DATE, DIGITS, WORDS = "empty", "number", "date", "digits", "words"
WITHOUT_WIDTH = re.compile(shapes.WITHOUT_WIDTH)
_SPACES = " \u00a0\u202f"
NUMBER_NOTATION = re.compile(
    rf"[(+\-−]?\s?[$€£¥]?\s?[+\-−]?(\d{{1,3}}([{_SPACES}]\d{{3}})+([.,]\d+)?|\d[\d.,'’]*|[.,]\d+)"
    r"([eE][+\-]?\d+)?\s?[%€$£¥kKM]?\)?",
    re.ASCII,
)
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")  # most cells of most tables, and found first
DATE_OR_TIME = re.compile(
    r"\d{1,4}([-/.:]\d{1,4}){1,2}((T|,? )\d{1,2}:\d{2}.*)?|\d{1,2}[-. ]+[^\W\d_]{3,10}[-., ]+\d{2,4}", re.ASCII
)
_DIGIT = re.compile(r"\d", re.ASCII)
SMOOTHING = 0.02  # the share of a shape that a column did not show
NINE_TENTHS = 0.9
MAX_LEVELS = 50  # different values of a column that are remembered
ROWS_OF_LEVEL = 4  # on average, in a column whose values recur
NEW_LEVEL = 0.2  # the likelihood of another value there


def shape(cell: str) -> str:
    """The shape of a cell; the usual markers of a missing value are empty."""
    if _PLAIN_NUMBER.fullmatch(cell):
        return NUMBER
    text = (cell if cell.isascii() else WITHOUT_WIDTH.sub("", cell)).strip()
    if text.lower() in MARKERS:
        return EMPTY
    if NUMBER_NOTATION.fullmatch(text):
        return NUMBER
    if DATE_OR_TIME.fullmatch(text):
        return DATE
    return DIGITS if _DIGIT.search(text) else WORDS


class ColumnShapes:
    """The shapes of the cells in each of a table's columns, and values that recur, from some of its rows."""

    def __init__(self, rows: Iterable[Sequence[str]], width: int) -> None:
        columns: list[Counter[str]] = [Counter() for _ in range(width)]
        levels: list[set[str]] = [set() for _ in range(width)]
        for row in rows:
            for counts, values, cell in zip(columns, levels, row, strict=False):
                counts[shape(cell)] += 1
                if len(values) <= MAX_LEVELS:
                    values.add(cell.strip())
        self._columns = columns
        self._levels = [
            values if len(values) <= min(MAX_LEVELS, counts.total() // ROWS_OF_LEVEL) else set()
            for counts, values in zip(columns, levels, strict=True)
        ]

    def likelihood(self, column: int, cell: str) -> float:
        """How usual the cell is in a column, from 0 to 1; hardly behind the last column."""
        if column >= len(self._columns):
            return SMOOTHING
        counts, found = self._columns[column], shape(cell)
        if found == EMPTY:
            return max(0.3, self._share(counts, EMPTY))
        filled = counts.total() - counts[EMPTY]
        if not filled:
            return 0.5
        is_new = found == WORDS and bool(levels := self._levels[column]) and cell.strip() not in levels
        return max(SMOOTHING, counts[found] / filled * (NEW_LEVEL if is_new else 1.0))

    def is_number(self, column: int, share: float = NINE_TENTHS) -> bool:
        """Whether this share of a column's filled cells are numbers."""
        counts = self._columns[column]
        return counts[NUMBER] >= (counts.total() - counts[EMPTY]) * share > 0

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether all cells are usual in their columns, the first ones."""
        return all(self.likelihood(column, cell) > SMOOTHING for column, cell in enumerate(cells))

    def mostly_fits(self, cells: Sequence[str]) -> bool:
        """Whether more than half of the cells are usual in their columns, the first ones."""
        return sum(self.likelihood(column, cell) > SMOOTHING for column, cell in enumerate(cells)) * 2 > len(cells)

    def looks_like_header(self, cells: Sequence[str], share: float = NINE_TENTHS) -> bool:
        """Whether words stand in at least half of the columns with this share of numbers."""
        numbers = [column for column in range(min(len(cells), len(self._columns))) if self.is_number(column, share)]
        words = [column for column in numbers if shape(cells[column]) in (WORDS, DIGITS, DATE)]
        return bool(words) and len(words) * 2 >= len(numbers)

    @staticmethod
    def _share(counts: Counter[str], of: str) -> float:
        return counts[of] / counts.total() if counts else 0.0
