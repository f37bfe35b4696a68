"""The Idempotency-Key header."""

from __future__ import annotations

import hashlib

from flask import request

from backpropd import errors
from backpropd.store.idempotency import KeyedRequest
from service.services import services

MAX_LENGTH = 255


def idempotency_key() -> str | None:
    """The request's key, if it has one. Raises `errors.Malformed` for one that is empty or too long."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not 0 < len(key) <= MAX_LENGTH or not key.isprintable()):
        raise errors.Malformed(f"an Idempotency-Key has 1 to {MAX_LENGTH} printable characters: a UUID serves well")
    return key


def keyed_request(route: str, key: str | None, content: str) -> KeyedRequest | None:
    """The request as the store knows it, None without a key. Requests with equal `content` are the same request."""
    if key is None:
        return None
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return KeyedRequest(route, key, sha256, services().settings.idempotency_seconds)
