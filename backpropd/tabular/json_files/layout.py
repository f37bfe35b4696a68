"""How a JSON text holds a table: where its rows are, or its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.json_files.cells import Key, flatten, name_of
from backpropd.tabular.json_files.outline import (
    NO_LIMIT,
    Outline,
    Path,
    find_columns,
    find_keyed_rows,
    find_rows,
    members_at,
    paths_beside,
    read_outline,
)
from backpropd.tabular.json_files.stream import JsonStream, ValueTooLong
from backpropd.tabular.messages import quoted

Opener = Callable[[], JsonStream]
FORMS = "send a list of objects, an object on each line, or an object with a list for each column"
HEADERS = ("columns", "header", "headers", "names", "fields", "feature_names")  # members that name the columns of rows
KEY = "key"  # the column of the names of an object whose members are rows


@dataclass(frozen=True)
class Layout:
    """Where the table is.

    `lines`: rows follow each other, without a list around them. Else the rows are the items of the list that is the
    whole text, or of the list to which the names of members in `path` lead, with `names` if a list beside it has them.
    Or the table is `columns`, in memory. `left_out` are the paths of members that are no part of the table.
    """

    lines: bool = False
    path: Path = ()
    names: Sequence[str] | None = None
    columns: Mapping[str, Sequence[Any]] | None = None
    left_out: Sequence[str] = ()

    def rows(self, stream: JsonStream) -> Iterator[Any]:
        """The rows in a stream from its beginning; not for a table of `columns`."""
        if self.lines:
            return _lines(stream)
        return _all(stream, self.path)


def find_layout(opener: Opener) -> Layout:
    """Look at a text for its table. Raises `NotATable` and `EmptyDataset`."""
    with opener() as stream:
        first = stream.peek()
        if first == "[":
            return _layout_of_list(stream)
        if first != "{":
            raise NotATable(f"line {stream.line}: this is not a table in JSON: {FORMS}")
    with opener() as stream:
        if _is_followed(stream):
            return Layout(lines=True)
    return _layout_of_object(opener)


def _layout_of_list(stream: JsonStream) -> Layout:
    """A list of rows, or lists that follow each other."""
    stream.take("[")
    first = stream.peek()
    if first in ("{", "["):
        return Layout()
    if first != "]":
        while stream.peek() not in ("]", ""):
            stream.value()
            if stream.peek() == ",":
                stream.take(",")
    stream.take("]")
    if stream.peek() == "[":
        return Layout(lines=True)
    if first == "]":
        raise EmptyDataset("the list is empty: send at least one row")
    raise NotATable(f"this is a list of single values: {FORMS}")


def _is_followed(stream: JsonStream) -> bool:
    """Whether the first object is a row that another follows; a very long one is none."""
    try:
        stream.value()
    except ValueTooLong:
        return False
    return stream.peek() != ""


def _lines(stream: JsonStream) -> Iterator[Any]:
    while stream.peek():
        yield stream.value()


def _all(stream: JsonStream, path: Path) -> Iterator[Any]:
    yield from _inner(stream, path)
    stream.expect_end()


def _inner(stream: JsonStream, path: Path) -> Iterator[Any]:
    """The items of the list to which a path leads; all else is read over."""
    if not path:
        yield from stream.items()
        return
    for name in stream.member_names():
        if name == path[0]:
            yield from _inner(stream, path[1:])
        else:
            stream.value(NO_LIMIT)


def _layout_of_object(opener: Opener) -> Layout:
    """The table in an object that is the whole text. Raises `NotATable` and `EmptyDataset`."""
    with opener() as stream:
        outline = read_outline(stream)
        stream.expect_end()
    if (path := find_rows(outline)) is not None:
        header = _path_of_names(outline, path)
        left_out = [each for each in paths_beside(outline, path) if header is None or each != ".".join(header)]
        return Layout(path=path, names=header and _names(opener, header), left_out=left_out)
    with opener() as stream:
        members = stream.value(NO_LIMIT)
    if (path := find_columns(outline)) is not None:
        for name in path:
            members = members[name]
        return Layout(columns=_lists(members), left_out=paths_beside(outline, path, inside=True))
    if any(isinstance(each, list) for each in members.values()):
        return Layout(columns=_equally_long(_lists(members)), left_out=paths_beside(outline, (), inside=True))
    if not members:
        raise NotATable(f"this object is empty: {FORMS}")
    if (path := find_keyed_rows(outline)) is not None:
        for name in path:
            members = members[name]
        return Layout(columns=_columns_of_objects(members), left_out=paths_beside(outline, path))
    if all(isinstance(each, dict) and each for each in members.values()):
        return Layout(columns=_columns_of_objects(members))
    return Layout(lines=True)  # one row


def _path_of_names(outline: Outline, path: Path) -> Path | None:
    """The path of a list beside the rows that names their columns."""
    beside = members_at(outline, path[:-1])
    found = (name for name in HEADERS if isinstance(beside.get(name), int) and beside[name])
    return next(((*path[:-1], name) for name in found), None)


def _names(opener: Opener, path: Path) -> Sequence[str]:
    with opener() as stream:
        return [*_inner(stream, path)]


def _lists(members: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: each for name, each in members.items() if isinstance(each, list)}


def _equally_long(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    (first, values), *others = columns.items()
    for name, each in others:
        if len(each) != len(values):
            raise NotATable(
                f"the columns have different lengths: {quoted(first)} has {len(values)} values and "
                f"{quoted(name)} has {len(each)}"
            )
    if not values:
        raise EmptyDataset("the columns are empty: send at least one row")
    return columns


def _columns_of_objects(objects: dict[str, dict[str, Any]]) -> dict[str, list[Any]]:
    """An object for each column, from row numbers to values, or for each row, from names to values."""
    if all(name.isdecimal() for each in objects.values() for name in each):
        rows = {row: None for each in objects.values() for row in each}
        return {name: [each.get(row) for row in rows] for name, each in objects.items()}
    records = [flatten(each) for each in objects.values()]
    names: dict[Key, None] = {name: None for each in records for name in each}
    keys: dict[str, list[Any]] = {} if all(name.isdecimal() for name in objects) else {KEY: [*objects]}
    return keys | {name_of(name): [each.get(name) for each in records] for name in names if name not in keys}
