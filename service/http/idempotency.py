"""The Idempotency-Key header."""

from __future__ import annotations

from flask import Request

from backpropd import errors

LONGEST = 255


def key_of(request: Request) -> str | None:
    """The request's key, if it has one. Raises `errors.Malformed` for one that is empty or too long."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not 0 < len(key) <= LONGEST or not key.isprintable()):
        raise errors.Malformed(f"an Idempotency-Key has 1 to {LONGEST} printable characters: a UUID serves well")
    return key
