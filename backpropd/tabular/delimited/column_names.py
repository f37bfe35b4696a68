"""The names of a table's columns, made of the cells of its header."""

import re
from collections.abc import Sequence

MAX_NAME_CHARACTERS = 1000
# Control characters except tab and line ends, and characters without width or that change the writing direction.
INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def column_names(cells: Sequence[str]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The names, each different from the others, and those that are not as they stand in the header: (cell, name).

    The cells are stripped. Without a cell the third column is `column_3`, which is not noted. Invisible characters are
    removed, long names are cut, and the second of two equal names gets a number: `age_2`.
    """
    written = {cell.strip() for cell in cells}
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    names, renamed = [], []
    for n, cell in enumerate(cells, 1):
        wanted = name = INVISIBLE.sub("", cell).strip()[:MAX_NAME_CHARACTERS] or f"column_{n}"
        while name in taken or (name != cell.strip() and name in written):
            numbers[wanted] = numbers.get(wanted, 1) + 1
            name = f"{wanted}_{numbers[wanted]}"
        taken.add(name)
        names.append(name)
        if cell.strip() and name != cell.strip():
            renamed.append((_visible(cell.strip()), name))
    return tuple(names), renamed


def _visible(text: str) -> str:
    """The text with invisible characters as their code points."""
    return INVISIBLE.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)
