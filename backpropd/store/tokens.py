"""The text of an API key: `bp_<the key's id>_<secret>`, ending in a checksum over all before it."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

from backpropd import errors
from backpropd.store.ids import ALPHABET, LENGTH

SECRET = 32  # characters, 5 random bits each
CHECKSUM = 7
FORM = re.compile(rf"bp_(key_[{ALPHABET}]{{{LENGTH}}})_[{ALPHABET}]{{{SECRET + CHECKSUM}}}")


def new_token(key_id: str) -> str:
    """A fresh text for this key: 160 random bits and their checksum."""
    text = f"bp_{key_id}_" + "".join(secrets.choice(ALPHABET) for _ in range(SECRET))
    return text + _checksum(text)


def key_id_of(token: str) -> str:
    """The id of the key that this text is of. Raises `errors.KeyMistyped`, and asks no database."""
    found = FORM.fullmatch(token)
    if found is None or not token.endswith(_checksum(token[:-CHECKSUM])):
        raise errors.KeyMistyped(
            "this is no API key: a letter of it is wrong, or missing. A key looks like bp_key_…_…; copy it anew"
        )
    return found[1]


def hashed(token: str) -> str:
    """What is kept of a text. It has 160 random bits, so that nothing slower than SHA-256 is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (CHECKSUM - 1), -1, -5))
