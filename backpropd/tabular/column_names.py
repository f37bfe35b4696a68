"""The names of a table's columns, made of the cells of its header."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

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


def spelling(name: str) -> str:
    """What two spellings of a name share: composed accents, nothing invisible, and one plain space for all between."""
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFC", name)).split())


def respelled(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Maps names that spell a known name in another way to it, if that name itself is not given.

    A spelling of several known names, and several spellings of one, are left out.
    """
    given, known = set(names), set(known)
    if not (others := given - known):
        return {}
    written, wanted = _by_spelling(others), _by_spelling(known)
    return {name: wanted[own] for own, name in written.items() if own in wanted and wanted[own] not in given}


def _by_spelling(names: Collection[str]) -> dict[str, str]:
    """The names by their spellings, without those that share one."""
    spellings = {name: spelling(name) for name in names}
    times = Counter(spellings.values())
    return {own: name for name, own in spellings.items() if times[own] == 1}


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
