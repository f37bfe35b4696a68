"""The handover of costly requests: a view leaves them to the costly process before it has read or changed anything."""

from flask import request

from service.costly.processes import CostlyProcess
from service.services import services

SHORT_BYTES = 32 * 1024  # of a body that is no reason to hand a request over


class HandOver(Exception):
    """This request is for the costly process, with at most `limit` bytes of its body and one more."""

    def __init__(self, costly: CostlyProcess, limit: int) -> None:
        super().__init__()
        self.costly, self.limit = costly, limit


def hand_over(limit: int = 0) -> None:
    """Raise `HandOver` in the front; nothing happens in the costly process, or where there is none.

    `limit` is that of the body in bytes.
    """
    costly = services().costly
    if costly is not None and costly.is_running:
        raise HandOver(costly, limit)


def has_short_body() -> bool:
    """Whether the request has a short body, or none."""
    length = request.content_length
    return "Transfer-Encoding" not in request.headers if length is None else length <= SHORT_BYTES
