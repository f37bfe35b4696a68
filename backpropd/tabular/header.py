"""Whether the first row of a table names its columns."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from backpropd.tabular.cell_shapes import EMPTY, WORDS, shape
from backpropd.tabular.cell_shapes import NUMBER as NUMBER_SHAPE
from backpropd.tabular.column_names import spelling
from backpropd.tabular.lossless_numbers import NUMBER

DIGITS = re.compile(r"\d+")
UNSIGNED_INTEGER = re.compile(r"\s*\d{1,15}\s*", re.ASCII)
INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
YEARS = range(1900, 2101)
MIN_ROWS = 3  # below a row with numbers, for a judgement by their values
MAX_ROWS = 500
FAR = 10  # times the range of a column's numbers
# How much a cell speaks for a header, and against it.
WORD_OVER_NUMBERS, ODD_NUMBER, RECURRING_WORD, USUAL_NUMBER = 3, 1, -2, -1


def is_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns; if in doubt it is data, so that no row is lost.

    Without numbers it does, unless every cell occurs again in its column. With numbers it does if they are integers
    that rise in equal steps, as years and counted columns do, and differ from the cells below; or if they rise behind
    an empty cell above different ones, as in a table of counts; or if more cells are unlike their columns than like
    them: words over numbers, numbers far from those below or written otherwise.
    """
    below = [row for row in below[:MAX_ROWS] if len(row) >= len(first)]
    numeric = [column for column, cell in enumerate(first) if shape(cell) == NUMBER_SHAPE]
    if not numeric:
        return not _recurs(first, below)
    if _rises_evenly([first[column] for column in numeric]) and all(
        _differs(first[column], [row[column] for row in below]) for column in numeric
    ):
        return True
    if len(below) < MIN_ROWS:
        return False
    if not first[0].strip() and _rises(first[1:]) and _all_differ([row[0].strip() for row in below]):
        return True
    return sum(_evidence(cell, [row[column] for row in below]) for column, cell in enumerate(first)) > 0


def names_known_columns(cells: Sequence[str], known: Collection[str]) -> bool:
    """Whether more than half of the filled cells are names of known columns, each counted once."""
    filled = [spelling(cell) for cell in cells if cell.strip()]
    return len({*map(spelling, known)}.intersection(filled)) * 2 > len(filled)


def _rises(cells: Sequence[str]) -> bool:
    """Whether cells are plain numbers, at least three, each greater than the one before it."""
    if len(cells) < MIN_ROWS or not all(NUMBER.fullmatch(cell) for cell in cells):
        return False
    return all(float(low) < float(high) for low, high in pairwise(cells))


def _all_differ(cells: Sequence[str]) -> bool:
    return all(cells) and len(set(cells)) == len(cells)


def _recurs(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether every cell occurs again in its column, perhaps with other digits, in rows that are not all the same."""
    first = [cell.strip() for cell in first]
    others = [row for row in ([cell.strip() for cell in row[: len(first)]] for row in below) if row != first]
    return bool(others) and all(
        any(_pattern(row[n]) == _pattern(cell) for row in others) for n, cell in enumerate(first)
    )


def _pattern(cell: str) -> str:
    return DIGITS.sub("9", cell)


def _evidence(cell: str, below: Sequence[str]) -> float:
    filled = [each for each in below if shape(each) != EMPTY]
    numbers = [each for each in filled if shape(each) == NUMBER_SHAPE]
    mostly_numbers = len(numbers) * 10 >= len(filled) * 9 > 0
    kind = shape(cell)
    if kind == EMPTY or not filled:
        return 0
    if kind == NUMBER_SHAPE:
        if mostly_numbers and not _is_odd(cell, numbers):
            return USUAL_NUMBER
        return ODD_NUMBER
    if mostly_numbers and kind == WORDS:
        return WORD_OVER_NUMBERS
    return RECURRING_WORD if cell.strip() in {each.strip() for each in filled} else 0


def _is_odd(cell: str, below: Sequence[str]) -> bool:
    """Whether a number is far from those below, or a whole one over decimals."""
    if not NUMBER.fullmatch(cell):
        return False
    numbers = [float(each) for each in below if NUMBER.fullmatch(each)]
    if len(numbers) * 2 < len(below):
        return False
    low, high = min(numbers), max(numbers)
    margin = FAR * (high - low)
    is_far = not low - margin <= float(cell) <= high + margin and high > low
    decimals = sum(not INTEGER.fullmatch(each) for each in below)
    return is_far or (bool(UNSIGNED_INTEGER.fullmatch(cell)) and decimals * 20 >= len(below) * 19)


def _rises_evenly(numbers: Sequence[str]) -> bool:
    if len(numbers) < 2 or not all(UNSIGNED_INTEGER.fullmatch(number) for number in numbers):
        return False
    counts = [int(number) for number in numbers]
    step = counts[1] - counts[0]
    return step > 0 and counts == list(range(counts[0], counts[0] + step * len(counts), step))


def _differs(number: str, below: Sequence[str]) -> bool:
    present = [cell for cell in below if shape(cell) != EMPTY]
    integers = [cell for cell in present if INTEGER.fullmatch(cell)]
    if len(integers) * 2 < len(present):
        return True
    return bool(present) and _is_year(number) and not any(_is_year(cell) for cell in integers)


def _is_year(cell: str) -> bool:
    return bool(UNSIGNED_INTEGER.fullmatch(cell)) and int(cell) in YEARS
