"""JSON as it is taken here: what two readers could understand differently, or what some cannot hold, is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson

from backpropd import errors
from backpropd.errors import pointer

DEEPEST = 64  # objects and arrays in each other
MOST_CONTAINERS = 1_000_000  # objects and arrays: an empty one takes two bytes here, and many times that in memory


def read_json(raw: bytes) -> Any:
    """The value of a JSON document.

    Raises `errors.Malformed`, `errors.TooLarge` for too many objects and arrays, `errors.Invalid` for a NUL in a text.
    """
    if raw.count(b"[") + raw.count(b"{") > MOST_CONTAINERS:
        raise errors.TooLarge(f"the body has more than {MOST_CONTAINERS} objects and arrays: send it in parts")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise errors.Malformed(f"the body is not JSON: {error}") from error
    if raw.count(b":") != _members(value):  # more colons than members: some are in texts, or a name came twice
        json.loads(raw, object_pairs_hook=_refuse_twice)
    if b"\\u0000" in raw:
        _refuse_nul(value, "")
    return value


def _members(value: Any) -> int:
    """How many members all objects in here have. Raises `errors.Malformed` for what is too deep."""
    count, level = 0, [value]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                count += len(each)
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        if not (level := inner):
            return count
    raise errors.Malformed(f"the body has objects or arrays in each other more than {DEEPEST} deep")


def _refuse_twice(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise errors.Malformed(f"the name {twice[:100]!r} comes more than once in an object: send it once")
    return found


def _refuse_nul(value: Any, where: str) -> None:
    if isinstance(value, str) and "\0" in value:
        raise errors.Invalid("text here cannot hold the NUL character: remove it", pointer=where)
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_nul(key, where)
            _refuse_nul(each, where + pointer(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _refuse_nul(each, where + pointer(index))
