"""A student's numbers in a request, which are named and shaped as in a trace, as arrays."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.nn.layout import Array

Path: TypeAlias = tuple[str | int, ...]

NOT_COMPARED = {"name", "activation", "formulas", "learning_rate"}  # members of a trace that are no answers


class Answer(NamedTuple):
    """A number or nested lists that the student gave: where in the request, and as an array, with NaN for null."""

    pointer: str
    numbers: Array


def read_answers(answers: Mapping[str, Any], shapes: Mapping[Path, tuple[int, ...]]) -> dict[Path, Answer]:
    """The answers by their path in a trace, each of the shape that `shapes` has for it; what is null is left out.

    Raises `errors.Invalid` with the pointers of unknown names and other shapes, and for a request without answers.
    """
    found: dict[Path, Answer] = {}
    problems: list[Problem] = []
    for path, where, value in _flat(answers, problems):
        if len(problems) > errors.MAX_PROBLEMS:
            break
        if path not in shapes:
            problems.append(Problem(pointer(*where), _unknown(path, shapes)))
        elif (wrong := _misshapen(value, shapes[path], where)) is not None:
            problems.append(Problem(pointer(*wrong), _shape_detail(shapes[path])))
        else:
            found[path] = Answer(pointer(*where), np.array(value, np.float64))
    if problems:
        raise errors.Invalid.from_problems(problems)
    if not found:
        raise errors.Invalid("there is no answer to check: send at least one value of the trace", pointer="/answers")
    return found


def _flat(answers: Mapping[str, Any], problems: list[Problem]) -> Iterator[tuple[Path, Path, Any]]:
    """The path of each answer in a trace, its path in the request, and its value."""
    for name, value in _members(answers, ("answers",), problems):
        if name == "layers":
            yield from _of_layers(value, problems)
        elif name in ("update", "updated"):
            for parameter, each in _members(value, ("answers", name), problems):
                yield (name, parameter), ("answers", name, parameter), each
        else:
            yield (name,), ("answers", name), value


def _of_layers(layers: Any, problems: list[Problem]) -> Iterator[tuple[Path, Path, Any]]:
    if not isinstance(layers, list):
        problems.append(Problem("/answers/layers", "send a JSON array here, with an object for each layer"))
        return
    seen: set[int] = set()
    for index, layer in enumerate(layers):
        if len(problems) > errors.MAX_PROBLEMS:
            return
        here, number = ("answers", "layers", index), _number(layer, index)
        if number in seen:
            problems.append(Problem(pointer(*here), f"layers.{number} appears twice: send each layer once"))
            continue
        seen.add(number)
        for name, value in _members(layer, here, problems):
            if name != "gradients":
                yield ("layers", number, name), (*here, name), value
                continue
            for gradient, each in _members(value, (*here, name), problems):
                yield ("layers", number, name, gradient), (*here, name, gradient), each


def _number(layer: Any, index: int) -> int:
    """The number in a layer's name, such as `layers.1`, or without a name its place in the list."""
    name = layer.get("name") if isinstance(layer, dict) else None
    start, _, number = name.partition(".") if isinstance(name, str) else ("", "", "")
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    return int(number) if start == "layers" and is_number else index


def _members(value: Any, where: Path, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """The members of an object that are answers, and not None."""
    if not isinstance(value, dict):
        problems.append(Problem(pointer(*where), "send a JSON object here, as in the trace"))
        return
    yield from ((name, each) for name, each in value.items() if each is not None and name not in NOT_COMPARED)


def _unknown(path: Path, shapes: Mapping[Path, tuple[int, ...]]) -> str:
    name = ".".join(map(str, path))[:100]
    beside = sorted({str(each[len(path) - 1]) for each in shapes if each[: len(path) - 1] == path[:-1]})
    listed = f"here it has: {', '.join(beside[:20])}" if beside else "leave it out"
    return f"the trace of this model has no value {name!r}: {listed}"


def _misshapen(value: Any, shape: tuple[int, ...], where: Path) -> Path | None:
    """The path of the first part of nested lists that does not fit the shape; None if all are lists of numbers."""
    if not shape:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number or value is None else where
    if not isinstance(value, list) or len(value) != shape[0]:
        return where
    inner = (_misshapen(each, shape[1:], (*where, index)) for index, each in enumerate(value))
    return next((wrong for wrong in inner if wrong is not None), None)


def _shape_detail(shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        return f"send a list of {shape[0]} numbers for this value" if shape else "send a number for this value"
    rows, columns = shape
    return f"send a list of {rows} lists (rows of the matrix) of {columns} numbers each for this value"
