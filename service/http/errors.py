"""The HTTP status of each error, and its problem document (RFC 9457). No other module knows statuses of errors."""

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

PROBLEM = "application/problem+json"
MAX_DETAIL = 64 * 1024  # characters: room for the names of a thousand missing columns
MAX_MISTAKE = 2000  # characters of each pointer and each detail in the list of mistakes

STATUSES: dict[type[errors.BackpropdError], HTTPStatus] = {
    errors.Malformed: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.RequestTimeout: HTTPStatus.REQUEST_TIMEOUT,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# Errors that Flask and Werkzeug raise.
DETAILS = {
    404: "there is nothing at this path: GET /docs lists the paths",
    405: "this path does not allow this method: the Allow header lists those it allows",
    413: "the request is larger than the service allows",
}


def status_of(error: errors.BackpropdError) -> HTTPStatus:
    """The HTTP status of an error: that of its nearest ancestor in the table."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(
    status: int, code: str, detail: str, problems: Iterable[Problem] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """An answer with a problem document."""
    body = orjson.dumps(document(status, code, detail, problems))
    return Response(body, status, headers, content_type=PROBLEM)


def document(status: int, code: str, detail: str, problems: Iterable[Problem] = ()) -> dict[str, Any]:
    """A problem document."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _cut(detail, MAX_DETAIL),
        "code": code,
    }
    if mistakes := [
        {"pointer": _cut(each.pointer, MAX_MISTAKE), "detail": _cut(each.detail, MAX_MISTAKE)} for each in problems
    ]:
        body["errors"] = mistakes
    return body


def repeat_detail(response: Response) -> None:
    """Give a problem document the member `error`, from which clients of the Open Inference Protocol read it."""
    if response.mimetype == PROBLEM:
        body = orjson.loads(response.get_data())
        response.set_data(orjson.dumps({**body, "error": body["detail"]}))


def _cut(text: str, most: int) -> str:
    """At most this many characters: names in a request may be as long as its body."""
    return text if len(text) <= most else text[: most - 1] + "…"


def register(app: Flask) -> None:
    """Answer every exception with a problem document."""
    app.register_error_handler(errors.BackpropdError, answer_to)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(OSError, _os_error)
    app.register_error_handler(Exception, _unexpected)


def answer_to(error: errors.BackpropdError) -> Response:
    """The problem document of an error."""
    return problem(status_of(error), error.code, error.detail, error.problems, headers_of(error))


def headers_of(error: errors.BackpropdError) -> dict[str, str]:
    """When to retry, which scope is missing (RFC 6750), or that the connection ends (RFC 9110, 15.5.9)."""
    if isinstance(error, errors.RequestTimeout | errors.Ambiguous):
        return {"Connection": "close"}  # what follows could be read as the next request
    if isinstance(error, errors.RetryLater):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.MissingScope):
        return {"WWW-Authenticate": f'Bearer realm="backpropd", error="insufficient_scope", scope="{error.scope}"'}
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="backpropd"'}
    return {}


def _http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:  # a redirect
        return Response(status=status, headers=dict(error.get_headers()))
    code = HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return problem(status, code, DETAILS.get(status, error.description or code), headers=headers)


def _os_error(error: OSError) -> Response:
    """A full disk is temporary: the client may send the request again."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return answer_to(errors.DiskFull("the service's disk is full: try again later", retry_after=60))
    return _unexpected(error)


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected error", exc_info=error)
    return problem(500, "internal_error", "an internal error occurred; the service's log has the details")
