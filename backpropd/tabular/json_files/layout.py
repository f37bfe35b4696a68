"""How a JSON text holds a table: where its rows are, or its columns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.json_files.cells import flatten
from backpropd.tabular.json_files.stream import JsonStream, ValueTooLong
from backpropd.tabular.messages import quoted

Opener = Callable[[], JsonStream]
NO_LIMIT = 2**62  # characters of a value; the sandbox limits memory
FORMS = "send a list of objects, an object on each line, or an object with a list for each column"
HEADERS = ("columns", "header", "headers", "names", "fields", "feature_names")  # members that name the columns of rows
LISTS_OF_ROWS = ("data", "rows", "records", "results", "items", "values", "instances", "features")
KEY = "key"  # the column of the names of an object whose members are rows


@dataclass(frozen=True)
class Layout:
    """Where the table is.

    `lines`: rows follow each other, without a list around them. Else the rows are the items of the list that is the
    whole text, or the member `member` of the object that it is, with `names` if another member has them. Or the table
    is `columns`, in memory. `left_out` are members of the object that are no part of the table.
    """

    lines: bool = False
    member: str | None = None
    names: Sequence[str] | None = None
    columns: Mapping[str, Sequence[Any]] | None = None
    left_out: Sequence[str] = ()

    def rows(self, stream: JsonStream) -> Iterator[Any]:
        """The rows in a stream from its beginning; not for a table of `columns`."""
        if self.lines:
            return _lines(stream)
        if self.member is None:
            return _all(stream)
        return _member(stream, self.member)


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
    with opener() as stream:
        return _Members(stream).layout()


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


def _all(stream: JsonStream) -> Iterator[Any]:
    yield from stream.items()
    stream.expect_end()


def _member(stream: JsonStream, member: str) -> Iterator[Any]:
    for name in stream.member_names():
        if name == member:
            yield from stream.items()
        else:
            stream.value(NO_LIMIT)
    stream.expect_end()


class _Members:
    """The members of an object that is the whole text: lists of rows, lists of single values, objects, and values."""

    def __init__(self, stream: JsonStream) -> None:
        self.rows: list[str] = []
        self.lists: dict[str, Sequence[Any]] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.values: list[str] = []
        for name in stream.member_names():
            self._read(name, stream)
        stream.expect_end()

    def _read(self, name: str, stream: JsonStream) -> None:
        first = stream.peek()
        if first == "[":
            items = stream.items()
            head = [*islice(items, 1)]
            if isinstance(head[0] if head else None, dict | list):
                self.rows.append(name)
                deque(items, maxlen=0)
            else:
                self.lists[name] = [*head, *items]
        elif first == "{":
            self.objects[name] = stream.value(NO_LIMIT)
        else:
            self.values.append(name)
            stream.value()

    def layout(self) -> Layout:
        """The table in this object. Raises `NotATable`."""
        if self.rows:
            return self._layout_of_rows()
        if self.lists:
            return Layout(columns=self._equally_long(self.lists), left_out=(*self.objects, *self.values))
        if self.objects and not self.values and all(self.objects.values()):
            return Layout(columns=_columns_of_objects(self.objects))
        if self.objects or self.values:
            return Layout(lines=True)  # one row
        raise NotATable(f"this object is empty: {FORMS}")

    def _layout_of_rows(self) -> Layout:
        likely = [name for name in self.rows if name.lower() in LISTS_OF_ROWS] or self.rows
        if len(likely) > 1:
            listed = ", ".join(map(quoted, likely[:10]))
            raise NotATable(f"this object holds several tables ({listed}): send one of them")
        names = next((self.lists[name] for name in HEADERS if self.lists.get(name)), None)
        others = [*self.rows, *self.lists, *self.objects, *self.values]
        return Layout(member=likely[0], names=names, left_out=[name for name in others if name != likely[0]])

    @staticmethod
    def _equally_long(columns: dict[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
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
    names = {name: None for each in records for name in each}
    keys = {} if all(name.isdecimal() for name in objects) else {KEY: [*objects]}
    return keys | {name: [each.get(name) for each in records] for name in names if name not in keys}
