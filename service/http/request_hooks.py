"""Hooks around every request: its id, its log line, its duration metric, the headers of its answer."""

import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException

from backpropd import errors, tracing
from backpropd.store.sql.tenant_rows import ID_PATTERN
from service.http import sending
from service.http.errors import PROBLEM, document, headers_of, repeat_detail, status_of
from service.server.environ import BEGAN
from service.services import Services, services

log = logging.getLogger("service.requests")

V2 = "/v2"  # the Open Inference Protocol, whose clients read errors from the member `error`
LIVENESS, READINESS = ("/healthz", f"{V2}/health/live"), ("/readyz", f"{V2}/health/ready")
PROBES = (*LIVENESS, *READINESS)  # asked every few seconds: only their failures are logged
NO_ENDPOINT = ("any", "none")  # the method and the route where no route fits
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "backpropd",  # otherwise the server names its software
}


def register(app: Flask) -> None:
    """Add the hooks to the app; they must come before access control."""
    app.before_request(begin)
    app.after_request(_finish)


def begin() -> None:
    """Give the request its id, in the log lines, too."""
    sending.begin()
    g.began = time.perf_counter()
    g.span = tracing.start("request", request.headers.get("traceparent"))
    g.request_id = _id_of(request.headers.get("X-Request-ID", ""))
    ids = {name: value for name, value in (request.view_args or {}).items() if ID_PATTERN.fullmatch(str(value))}
    clear_contextvars()
    bind_contextvars(request_id=g.request_id, **ids)


class Rejection(NamedTuple):
    """The whole answer to a request that the app never sees."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def rejection(app: Flask, error: errors.BackpropdError, environ: Mapping[str, Any]) -> Rejection:
    """The answer to a request that got no thread. There may be hundreds at once: objects of Flask would cost more."""
    clear_contextvars()
    request_id = _id_of(environ.get("HTTP_X_REQUEST_ID", ""))
    bind_contextvars(request_id=request_id)
    status, path = status_of(error), environ["PATH_INFO"]
    found = document(status, error.code, error.detail, error.problems)
    body = orjson.dumps({**found, "error": found["detail"]} if _is_v2(path) else found)
    seconds = time.perf_counter() - environ[BEGAN]
    facts = _Facts(*_endpoint(app, environ), path, environ["REMOTE_ADDR"], request_id, seconds)
    _record(app.extensions["backpropd"], facts, status)
    own = {"Content-Type": PROBLEM, "Content-Length": str(len(body)), "X-Request-ID": request_id}
    return Rejection(status, {**HEADERS, **own, **headers_of(error)}, body)


def _endpoint(app: Flask, environ: Mapping[str, Any]) -> tuple[str, str]:
    """The method and the route of a request that the app has not seen."""
    method = environ["REQUEST_METHOD"].upper()
    try:
        rule, _ = app.url_map.bind("").match(environ["PATH_INFO"], method, return_rule=True)
    except (HTTPException, RoutingException):
        return NO_ENDPOINT
    return method, rule.rule


class _Facts(NamedTuple):
    """What a request's log line, its metric and its answer show of it."""

    method: str
    route: str
    path: str
    address: str | None
    request_id: str
    seconds: float


def _id_of(given: str) -> str:
    return given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _finish(response: Response) -> Response:
    method, route = (request.method, request.url_rule.rule) if request.url_rule else NO_ENDPOINT
    seconds = time.perf_counter() - g.began
    about = {"http.request.method": method, "http.route": route, "backpropd.request_id": g.request_id}
    tracing.end(g.span, f"{method} {route}", {**about, "http.response.status_code": response.status_code})
    _complete(response, services(), _Facts(method, route, request.path, request.remote_addr, g.request_id, seconds))
    sending.finish(response)
    return response


def _complete(response: Response, services: Services, facts: _Facts) -> None:
    """Count and log a request, and add the headers that all answers have."""
    _record(services, facts, response.status_code)
    if _is_v2(facts.path):
        repeat_detail(response)
    response.headers["X-Request-ID"] = facts.request_id
    if (location := response.headers.get("Location", "")).startswith("/"):
        response.headers["Location"] = services.settings.path_prefix + location
    given = {name.lower() for name, _ in response.headers}
    response.headers.extend({name: value for name, value in HEADERS.items() if name.lower() not in given})


def _record(services: Services, facts: _Facts, status: int) -> None:
    """Count and log a request."""
    method, route = facts.method, facts.route
    services.requests.labels(method, route, status).observe(facts.seconds)
    if services.settings.log_requests and not (route in PROBES and status < 400):
        fields = {"method": method, "route": route, "status": status, "address": facts.address}
        log.info("request", extra={**fields, "milliseconds": round(1000 * facts.seconds, 1)})


def _is_v2(path: str) -> bool:
    return f"{path}/".startswith(f"{V2}/")
