"""Errors at the edge: the only place that knows HTTP statuses. Every error is a problem document (RFC 9457)."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from backpropd import errors
from backpropd.errors import Problem

log = logging.getLogger(__name__)

STATUSES: dict[type[errors.BackpropdError], HTTPStatus] = {
    errors.Malformed: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.RequestTimeout: HTTPStatus.REQUEST_TIMEOUT,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# What Flask and Werkzeug raise by themselves, in our words.
DETAILS = {
    404: "there is nothing at this path: GET /docs lists what there is",
    405: "this path does not take this method: the Allow header lists those it takes",
    413: "the request is larger than the service takes",
}


def status_of(error: errors.BackpropdError) -> HTTPStatus:
    """The HTTP status of an error: that of its nearest ancestor in the table."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(
    status: int,
    code: str,
    detail: str,
    problems: Iterable[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document as an answer."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if listed := [{"pointer": each.pointer, "detail": each.detail} for each in problems]:
        body["errors"] = listed
    return Response(orjson.dumps(body), status, headers, content_type="application/problem+json")


def register(app: Flask) -> None:
    """Answer every exception with a problem document."""
    app.register_error_handler(errors.BackpropdError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OSError, _system)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: errors.BackpropdError) -> Response:
    return problem(status_of(error), error.code, error.detail, error.problems, _headers(error))


def _headers(error: errors.BackpropdError) -> dict[str, str]:
    """When to come again, or with which key (RFC 6750), or on another connection (RFC 9110, 15.5.9)."""
    if isinstance(error, errors.RequestTimeout):
        return {"Connection": "close"}  # what is left of the body would be taken for the next request
    if isinstance(error, errors.RetryLater):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.MissingScope):
        return {"WWW-Authenticate": f'Bearer realm="backpropd", error="insufficient_scope", scope="{error.scope}"'}
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="backpropd"'}
    return {}


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:  # a redirect is no error
        return Response(status=status, headers=dict(error.get_headers()))
    code = HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return problem(status, code, DETAILS.get(status, error.description or code), headers=kept)


def _system(error: OSError) -> Response:
    """What the system refuses: a full disk is mended by somebody else, and the request may come again."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _ours(errors.Unavailable("the service's disk is full: try again later", retry_after=60))
    return _unforeseen(error)


def _unforeseen(error: Exception) -> Response:
    log.exception("an error that nobody foresaw", exc_info=error)
    return problem(500, "internal_error", "the service met an error of its own; its log has the details")
