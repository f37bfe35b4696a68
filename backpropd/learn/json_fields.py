"""Dataclasses to and from JSON, field by field; an algorithm of `nn` is `{"name": …, parameters}`, or its bare name."""

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T", bound="JsonFields")


def algorithm(classes: Mapping[str, type[Any]]) -> dict[str, Any]:
    """The metadata of a dataclass field that holds one of these algorithms."""
    return {"parse": partial(from_named, classes)}


class JsonFields:
    """A dataclass whose fields are those of its JSON. A field that older rows lack has a default.

    `parse` in the metadata of a field converts its JSON value; None and "auto" then stand for the field's default.
    """

    @classmethod
    def from_json(cls: type[T], data: Mapping[str, Any]) -> T:
        """From JSON; unknown names are ignored."""
        values = {}
        for each in fields(cls):  # type: ignore[arg-type]  # subclasses are dataclasses
            parse = each.metadata.get("parse")
            if each.name in data and not (parse and data[each.name] in (None, "auto")):
                values[each.name] = parse(data[each.name]) if parse else data[each.name]
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Every field, as JSON."""
        return {each.name: _to_json(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]  # as above


def _to_json(value: Any) -> Any:
    if isinstance(value, JsonFields):
        return value.to_json()
    if isinstance(value, list):
        return [_to_json(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return to_named(value) if hasattr(value, "name") else asdict(value)
    return value


def from_named(classes: Mapping[str, type[Any]], data: str | Mapping[str, Any]) -> Any:
    """The algorithm of that name with the parameters given; a bare name has every default."""
    parameters = {"name": data} if isinstance(data, str) else dict(data)
    return classes[parameters.pop("name")](**parameters)


def to_named(algorithm: Any) -> dict[str, Any]:
    """Its name with all its parameters."""
    return {"name": algorithm.name, **asdict(algorithm)}


def to_shortest(named: dict[str, Any]) -> str | dict[str, Any]:
    """The name alone if there are no parameters, otherwise the object as it is."""
    return named if len(named) > 1 else str(named["name"])
