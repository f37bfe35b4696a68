"""A test client that checks every successful JSON answer against the schema that its route declares."""

import re
from collections.abc import Callable
from typing import Any

import orjson
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from service.app import ROUTES
from service.schemas.jobs import Epoch, Job

BY_ENDPOINT = {route.endpoint: route for route in ROUTES}
EVENTS = {"epoch": Epoch, "status": Job}


class Client(FlaskClient):
    """Fails where an answer lacks a declared field, has one that is not declared, or a value of another type."""

    get: Callable[..., Any]  # Any, so that tests read JSON without checks for None
    post: Callable[..., Any]
    put: Callable[..., Any]
    delete: Callable[..., Any]

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request, and check its answer."""
        response = super().open(*args, **kwargs)
        is_json = response.mimetype == "application/json" and response.request.method != "HEAD"
        if is_json and not response.content_encoding and response.status_code in (200, 201, 202, 503):
            schema = self._declared(response)
            if schema is not None:
                check(schema, response.data)
        if not response.is_streamed or response.content_length is not None:
            response.get_data()
            response.close()  # as the server does when it has sent an answer
        return response

    def _declared(self, response: TestResponse) -> type[BaseModel] | None:
        adapter = self.application.url_map.bind("localhost")
        try:
            endpoint, _ = adapter.match(response.request.path, response.request.method)
        except HTTPException:
            return None
        route = BY_ENDPOINT.get(endpoint)
        schema = route.answers.get(response.status_code) if route else None
        return schema if isinstance(schema, type) else None


def check(schema: type[BaseModel], raw: bytes | str) -> None:
    """Assert that JSON fits the schema and has no other fields."""
    value = schema.model_validate_json(raw, strict=True)
    declared, sent = value.model_dump(mode="json", exclude_unset=True, by_alias=True), orjson.loads(raw)
    assert _fields(declared) == _fields(sent), schema


def check_events(stream: str) -> None:
    """Assert that the data of every event fits its schema."""
    for kind, data in re.findall(r"event: (\w+)\nid: .*\ndata: (.*)\n", stream):
        check(EVENTS[kind], data)


def _fields(value: Any) -> Any:
    """The names of all members, at every depth."""
    if isinstance(value, dict):
        return {name: _fields(each) for name, each in value.items()}
    return [_fields(each) for each in value] if isinstance(value, list) else None
