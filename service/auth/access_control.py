"""Access control: each request is checked before its view, and rejected if its key lacks the endpoint's scope."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from flask import Flask, g, request
from structlog.contextvars import bind_contextvars
from werkzeug.wrappers import Request

from backpropd import errors
from backpropd.config import is_loopback
from service.auth.authenticator import Authenticator
from service.auth.principal import LOCAL_PRINCIPAL, Principal
from service.limits.admission import STRANGER, TICKET
from service.limits.concurrency_limit import ConcurrencyLimit
from service.limits.rate_limiter import RateLimiter
from service.server.request_body import BODY_RECEIVED

PUBLIC = "public"  # the scope of an endpoint that needs no key
KEY_OPTIONAL = "key_optional"  # of one that answers less without a key


@dataclass(frozen=True)
class AccessControl:
    """Authenticates each request, counts it, checks its scope, and limits the bodies that threads wait for.

    `scopes` are those of the endpoints; an endpoint that has none there is for admins. `pages` are those that a link on
    another site may open.
    """

    mode: str
    authenticator: Authenticator
    rate_limiter: RateLimiter
    bodies: ConcurrencyLimit
    scopes: Mapping[str, str]
    pages: Collection[str] = ()

    def register(self, app: Flask) -> None:
        """Check every request of the app."""
        app.before_request(self._admit)
        app.teardown_request(self._release)

    def _admit(self) -> None:
        scope = self.scopes.get(request.endpoint or "", "admin")
        if self.mode == "local":
            check_origin(request, is_page=request.endpoint in self.pages)
            principal = LOCAL_PRINCIPAL
        elif scope == PUBLIC or (scope == KEY_OPTIONAL and "Authorization" not in request.headers):
            return
        else:
            principal = self._authenticate()
        if ticket := request.environ.get(TICKET):
            ticket.identify(principal.holder)
        g.principal = principal
        bind_contextvars(tenant=principal.tenant, key=principal.name)
        self.rate_limiter.count(principal.name)
        if request.url_rule is not None and scope not in (
            PUBLIC,
            KEY_OPTIONAL,
        ):  # without a rule the answer is 404 or 405
            _check_scope(principal, scope)
        has_body = request.content_length or "Transfer-Encoding" in request.headers
        if has_body and not request.environ.get(BODY_RECEIVED):
            self.bodies.acquire(principal.holder)
            g.body_slot_held = True

    def _release(self, _: BaseException | None) -> None:
        if "body_slot_held" in g:
            self.bodies.release(g.principal.holder)

    def _authenticate(self) -> Principal:
        try:
            return self.authenticator.authenticate(request.headers.get("Authorization"))
        except errors.Unauthenticated:
            if ticket := request.environ.get(TICKET):
                ticket.identify(STRANGER)
            raise


def _check_scope(principal: Principal, scope: str) -> None:
    if not principal.has_scope(scope):
        has = ", ".join(principal.scopes)
        raise errors.MissingScope(
            f"this needs a key with the scope {scope}, and this key has {has}: ask an admin for another key",
            scope=scope,
        )


def check_origin(request: Request, *, is_page: bool = False) -> None:
    """Reject what a browser sends on behalf of other sites. Raises `errors.Forbidden`.

    A foreign page can have its own host name resolve to 127.0.0.1 (then `Host` has that name: DNS rebinding), post
    across origins (then `Origin` has its name), or load an image or a script (then only `Sec-Fetch-Site` tells). A link
    to a page is followed.
    """
    host = request.headers.get("Host", "")
    name = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:\d*)?", host)
    if name is None or not is_loopback(name[1].strip("[]")):
        raise errors.Forbidden(
            f"this service is for this machine only and answers to localhost and 127.0.0.1, not to {host[:100]!r}: to "
            "allow access from other machines, run it with BACKPROPD_MODE=keys"
        )
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
        raise errors.Forbidden(
            f"requests from pages of {origin[:100]!r} are rejected, only this service's own pages may send any: use a "
            "program instead"
        )
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("none", "same-origin") and not (is_page and _is_navigation(request)):
        raise errors.Forbidden(
            "requests from pages of other sites are rejected, except links to pages of this service: use a program"
        )


def _is_navigation(request: Request) -> bool:
    """Whether a browser shows the answer as a page of its own, and not in a frame."""
    mode, place = request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest")
    return (request.method, mode, place) == ("GET", "navigate", "document")
