"""Losses, optimizers, schedules and initializers as JSON: `{"name": …, parameters}`, or the bare name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def from_named(classes: Mapping[str, type[Any]], data: str | Mapping[str, Any]) -> Any:
    """The algorithm of that name with the parameters given; a bare name has every default."""
    parameters = {"name": data} if isinstance(data, str) else dict(data)
    return classes[parameters.pop("name")](**parameters)


def to_named(algorithm: Any) -> dict[str, Any]:
    """Its name with all its parameters."""
    return {"name": algorithm.name, **vars(algorithm)}


def to_shortest(named: dict[str, Any]) -> str | dict[str, Any]:
    """The bare name for an algorithm without parameters."""
    return named if len(named) > 1 else str(named["name"])
