"""Differences between JSON documents, by JSON pointer."""

from collections.abc import Iterator, Sequence
from typing import Any

from backpropd import errors
from backpropd.errors import pointer


def differences(documents: Sequence[Any], max_values: int) -> dict[str, list[Any]]:
    """The values of each place where the documents are not all the same, one for each document, None where it has none.

    A place is as deep as possible: an array of plain values is one, the members of an object and of an array of objects
    are places of their own. Raises `errors.Invalid` for more than `max_values` values.
    """
    found: dict[str, list[Any]] = {}
    for path, values in _differences(documents, ()):
        found[pointer(*path)] = values
        if len(found) * len(documents) > max_values:
            detail = f"the jobs differ in more than {max_values} values, the limit: compare fewer jobs"
            raise errors.Invalid(detail, pointer="/ids")
    return found


def _differences(
    values: Sequence[Any], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], list[Any]]]:
    if all(value == values[0] for value in values):
        return
    if all(isinstance(value, dict) for value in values):
        for name in dict.fromkeys(name for value in values for name in value):
            yield from _differences([value.get(name) for value in values], (*path, name))
    elif all(isinstance(value, list) for value in values) and any(isinstance(e, dict) for v in values for e in v):
        for index in range(max(map(len, values))):
            inner = [value[index] if index < len(value) else None for value in values]
            yield from _differences(inner, (*path, index))
    else:
        yield path, list(values)
