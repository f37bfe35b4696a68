"""A table's header: whether its first row is one, and the names it gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from backpropd.errors import NotATable
from backpropd.tabular.columns import MISSING_VALUES
from backpropd.tabular.delimited.number_parsing import NUMBER

COUNT = re.compile(r"\s*\d{1,15}\s*", re.ASCII)
WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
YEARS = range(1900, 2101)


def is_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns.

    It does if none of its cells is a number. It does, too, if its numbers (two or more) are whole and rise in equal
    steps, as years and counted columns do, and each is unlike what stands below it: most cells there are decimals or
    words, or it is a year and they hold none. All else is a row of data: when in doubt, no row is lost.
    """
    places = [place for place, cell in enumerate(first) if NUMBER.fullmatch(cell)]
    if not places:
        return True
    numbers = [first[place] for place in places]
    return _rises_evenly(numbers) and all(
        _is_unlike(number, [row[place] for row in below if place < len(row)])
        for place, number in zip(places, numbers, strict=True)
    )


def _rises_evenly(numbers: Sequence[str]) -> bool:
    if len(numbers) < 2 or not all(COUNT.fullmatch(number) for number in numbers):
        return False
    counts = [int(number) for number in numbers]
    step = counts[1] - counts[0]
    return step > 0 and counts == list(range(counts[0], counts[0] + step * len(counts), step))


def _is_unlike(number: str, below: Sequence[str]) -> bool:
    present = [cell for cell in below if cell.strip() not in MISSING_VALUES]
    whole = [cell for cell in present if WHOLE.fullmatch(cell)]
    if len(whole) * 2 < len(present):
        return True
    return bool(present) and _is_year(number) and not any(_is_year(cell) for cell in whole)


def _is_year(cell: str) -> bool:
    return bool(COUNT.fullmatch(cell)) and int(cell) in YEARS


LONGEST_NAME = 1000  # characters
# Controls but tabs and line ends, and marks that turn the direction of writing or take no room.
HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def names_in(cells: Sequence[str]) -> tuple[str, ...]:
    """The columns' names, without spaces around; `column_3` for a third one that has none.

    Raises `NotATable` for names that come twice, are too long, or hold what nobody sees.
    """
    names = tuple(cell.strip() or f"column_{n}" for n, cell in enumerate(cells, 1))
    for n, name in enumerate(names, 1):
        if len(name) > LONGEST_NAME:
            raise NotATable(f"the name of column {n} has {len(name)} characters: shorten it to {LONGEST_NAME} or fewer")
        if found := HIDDEN.search(name):
            raise NotATable(f"the name of column {n} holds U+{ord(found[0]):04X}, which nobody sees: take it out")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise NotATable(f"line 1 names more than one column {twice[0]!r}: give every column a name of its own")
    return names
