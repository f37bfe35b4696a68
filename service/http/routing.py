"""Routes: each declares its request and its answers once, for Flask and for the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec

import orjson
from flask import Flask, Response, request
from pydantic import BaseModel
from werkzeug.routing import Map, UnicodeConverter

from service.http import front
from service.http.existence import check_exists
from service.http.handover import HandOver, hand_over
from service.http.parsing import json_body, query
from service.http.sending import hold_inspection
from service.http.strict_json import FEW_VALUES
from service.schemas.fields import Input
from service.services import services

Answer = (
    dict[str, Any] | Response | tuple[dict[str, Any] | None, int] | tuple[dict[str, Any] | None, int, dict[str, str]]
)
View = Callable[..., Answer]
Declaration = ParamSpec("Declaration")


@dataclass(frozen=True)
class Route:
    """One operation.

    `view` gets the path parameters, and `body` and `query` as models where they are declared. An answer in `answers` is
    a schema for JSON, a media type for anything else, or None for no content; `alternatives` are the other media types
    of a 200 answer, `uploads` those of a body that the view reads itself, each with its media type object (OpenAPI).
    `scope` is what a key needs, and if it is empty `read` to GET and `write` for the rest. `costly` routes
    take long to compute; each takes a slot of the inspections until its answer was sent. A JSON body has about
    `max_values` values at most.
    """

    view: View
    tag: str
    method: str
    path: str
    answers: Mapping[int, type[BaseModel] | str | None]
    alternatives: Mapping[str, Any] = field(default_factory=dict)
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    uploads: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    scope: str = ""
    costly: bool = False
    max_values: int = FEW_VALUES

    @property
    def endpoint(self) -> str:
        """The endpoint's name in Flask."""
        return f"{self.method} {self.path}"

    @property
    def required_scope(self) -> str:
        """The scope that a key needs."""
        return self.scope or ("read" if self.method == "GET" else "write")

    @property
    def summary(self) -> str:
        """The first line of the view's docstring."""
        return (self.view.__doc__ or "").strip().split("\n")[0]


def _decorator(
    route: Callable[Concatenate[View, str, Declaration], Route],
) -> Callable[Concatenate[Routes, Declaration], Callable[[View], View]]:
    """A method with the parameters of `Route`, without `view` and `tag`, that makes a decorator of views."""

    def declare(self: Routes, /, *args: Declaration.args, **kwargs: Declaration.kwargs) -> Callable[[View], View]:
        def add(view: View) -> View:
            self.routes.append(route(view, self.tag, *args, **kwargs))
            return view

        return add

    return declare


class Routes:
    """The routes of a module: call it with a `Route`'s parameters to decorate a view."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.routes: list[Route] = []

    __call__ = _decorator(Route)


def register(app: Flask, routes: list[Route]) -> None:
    """Add every route to the app."""
    app.url_map.converters["default"] = _segment_converter([route.path for route in routes])
    for route in routes:
        app.add_url_rule(
            route.path.replace("{", "<").replace("}", ">"),
            endpoint=route.endpoint,
            view_func=_view(route),
            methods=[route.method],
            provide_automatic_options=False,
        )


def _segment_converter(paths: Sequence[str]) -> type[UnicodeConverter]:
    """The converter of parameters: a segment that is no word which another route has in the place of a parameter."""
    before = [path[: found.start()] for path in paths for found in re.finditer(r"{", path)]
    following = {path.removeprefix(start).split("/")[0] for start in before for path in paths if path.startswith(start)}
    words = "|".join(sorted(word for word in following if word and "{" not in word))

    class Segment(UnicodeConverter):
        def __init__(self, map: Map) -> None:
            super().__init__(map)
            self.regex = rf"(?!(?:{words})\Z)[^/]+" if words else r"[^/]+"

    return Segment


def _view(route: Route) -> Callable[..., Response]:
    def call(**path: str) -> Response:
        try:
            return answer(path)
        except HandOver as handed:
            return front.pass_on(handed.costly, handed.limit)

    def answer(path: dict[str, str]) -> Response:
        arguments: dict[str, Any] = dict(path)
        parameters = query(request, route.query or Input)
        if route.query is not None:
            arguments["query"] = parameters
        if route.body is not None and not route.uploads:
            check_exists(path)
            if route.costly:
                hand_over(services().settings.max_json_bytes)
            arguments["body"] = json_body(request, route.body, services().settings.max_json_bytes, route.max_values)
        if route.costly:
            hold_inspection()
        return _response(route.view(**arguments))

    return call


def _response(answer: Answer) -> Response:
    if isinstance(answer, Response):
        return answer
    body, status, headers = (*answer, None, None)[:3] if isinstance(answer, tuple) else (answer, 200, None)
    if body is None:
        response = Response(status=status, headers=headers)
        del response.headers["Content-Type"]  # there is no content
        return response
    return Response(orjson.dumps(body), status, headers, content_type="application/json")
