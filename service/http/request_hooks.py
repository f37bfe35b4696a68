"""What goes around every request: its id, its line in the log, the measure of its time, its answer's headers."""

from __future__ import annotations

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from backpropd.store.sql.tenant_rows import ID_PATTERN
from service.services import services

log = logging.getLogger("service.requests")

A_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "backpropd",  # or the server says which one it is
}


def register(app: Flask) -> None:
    """Have every request of the app go through here, before the gate."""
    app.before_request(_open)
    app.after_request(_close)


def _open() -> None:
    g.began = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if A_REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    ids = {name: value for name, value in (request.view_args or {}).items() if ID_PATTERN.fullmatch(str(value))}
    clear_contextvars()
    bind_contextvars(request_id=g.request_id, **ids)


def _close(response: Response) -> Response:
    seconds = time.perf_counter() - g.began
    method, route = (request.method, request.url_rule.rule) if request.url_rule else ("any", "none")
    here = services()
    here.requests.labels(method, route, response.status_code).observe(seconds)
    if here.settings.log_requests:
        facts = {"method": method, "route": route, "status": response.status_code}
        log.info("request", extra={**facts, "milliseconds": round(1000 * seconds, 1)})
    response.headers["X-Request-ID"] = g.request_id
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
