"""The Idempotency-Key header: the same key and request get what the first one made."""

import hashlib

from flask import request

from backpropd import errors
from backpropd.store.idempotency import KeyedRequest
from service.services import services

MAX_LENGTH = 255
PRINTABLE_ASCII = set(map(chr, range(0x20, 0x7F)))


def idempotency_key() -> str | None:
    """This request's key, if it has one. Raises `errors.Malformed` for one that is empty or too long."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not 0 < len(key) <= MAX_LENGTH or not set(key) <= PRINTABLE_ASCII):
        raise errors.Malformed(f"an Idempotency-Key has 1 to {MAX_LENGTH} printable ASCII characters, such as a UUID")
    return key


def keyed_request(key: str | None, content: str) -> KeyedRequest | None:
    """This request as the store knows it, None without a key. Requests with equal `content` are the same request."""
    if key is None:
        return None
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return KeyedRequest(str(request.endpoint), key, sha256, services().settings.idempotency_seconds)
