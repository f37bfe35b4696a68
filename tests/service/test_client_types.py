"""The client's types have the fields that the service declares: the client may import neither service nor store."""

import types
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from backpropd.client import types as client
from service.schemas import datasets, inspection, jobs, models

SCHEMAS = {**vars(datasets), **vars(inspection), **vars(jobs), **vars(models)}
TYPES = [each for each in vars(client).values() if isinstance(each, type) and hasattr(each, "__required_keys__")]


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
