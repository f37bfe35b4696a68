"""Hooks around every request: its id, its log line, its duration metric, the headers of its answer."""

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from backpropd.store.sql.tenant_rows import ID_PATTERN
from service.http import sending
from service.services import services

log = logging.getLogger("service.requests")

LIVENESS, READINESS = PROBES = ("/healthz", "/readyz")  # asked every few seconds: only their failures are logged
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
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    ids = {name: value for name, value in (request.view_args or {}).items() if ID_PATTERN.fullmatch(str(value))}
    clear_contextvars()
    bind_contextvars(request_id=g.request_id, **ids)


def _finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.began
    method, route = (request.method, request.url_rule.rule) if request.url_rule else ("any", "none")
    services().requests.labels(method, route, response.status_code).observe(seconds)
    if services().settings.log_requests and not (route in PROBES and response.status_code < 400):
        fields = {"method": method, "route": route, "status": response.status_code, "address": request.remote_addr}
        log.info("request", extra={**fields, "milliseconds": round(1000 * seconds, 1)})
    response.headers["X-Request-ID"] = g.request_id
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    sending.finish(response)
    return response
