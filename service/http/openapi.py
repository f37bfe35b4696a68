"""The OpenAPI 3.1 document, made from the declarations of the routes, and the page that shows it."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata, resources
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, send_from_directory
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service.auth.access_control import KEY_OPTIONAL, PUBLIC
from service.http.routing import Route
from service.schemas.problems import ProblemDocument

REF = "#/components/schemas/{model}"
ASSETS = "swagger"
KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "bp_<id>_<secret>",
    "description": "An API key. Each operation names the scope that it needs: write includes read, admin both.",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>backpropd</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs/css/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="docs/js/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script></body></html>
"""
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null})\n'
PAGE_ENDPOINT = "docs.docs"
ENDPOINTS = ("docs.openapi", PAGE_ENDPOINT, "docs.start", "docs.asset")  # public: they hold no data


def document(routes: Sequence[Route], *, keys: bool, path_prefix: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these routes below a prefix, with or without API `keys`."""
    components: dict[str, Any] = {"schemas": _schemas(routes)}
    if keys:
        components["securitySchemes"] = {"key": KEY}
    paths: dict[str, Any] = {}
    for route in routes:
        operation = _operation(route)
        if keys:
            operation["security"] = _security(route)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "backpropd",
            "version": metadata.version("backpropd"),
            "description": "Neural networks trained over HTTP.",
        },
        "servers": [{"url": path_prefix or "/"}],
        "paths": paths,
        "components": components,
    }


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.scope == PUBLIC:
        return []
    return [{}, {"key": []}] if route.scope == KEY_OPTIONAL else [{"key": [route.required_scope]}]


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    requests: set[type[BaseModel]] = {route.body for route in routes if route.body}
    answers: set[type[BaseModel]] = {ProblemDocument}
    answers |= {each for route in routes for each in route.answers.values() if isinstance(each, type)}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in requests]
    models += [(model, "serialization") for model in answers]
    models.sort(key=lambda each: each[0].__name__)
    _, definitions = models_json_schema(models, ref_template=REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.tag}_{route.view.__name__}",
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": {str(status): _answer(route, status) for status in route.answers},
    }
    for status in _problem_statuses(route):
        operation["responses"].setdefault(str(status), _problem())
    if route.query is not None:
        operation["responses"]["414"] = {"description": "The URL is too long, which the HTTP server answers by itself"}
    if route.body is not None:
        schema = {"schema": {"$ref": REF.format(model=route.body.__name__)}}
        operation["requestBody"] = {"required": True, "content": {"application/json": schema, **route.uploads}}
    return operation


def _problem_statuses(route: Route) -> set[int]:
    statuses = {*route.problems, 401, 403, 422, 429, 500, 503}
    if route.body is not None:
        statuses |= {400, 408, 413, 415}
    if route.headers or route.answers.get(200) == "text/event-stream":
        statuses.add(400)
    return {403, 422, 429, 500} if route.scope == PUBLIC else statuses


def _answer(route: Route, status: int) -> dict[str, Any]:
    answer, alternatives = route.answers[status], route.alternatives if status == 200 else {}
    if answer is None:
        return {"description": "Done"}
    if answer == "text/event-stream":
        return {"description": "A stream of events", "content": {answer: {"schema": {"type": "string"}}}}
    if isinstance(answer, str):
        return {"description": "The bytes", "content": {answer: {}, **alternatives}}
    schema = {"schema": {"$ref": REF.format(model=answer.__name__)}}
    description = (answer.__doc__ or answer.__name__).split("\n")[0]
    return {"description": description, "content": {"application/json": schema, **alternatives}}


def _problem() -> dict[str, Any]:
    reference = {"$ref": REF.format(model=ProblemDocument.__name__)}
    return {"description": "A problem (RFC 9457)", "content": {"application/problem+json": {"schema": reference}}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    described = route.query.model_json_schema()
    required = described.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, **_query_value(_without_null(schema))}
        for name, schema in described["properties"].items()
    ]


def _query_value(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a query parameter's value: arrays and objects are JSON in it."""
    if schema.get("type") in ("array", "object"):
        return {"content": {"application/json": {"schema": schema}}}
    return {"schema": schema}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is present or absent, never null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else {key: value for key, value in schema.items() if key != "title"}


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
    return [{"name": name, "in": "header", "required": False, "schema": schema} for name in route.headers]


def register(app: Flask, routes: Sequence[Route], *, keys: bool, path_prefix: str) -> None:
    """Serve the document, the page, and the page's assets, nothing of it from another site."""
    serialized = cache(lambda: orjson.dumps(document(routes, keys=keys, path_prefix=path_prefix)))
    folder = resources.files("flask_openapi3_swagger") / "templates" / ASSETS
    pages = Blueprint("docs", __name__)

    @pages.after_request
    def allow_own_assets(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers.setdefault("Cache-Control", "no-cache")
        return response

    @pages.get("/openapi.json")
    def openapi() -> Response:
        return Response(serialized(), content_type="application/json")

    @pages.get("/docs")
    def docs() -> Response:
        return Response(PAGE, content_type="text/html; charset=utf-8")

    @pages.get("/docs/start.js")
    def start() -> Response:
        return Response(START, content_type="text/javascript; charset=utf-8")

    @pages.get("/docs/<path:name>")
    def asset(name: str) -> Response:
        return send_from_directory(str(folder), name)

    app.register_blueprint(pages)
