"""Errors as problem documents (RFC 9457)."""

from service.schemas.fields import Output


class Mistake(Output):
    pointer: str
    detail: str


class ProblemDocument(Output):
    """RFC 9457, with a stable `code`, and for validation the JSON pointers of what is wrong.

    Below `/v2`, `error` repeats the detail.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Mistake] | None = None
    error: str | None = None
