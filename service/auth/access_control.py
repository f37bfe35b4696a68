"""The gate: every request passes it before anything else, and nobody comes in unless it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Flask, g, request
from structlog.contextvars import bind_contextvars
from werkzeug.wrappers import Request

from backpropd import errors
from backpropd.config import is_loopback
from service.auth.principal import LOCAL_PRINCIPAL
from service.http.body import BODY_IS_HERE
from service.services import services

# What is open to everybody: that the process lives, and how to ask it. All else needs a key, and so will what is new.
OPEN = frozenset({"/healthz", "/openapi.json", "/docs", "/docs/start.js", "/docs/<path:name>"})


def register(app: Flask, scopes: Mapping[str, str]) -> None:
    """Have every request of the app stopped here; `scopes` are those that the endpoints take."""

    def enter() -> None:
        here = services()
        if here.settings.mode == "local":
            refuse_other_pages(request)
            g.caller = LOCAL_PRINCIPAL
        elif request.url_rule is None or request.url_rule.rule not in OPEN:
            g.caller = here.authenticator.caller(request.headers.get("Authorization"))
        else:
            return
        bind_contextvars(tenant=g.caller.tenant)
        here.rate_limiter.count(g.caller.name)
        if request.url_rule is not None:  # else the answer is 404 or 405
            _refuse_without(scopes.get(request.endpoint or "", "admin"))
        has_body = request.content_length or "Transfer-Encoding" in request.headers
        if has_body and not request.environ.get(BODY_IS_HERE):
            here.bodies.take(g.caller.name)  # its thread may have to wait for the body, for as long as it likes
            g.waits_for_body = True

    def leave(_: BaseException | None) -> None:
        if "waits_for_body" in g:
            services().bodies.give_back(g.caller.name)

    app.before_request(enter)
    app.teardown_request(leave)


def _refuse_without(scope: str) -> None:
    if not g.caller.may(scope):
        has = ", ".join(g.caller.scopes)
        raise errors.MissingScope(
            f"this takes a key with the scope {scope}, and this one has {has}: ask an admin for another key",
            scope=scope,
        )


def refuse_other_pages(request: Request) -> None:
    """Keep out what a browser sends for pages that are not ours. Raises `errors.Forbidden`.

    A page elsewhere can have its own name mean 127.0.0.1 (then `Host` has that name), or post here as it is (then
    `Origin` has its name).
    """
    host = request.headers.get("Host", "")
    name = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:\d*)?", host)
    if name is None or not is_loopback(name[1].strip("[]")):
        raise errors.Forbidden(
            f"this service is for this machine alone and answers to localhost and 127.0.0.1, not to {host[:100]!r}: to "
            "let others in, run it with BACKPROPD_MODE=keys"
        )
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
        raise errors.Forbidden(
            f"a page of {origin[:100]!r} asks, and none but this service's own may: call it from a program"
        )
