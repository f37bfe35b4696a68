"""Values of JSON as the cells of a table's columns."""

import json
import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.errors import NotATable
from backpropd.tabular.json_files.stream import Number
from backpropd.tabular.messages import quoted

NUL = "\0"
SURROGATE = re.compile("[\ud800-\udfff]")


Key = str | tuple[str, ...]
"""A column of objects: the name of a member, or the path to one of an inner object."""


def flatten(row: dict[str, Any], path: tuple[str, ...] = ()) -> dict[Key, Any]:
    """The row with a member for each member of an inner object; `path` leads to the row."""
    flat: dict[Key, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, (*path, name))
        else:
            flat[(*path, name) if path else name] = None if value == {} else value
    return flat


def name_of(key: Key) -> str:
    """The column's name, with dots between the names of a path."""
    return key if isinstance(key, str) else ".".join(key)


def columns_of_lists(rows: Sequence[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    """The columns of rows that are lists; what a short row lacks is None."""
    columns: list[Sequence[Any]] = [*zip_longest(*rows)]
    return columns + [[None] * len(rows)] * (width - len(columns))


def to_strings(name: str, values: Sequence[Any]) -> pa.StringArray:
    """The values as trimmed strings: null and an empty one are missing, lists are JSON.

    Raises `NotATable` for characters that no text has.
    """
    try:
        cells = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        texts = [*map(to_cell, values)]
        check_characters(name, texts)
        cells = pa.array(texts, pa.string())
    if pc.any(pc.match_substring(cells, NUL)).as_py():
        raise NotATable(f"the column {quoted(name)} has a string with the character NUL: remove it")
    cells = pc.utf8_trim_whitespace(cells)
    return pc.if_else(pc.equal(pc.binary_length(cells), 0), pa.scalar(None, pa.string()), cells)


def check_characters(name: str, texts: Sequence[str | None]) -> None:
    """Raise `NotATable` for a string with a code that is no character."""
    if any(text and SURROGATE.search(text) for text in texts):
        raise NotATable(
            f"the column {quoted(name)} has a string with half of a surrogate pair, which is not a character"
        )


def to_cell(value: Any) -> str | None:
    """One value as a string; null is None, and lists are JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return to_json(value)


def to_json(value: Any) -> str:
    """A list or an object as JSON, with its numbers as they were written."""
    if isinstance(value, list):
        return "[" + ", ".join(map(to_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {to_json(each)}" for name, each in value.items()) + "}"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)
