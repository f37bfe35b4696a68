"""The client's types have the fields that the service declares: the client may import neither service nor store."""

import pkgutil
import types
from importlib import import_module
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from backpropd import client
from service import schemas
from service.schemas.fields import Output


def classes(package: types.ModuleType) -> list[type[Any]]:
    """The classes that the modules of a package define."""
    names = [each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    found = [(name, each) for name in names for each in vars(import_module(name)).values() if isinstance(each, type)]
    return [each for name, each in found if each.__module__ == name]


SCHEMAS = {each.__name__: each for each in classes(schemas) if issubclass(each, Output)}
TYPES = [each for each in classes(client) if hasattr(each, "__required_keys__")]


def is_optional(hint: Any) -> bool:
    """Whether the value may be null."""
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


@pytest.mark.parametrize("client_type", TYPES, ids=lambda each: each.__name__)
def test_a_type_of_the_client_has_the_fields_of_its_schema(client_type: Any) -> None:
    schema = SCHEMAS[client_type.__name__]
    hints, declared = get_type_hints(client_type), get_type_hints(schema)
    assert set(hints) == set(schema.model_fields)
    for name in hints:
        assert is_optional(hints[name]) == is_optional(declared[name]), name
