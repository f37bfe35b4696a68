"""Routes: each declares what it takes and answers, once, for the app and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Flask, Response, request
from pydantic import BaseModel

from service.auth import access_control
from service.auth.principal import caller
from service.http.parsing import json_body, query
from service.schemas import Input
from service.services import services

Answer = (
    dict[str, Any] | Response | tuple[dict[str, Any] | None, int] | tuple[dict[str, Any] | None, int, dict[str, str]]
)
View = Callable[..., Answer]


@dataclass(frozen=True)
class Route:
    """One operation: how to reach it, what it takes, and what it may answer."""

    method: str
    path: str
    view: View
    summary: str
    tag: str
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answers: Mapping[int, type[BaseModel] | str | None]
    problems: tuple[int, ...]
    uploads: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    scope: str = "admin"
    costly: bool = False

    @property
    def endpoint(self) -> str:
        """Its name in Flask."""
        return f"{self.method} {self.path}"


class Routes:
    """A list of routes that a module declares and the app registers."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.routes: list[Route] = []

    def __call__(
        self,
        method: str,
        path: str,
        *,
        answers: Mapping[int, type[BaseModel] | str | None],
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        problems: tuple[int, ...] = (),
        uploads: Mapping[str, Any] | None = None,
        headers: tuple[str, ...] = (),
        scope: str | None = None,
        costly: bool = False,
    ) -> Callable[[View], View]:
        """Declare a view. It gets its path parameters, and `body` and `query` as models where it has them.

        An answer in `answers` is a schema for JSON, a media type for anything else, or None for no content. `scope` is
        what a key must have: `read` to GET and `write` for the rest unless another is given. What is `costly` computes
        for long, and there are places for it.
        """
        needed = scope or ("read" if method == "GET" else "write")

        def declare(view: View) -> View:
            summary = (view.__doc__ or "").strip().split("\n")[0]
            self.routes.append(
                Route(
                    method,
                    path,
                    view,
                    summary,
                    self.tag,
                    body,
                    query,
                    answers,
                    problems,
                    uploads or {},
                    headers,
                    needed,
                    costly,
                )
            )
            return view

        return declare


def register(app: Flask, routes: list[Route]) -> None:
    """Add every route to the app, behind the gate."""
    access_control.register(app, {route.endpoint: route.scope for route in routes})
    for route in routes:
        app.add_url_rule(
            route.path.replace("{", "<").replace("}", ">"),
            endpoint=route.endpoint,
            view_func=_view(route),
            methods=[route.method],
            provide_automatic_options=False,
        )


def _view(route: Route) -> Callable[..., Response]:
    def call(**path: str) -> Response:
        arguments: dict[str, Any] = dict(path)
        asked = query(request, route.query or Input)
        if route.query is not None:
            arguments["query"] = asked
        if route.body is not None and not route.uploads:
            arguments["body"] = json_body(request, route.body, services().settings.max_json_bytes)
        with services().inspections.taken(caller().name) if route.costly else nullcontext():
            return _response(route.view(**arguments))

    return call


def _response(answer: Answer) -> Response:
    if isinstance(answer, Response):
        return answer
    body, status, headers = answer if isinstance(answer, tuple) and len(answer) == 3 else (*_pair(answer), None)
    if body is None:
        response = Response(status=status, headers=headers)
        del response.headers["Content-Type"]  # of nothing
        return response
    return Response(orjson.dumps(body), status, headers, content_type="application/json")


def _pair(answer: Any) -> tuple[Any, int]:
    return answer if isinstance(answer, tuple) else (answer, 200)
