"""A JSON reader that rejects what parsers read differently (duplicate names), NUL characters, and excessive values."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import orjson

from backpropd import errors
from backpropd.errors import pointer
from backpropd.tabular.column_names import first_repeated

MAX_DEPTH = 64  # of nested objects and arrays
MAX_CONTAINERS = 1_000_000  # objects and arrays: an empty one has two bytes in JSON, and many times that in memory
MAX_VALUES = 4_000_000  # of objects and arrays, together: a short text has some 60 bytes in memory
FEW_VALUES = 250_000  # in a request that has no rows


def read_json(raw: bytes, max_values: int = MAX_VALUES) -> Any:
    """The value of a JSON document, of about `max_values` values at most.

    Raises `errors.Malformed`, `errors.TooLarge` (too many values), `errors.Invalid` (a NUL in a string). The time is
    linear in the length, and what is too large is found by counting bytes.
    """
    containers = raw.count(b"[") + raw.count(b"{")
    if containers > MAX_CONTAINERS:
        raise errors.TooLarge(f"the body has more than {MAX_CONTAINERS} objects and arrays: send less at a time")
    if raw.count(b",") > max_values:
        raise errors.TooLarge(f"the body has more than {max_values} commas: send less at a time, or a table as CSV")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise errors.Malformed(f"the body is not JSON: {error}") from error
    if raw.count(b":") != _members(value, containers):  # more colons than members: in strings, or of a duplicate name
        json.loads(raw, object_pairs_hook=_reject_duplicates)
    if b"\\u0000" in raw and (path := _path_to_nul(value)) is not None:
        raise errors.Invalid("text must not contain NUL characters: remove them", pointer=pointer(*path))
    return value


def _members(value: Any, containers: int) -> int:
    """The number of members of all objects in `value`; `containers` is the most objects and arrays that it may have.

    Raises `errors.Malformed` for deep nesting.
    """
    count, level = 0, _containers([value])
    for _ in range(MAX_DEPTH):
        count += sum(len(each) for each in level if isinstance(each, dict))
        containers -= len(level)
        if not level or containers <= 0:  # all were found, and what is in the last ones need not be looked at
            return count
        level = [inner for each in level for inner in _containers(each.values() if isinstance(each, dict) else each)]
    if level:
        raise errors.Malformed(f"the body has objects or arrays nested more than {MAX_DEPTH} deep")
    return count


def _containers(values: Collection[Any]) -> list[Any]:
    """Those of the values that are objects or arrays, mostly none: the types of all are looked at without a loop."""
    kinds = set(map(type, values))
    return [each for each in values if isinstance(each, dict | list)] if dict in kinds or list in kinds else []


def _reject_duplicates(members: Sequence[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        repeated = str(first_repeated(name for name, _ in members))
        raise errors.Malformed(f"the name {repeated[:100]!r} is repeated in an object: send it once")


def _path_to_nul(value: Any) -> tuple[str | int, ...] | None:
    """The path to the first text with a NUL, or to the object of the first such name; None if there is none."""
    if isinstance(value, str):
        return () if "\0" in value else None
    if isinstance(value, dict) and any("\0" in name for name in value):
        return ()
    inner: Iterable[tuple[str | int, Any]] = value.items() if isinstance(value, dict) else ()
    for step, each in enumerate(value) if isinstance(value, list) else inner:
        if isinstance(each, str | dict | list) and (path := _path_to_nul(each)) is not None:
            return (step, *path)
    return None
