"""The names of a table's columns, made of the cells of its header."""

import re
from collections.abc import Iterable, Sequence

from backpropd.tabular.warnings import WarningLog

MAX_NAME_CHARACTERS = 1000
# Control characters except tab and line ends, and characters without width or that change the writing direction.
INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def column_names(cells: Sequence[str], log: WarningLog, line: int = 1) -> tuple[str, ...]:
    """The stripped cells of the header in a line as names, each different from the others.

    An empty third cell becomes `column_3`. Invisible characters are removed, long names are cut, and the second of two
    equal names gets a number, as `age_2`, each with a warning.
    """
    written = {cell.strip() for cell in cells}
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    names: list[str] = []
    renamed: list[tuple[int, str]] = []
    for n, cell in enumerate(cells, 1):
        wanted = name = INVISIBLE.sub("", cell).strip()[:MAX_NAME_CHARACTERS] or f"column_{n}"
        while name in taken or (name != cell.strip() and name in written):
            numbers[wanted] = numbers.get(wanted, 1) + 1
            name = f"{wanted}_{numbers[wanted]}"
        taken.add(name)
        names.append(name)
        if cell.strip() and name != cell.strip():
            renamed.append((line, f"{_visible(cell.strip())} → {name}"))
    if renamed:
        detail = "names are repeated, too long or contain invisible characters; if they are a row, send header=false"
        log.add("columns_renamed", None, detail, renamed, len(renamed))
    return tuple(names)


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that an earlier one equals; None if all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _visible(text: str) -> str:
    """The text with invisible characters as their code points."""
    return INVISIBLE.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)
