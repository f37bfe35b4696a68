"""A JSON reader that rejects what parsers read differently (duplicate names), NUL characters, and deep nesting."""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from backpropd import errors
from backpropd.errors import pointer
from backpropd.tabular.column_names import first_repeated

MAX_DEPTH = 64  # of nested objects and arrays
MAX_CONTAINERS = 1_000_000  # objects and arrays: an empty one has two bytes in JSON, and many times that in memory


def read_json(raw: bytes) -> Any:
    """The value of a JSON document.

    Raises `errors.Malformed`, `errors.TooLarge` (too many objects and arrays), `errors.Invalid` (a NUL in a string).
    """
    if raw.count(b"[") + raw.count(b"{") > MAX_CONTAINERS:
        raise errors.TooLarge(f"the body has more than {MAX_CONTAINERS} objects and arrays: send less at a time")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise errors.Malformed(f"the body is not JSON: {error}") from error
    if raw.count(b":") != _members(value):  # more colons than members: in strings, or of a duplicate name
        json.loads(raw, object_pairs_hook=_reject_duplicates)
    if b"\\u0000" in raw:
        _reject_nul(value, "")
    return value


def _members(value: Any) -> int:
    """The number of members of all objects in `value`. Raises `errors.Malformed` for deep nesting."""
    count, level = 0, [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                count += len(each)
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        if not (level := inner):
            return count
    raise errors.Malformed(f"the body has objects or arrays nested more than {MAX_DEPTH} deep")


def _reject_duplicates(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(members)
    if len(unique) < len(members):
        repeated = str(first_repeated(name for name, _ in members))
        raise errors.Malformed(f"the name {repeated[:100]!r} is repeated in an object: send it once")
    return unique


def _reject_nul(value: Any, where: str) -> None:
    if isinstance(value, str) and "\0" in value:
        raise errors.Invalid("text must not contain NUL characters: remove them", pointer=where)
    if isinstance(value, dict):
        for key, each in value.items():
            _reject_nul(key, where)
            _reject_nul(each, where + pointer(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _reject_nul(each, where + pointer(index))
