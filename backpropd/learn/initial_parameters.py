"""Parameters that a request gives by name, for training to start from: their check, and how they replace drawn ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.learn.network_kinds.base import TrainableNetwork
from backpropd.nn.layout import Array

MAX_NUMBERS = 10_000  # of all initial parameters together


def check(network: TrainableNetwork, given: Mapping[str, Any] | None) -> None:
    """Raise `errors.Invalid` with a pointer for every name, shape and number that does not fit the network.

    The network has as many inputs as its columns become at most, as `encoded_features` of the cost shows.
    """
    if problems := list(_problems(network, given or {})):
        raise errors.Invalid.from_problems(problems)


def start_from(network: TrainableNetwork, theta: Array, given: Mapping[str, Any] | None) -> None:
    """Replace the parameters that are given in theta (size,); the others stay as they were drawn.

    Raises `errors.Invalid` where the training rows have fewer inputs than the table: a category, or a missing value,
    that occurs in none of them.
    """
    check(network, given)
    views = network.layout.views(theta)
    for name, values in (given or {}).items():
        views[name][:] = values


def _problems(network: TrainableNetwork, given: Mapping[str, Any]) -> Iterator[Problem]:
    shapes, largest = network.layout.shapes, np.finfo(network.dtype).max
    for name, values in given.items():
        where = pointer("network", "initial_parameters", name)
        if name not in shapes:
            yield Problem(where, f"this network has no {name!r}; its parameters are {', '.join(shapes)}")
        elif why := network.fixed.get(name):
            yield Problem(where, f"{why}: leave it out")
        elif (found := _shape(values)) != shapes[name]:
            detail = f"the request gives {_described(found)}, and {name} has {_described(shapes[name])}"
            yield Problem(where, detail)
        elif not np.abs(np.array(values, np.float64)).max(initial=0.0) <= largest:
            yield Problem(where, f"a number is beyond the range of {network.dtype}: use smaller ones, or float64")
        elif name.endswith("running_variance") and np.min(values) < 0:
            yield Problem(where, "a variance is not negative")


def _shape(values: Any) -> tuple[int, ...] | None:
    """The shape of a list of numbers, or of lists of equal length; None of anything else."""
    if not any(isinstance(each, list) for each in values):
        return (len(values),)
    lengths = {len(each) if isinstance(each, list) else -1 for each in values}
    return (len(values), *lengths) if len(lengths) == 1 else None


def _described(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "rows of different lengths"
    return f"a list of {shape[0]} numbers" if len(shape) == 1 else f"{shape[0]} rows of {shape[1]} numbers"
