"""What an object that is a whole JSON text holds, without its values, and where in it the table is."""

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.json_files.stream import JsonStream
from backpropd.tabular.messages import quoted

MAX_DEPTH = 8  # of objects around a table
MAX_LISTED = 10
NO_LIMIT = 2**62  # characters of a value; the sandbox limits memory
LISTS_OF_ROWS = ("data", "rows", "records", "results", "items", "values", "instances", "features")
ROWS: Final = "rows"
VALUE: Final = "value"

Path = tuple[str, ...]
Outline = Mapping[str, "Outline | int | str"]
"""The members of an object by name: an object, the length of a list of single values, `ROWS` (a list of objects or of
lists), or `VALUE`."""


def read_outline(stream: JsonStream, depth: int = 1) -> Outline:
    """The outline of the object that comes next. Raises `NotATable`."""
    return {name: _member(stream, depth) for name in stream.member_names()}


def _member(stream: JsonStream, depth: int) -> Outline | int | str:
    first = stream.peek()
    if first == "{" and depth < MAX_DEPTH:
        return read_outline(stream, depth + 1)
    if first != "[":
        stream.value(NO_LIMIT)
        return VALUE
    items = stream.items()
    head = [*islice(items, 1)]
    if head and isinstance(head[0], dict | list):
        deque(items, maxlen=0)
        return ROWS
    return len(head) + sum(1 for _ in items)


def find_rows(outline: Outline) -> Path | None:
    """The path of the one list of objects or of lists that is least deep; None if there is none.

    Raises `NotATable` if there are several, and `EmptyDataset` if it is empty.
    """
    found = [path for path, member in _walk(outline) if member == ROWS]
    if not found or _are_rows(outline, found) or (_are_columns(outline) and len(min(found, key=len)) > 1):
        _check_empty(outline, found)
        return None
    depth = min(map(len, found))
    paths = [path for path in found if len(path) == depth]
    likely = [path for path in paths if path[-1].lower() in LISTS_OF_ROWS] or paths
    if len(likely) > 1:
        listed = ", ".join(quoted(".".join(path)) for path in likely[:MAX_LISTED])
        raise NotATable(f"this object holds several tables ({listed}): send one of them")
    return likely[0]


def find_columns(outline: Outline) -> Path | None:
    """The path of the one inner object whose members are columns, lists of single values; None if there is not one."""
    if any(isinstance(member, int) for member in outline.values()):
        return None
    found = [path for path, member in _walk(outline) if isinstance(member, Mapping) and _are_columns(member)]
    return found[0] if len(found) == 1 else None


def find_keyed_rows(outline: Outline) -> Path | None:
    """The path of the one inner object with a name in `LISTS_OF_ROWS` whose members are rows with the same names."""
    found = [path for path, member in _walk(outline) if path[-1].lower() in LISTS_OF_ROWS and _are_keyed_rows(member)]
    return found[0] if len(found) == 1 else None


def _are_keyed_rows(member: Outline | int | str) -> bool:
    if not isinstance(member, Mapping):
        return False
    rows = [each for each in member.values() if isinstance(each, Mapping) and each]
    return 1 < len(rows) == len(member) and all(each.keys() == rows[0].keys() for each in rows)


def paths_beside(outline: Outline, path: Path, *, inside: bool = False) -> list[str]:
    """What stands beside the member at a path, and beside the objects around it.

    With `inside` also what the object at the path has beside lists of single values.
    """
    left_out: list[str] = []
    for depth, taken in enumerate(path):
        around = path[:depth]
        left_out += [".".join((*around, name)) for name in members_at(outline, around) if name != taken]
    if inside:
        members = members_at(outline, path)
        left_out += [".".join((*path, name)) for name, each in members.items() if not isinstance(each, int)]
    return left_out


def members_at(outline: Outline, path: Path) -> Outline:
    """The object at a path."""
    for name in path:
        inner = outline[name]
        outline = inner if isinstance(inner, Mapping) else {}
    return outline


def _walk(outline: Outline, path: Path = ()) -> Iterator[tuple[Path, Outline | int | str]]:
    """All members with their paths; what is named by a number is a row."""
    for name, member in outline.items():
        if path and name.isdecimal():
            continue
        yield (*path, name), member
        if isinstance(member, Mapping) and not name.isdecimal():
            yield from _walk(member, (*path, name))


def _are_rows(outline: Outline, found: list[Path]) -> bool:
    """Whether the members of an object are rows, which have the lists that were found among their values."""
    inner = [member for member in outline.values() if isinstance(member, Mapping)]
    if len(inner) < max(len(outline), 2):
        return False
    below = [path[1:] for path in found]
    return len(set(below)) < len(below) or all(each.keys() == inner[0].keys() for each in inner)


def _are_columns(outline: Outline) -> bool:
    """Whether an object has several lists of single values, all of one length."""
    lengths = [member for member in outline.values() if isinstance(member, int)]
    return len(lengths) > 1 and lengths[0] > 0 and len(set(lengths)) == 1


def _check_empty(outline: Outline, found: list[Path]) -> None:
    """Raise `EmptyDataset` if all that may hold rows is an inner list that is empty."""
    empty = [path for path, member in _walk(outline) if isinstance(member, int) and not member and len(path) > 1]
    for path in empty:
        if not found and path[-1].lower() in LISTS_OF_ROWS and len(outline) == 1:
            raise EmptyDataset(f"the list {quoted('.'.join(path))} is empty: send at least one row")
