"""A table's header: whether the first row is one, and the column names in it."""

import re
from collections import Counter
from collections.abc import Sequence

from backpropd.errors import NotATable
from backpropd.tabular.columns import MISSING_VALUES
from backpropd.tabular.delimited.lossless_numbers import NUMBER

UNSIGNED_INTEGER = re.compile(r"\s*\d{1,15}\s*", re.ASCII)
INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
YEARS = range(1900, 2101)
MAX_NAME_CHARACTERS = 1000
# Control characters except tab and line ends, and characters without width or that change the writing direction.
INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def is_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns; if in doubt it is data, so that no row is lost.

    It does if none of its cells is a number. It also does if its numbers (two or more) are integers that rise in equal
    steps, as years and counted columns do, and each differs from the cells below it: most of these are decimals or
    words, or the number is a year and none of them is.
    """
    numeric = [column for column, cell in enumerate(first) if NUMBER.fullmatch(cell)]
    if not numeric:
        return True
    return _rises_evenly([first[column] for column in numeric]) and all(
        _differs(first[column], [row[column] for row in below if column < len(row)]) for column in numeric
    )


def _rises_evenly(numbers: Sequence[str]) -> bool:
    if len(numbers) < 2 or not all(UNSIGNED_INTEGER.fullmatch(number) for number in numbers):
        return False
    counts = [int(number) for number in numbers]
    step = counts[1] - counts[0]
    return step > 0 and counts == list(range(counts[0], counts[0] + step * len(counts), step))


def _differs(number: str, below: Sequence[str]) -> bool:
    present = [cell for cell in below if cell.strip() not in MISSING_VALUES]
    integers = [cell for cell in present if INTEGER.fullmatch(cell)]
    if len(integers) * 2 < len(present):
        return True
    return bool(present) and _is_year(number) and not any(_is_year(cell) for cell in integers)


def _is_year(cell: str) -> bool:
    return bool(UNSIGNED_INTEGER.fullmatch(cell)) and int(cell) in YEARS


def column_names(cells: Sequence[str]) -> tuple[str, ...]:
    """The stripped cells of the header; a third cell that is empty becomes `column_3`.

    Raises `NotATable` for names that are repeated, too long, or contain invisible characters.
    """
    names = tuple(cell.strip() or f"column_{n}" for n, cell in enumerate(cells, 1))
    for n, name in enumerate(names, 1):
        if len(name) > MAX_NAME_CHARACTERS:
            raise NotATable(f"the name of column {n} has {len(name)} characters; the maximum is {MAX_NAME_CHARACTERS}")
        if found := INVISIBLE.search(name):
            raise NotATable(f"the name of column {n} contains the invisible U+{ord(found[0]):04X}: remove it")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise NotATable(f"line 1 names more than one column {repeated[0]!r}: give every column a different name")
    return names
