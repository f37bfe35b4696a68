"""Requests in: JSON and query strings to pydantic models, and what is wrong with them by JSON pointer."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from backpropd import errors
from backpropd.errors import Problem, pointer
from service.http.strict_json import read_json

Schema = TypeVar("Schema", bound=BaseModel)

MENDED = {
    "missing": "this field is required",
    "extra_forbidden": "there is no such field: remove it",
    "model_type": "send a JSON object here",
    "dict_type": "send a JSON object here",
    "list_type": "send a JSON array here",
    "union_tag_not_found": "a name is required here, to say which one is meant",
    "string_pattern_mismatch": "there are characters in it that cannot be taken here",
}


def json_body(request: Request, schema: type[Schema], limit: int) -> Schema:
    """The request's JSON body as a `schema`.

    Raises `errors.UnsupportedMediaType`, `errors.TooLarge`, `errors.Malformed`, or `errors.Invalid` with pointers.
    """
    if request.mimetype != "application/json":
        raise errors.UnsupportedMediaType("send JSON here, with Content-Type: application/json")
    raw = read_all(request, limit)
    return checked(schema, read_json(raw))


def read_all(request: Request, limit: int) -> bytes:
    """The whole body, if it is no longer than `limit` bytes. Raises `errors.TooLarge`."""
    if (request.content_length or 0) > limit:
        raise errors.TooLarge(f"the body has {request.content_length} bytes, and {limit} is the most taken here")
    raw = request.stream.read(limit + 1)
    if len(raw) > limit:
        raise errors.TooLarge(f"the body is longer than {limit} bytes, the most taken here")
    return raw


def query(request: Request, schema: type[Schema]) -> Schema:
    """The query string as a `schema`; a parameter may come once. Raises `errors.Invalid`."""
    values = request.args.to_dict(flat=False)
    twice = [Problem(f"/{name}", "give this parameter once") for name, given in values.items() if len(given) > 1]
    if twice:
        raise errors.Invalid("a query parameter came more than once", problems=twice)
    return checked(schema, {name: given[0] for name, given in values.items()}, strict=False)


def checked(schema: type[Schema], value: Any, *, strict: bool = True) -> Schema:
    """`value` as a `schema`. Raises `errors.Invalid`, which names every place that is wrong."""
    try:
        return schema.model_validate(value, strict=strict)
    except ValidationError as error:
        raise errors.Invalid.from_problems(_problems(error, value)) from error


def _problems(error: ValidationError, value: Any) -> list[Problem]:
    found: dict[str, list[str]] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        detail = MENDED.get(each["type"], each["msg"].removeprefix("Value error, "))
        details = found.setdefault(_pointer(each["loc"], each["type"], value), [])
        if detail not in details:
            details.append(detail)
    return [Problem(where, ", or: ".join(details)) for where, details in found.items()]


def _pointer(location: tuple[int | str, ...], kind: str, value: Any) -> str:
    """Pydantic's location without the names of union branches, which are nowhere in the request."""
    path: list[int | str] = []
    for step in location:
        if _holds(value, step):
            value = value[step]
        elif not (kind in ("missing", "union_tag_not_found") and step == location[-1] and isinstance(value, dict)):
            continue
        path.append(step)
    return pointer(*path)


def _holds(value: Any, step: int | str) -> bool:
    """Whether a JSON object or array has something at this step."""
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value
