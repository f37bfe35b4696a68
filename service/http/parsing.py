"""From JSON bodies and query strings to pydantic models, with a JSON pointer for each mistake."""

from io import BytesIO
from typing import IO, Any, TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from backpropd import errors
from backpropd.errors import Problem, pointer
from service.http.handover import SHORT_BYTES, hand_over, has_short_body
from service.http.sending import hold_memory
from service.http.strict_json import MAX_VALUES, read_json
from service.limits.memory_limit import json_cost

Schema = TypeVar("Schema", bound=BaseModel)

MAX_ERRORS = 200  # of pydantic that are looked at: the branches of a union have each their own
DETAILS = {  # instead of pydantic's messages
    "missing": "this field is required",
    "extra_forbidden": "there is no such field: remove it",
    "model_type": "send a JSON object here",
    "model_attributes_type": "send a JSON object here",
    "timezone_aware": "add the time zone, such as 2030-01-01T00:00:00Z",
    "datetime_type": "send a time with its zone, such as 2030-01-01T00:00:00Z",
    "dict_type": "send a JSON object here",
    "list_type": "send a JSON array here",
    "union_tag_not_found": "a name is required here",
    "string_pattern_mismatch": "it has characters that are not allowed here",
}


def json_body(request: Request, schema: type[Schema], limit: int, max_values: int) -> Schema:
    """The request's JSON body, of at most `limit` bytes and `max_values` values, as a `schema`.

    Raises `errors.UnsupportedMediaType`, `errors.TooLarge`, `errors.Malformed`, or `errors.Invalid` with pointers.
    """
    if request.mimetype != "application/json":
        raise errors.UnsupportedMediaType("send JSON here, with Content-Type: application/json")
    return validate(schema, read_json_body(request, limit, max_values))


def check_encoding(request: Request, *known: str) -> None:
    """Raise `errors.UnsupportedMediaType` for a body in a Content-Encoding that is not known here."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", *known):
        allowed = f"one of {', '.join(known)}, or no Content-Encoding" if known else "no Content-Encoding"
        raise errors.UnsupportedMediaType(f"the Content-Encoding {encoding[:100]!r} is not supported: send {allowed}")


def read_json_body(request: Request, limit: int, max_values: int = MAX_VALUES) -> Any:
    """The value of the request's JSON body. Raises `errors.TooLarge`, `errors.Malformed`, `errors.Invalid`."""
    return read_json(read_body(request, limit), max_values)


def read_body(request: Request, limit: int, *encodings: str) -> bytes:
    """The whole body, perhaps in one of these encodings; a long one reserves memory.

    Raises `errors.TooLarge` if it is longer than `limit` bytes, `errors.UnsupportedMediaType` for other encodings.
    """
    check_encoding(request, *encodings)
    if (request.content_length or 0) > limit:
        raise errors.TooLarge(f"the body has {request.content_length} bytes, and the limit is {limit}")
    stream = body_stream(request, limit)
    raw = stream.read(min(SHORT_BYTES, limit + 1))
    if len(raw) == SHORT_BYTES:
        hold_memory(json_cost(request.content_length or limit))
        raw += stream.read(limit + 1 - len(raw))
    if len(raw) > limit:
        raise errors.TooLarge(f"the body is longer than {limit} bytes, the limit")
    return raw


def body_stream(request: Request, limit: int) -> IO[bytes]:
    """The body; a request is handed over if its body, of at most `limit` bytes, is not short."""
    if has_short_body():
        return BytesIO(request.get_data())  # it stays there for a later handover
    hand_over(limit)
    return request.stream


def query(request: Request, schema: type[Schema]) -> Schema:
    """The query string as a `schema`; a parameter may come once. Raises `errors.Invalid`."""
    values = request.args.to_dict(flat=False)
    repeated = [name for name, given in values.items() if len(given) > 1]
    if repeated:
        raise errors.Invalid.from_problems(Problem(pointer(name), "send this parameter once") for name in repeated)
    return validate(schema, {name: given[0] for name, given in values.items()}, strict=False)


def validate(schema: type[Schema], value: Any, *, strict: bool = True) -> Schema:
    """`value` as a `schema`. Raises `errors.Invalid`, which lists the first mistakes of each part."""
    try:
        return schema.model_validate(value, strict=strict)
    except ValidationError as error:
        raise errors.Invalid.from_problems(_problems(error, value)) from error


def _problems(error: ValidationError, value: Any) -> list[Problem]:
    found: dict[str, list[str]] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]:
        detail = DETAILS.get(each["type"], each["msg"].removeprefix("Value error, "))
        details = found.setdefault(_pointer(each["loc"], each["type"], value), [])
        if detail not in details:
            details.append(detail)
    deeper = {where for each in found for where in found if each.startswith(f"{where}/")}  # the other forms of a union
    return [Problem(where, ", or: ".join(details)) for where, details in found.items() if where not in deeper]


def _pointer(location: tuple[int | str, ...], kind: str, value: Any) -> str:
    """Pydantic's location without the names of union branches, which are not in the request."""
    path: list[int | str] = []
    for step in location:
        if _has(value, step):
            value = value[step]
        elif not (kind in ("missing", "union_tag_not_found") and step == location[-1] and isinstance(value, dict)):
            continue
        path.append(step)
    return pointer(*path)


def _has(value: Any, step: int | str) -> bool:
    """Whether a JSON object or array has this member or index."""
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value
