"""Requests that are rejected whatever their values are: by their sender, form, size, or the state of what they name."""

from backpropd.errors.base import BackpropdError


class Unauthenticated(BackpropdError):
    """The request has no valid API key; the message says why."""

    code = "unauthenticated"


class KeyMistyped(Unauthenticated):
    """The token is not an API key: its format or its checksum is wrong."""

    code = "key_mistyped"


class KeyExpired(Unauthenticated):
    """The API key has expired."""

    code = "key_expired"


class Forbidden(BackpropdError):
    """The client is not allowed to do this."""

    code = "forbidden"


class MissingScope(Forbidden):
    """The API key is valid but lacks the required `scope`."""

    code = "missing_scope"

    def __init__(self, detail: str, *, scope: str) -> None:
        super().__init__(detail)
        self.scope = scope


class Malformed(BackpropdError):
    """The request cannot be parsed."""

    code = "malformed"


class Ambiguous(Malformed):
    """Two servers could read the request differently, so nothing behind it on its connection is read."""


class UnsupportedMediaType(BackpropdError):
    """The route does not accept the body's Content-Type."""

    code = "unsupported_media_type"


class NotAcceptable(BackpropdError):
    """The route has no answer of a type that the request's `Accept` allows."""

    code = "not_acceptable"


class RequestTimeout(BackpropdError):
    """The request's body arrived more slowly than allowed."""

    code = "request_timeout"


class TooLarge(BackpropdError):
    """The request exceeds a size limit."""

    code = "too_large"


class StorageFull(TooLarge):
    """All that the tenant stores has reached its limit."""

    code = "storage_full"


class TableTooLarge(TooLarge):
    """The table exceeds a limit of rows, columns or cells; the message gives the limit and the number."""

    code = "table_too_large"


class NotFound(BackpropdError):
    """The tenant has no resource of this name."""

    code = "not_found"


class Conflict(BackpropdError):
    """The resource's state does not allow this; the message names the state."""

    code = "conflict"
