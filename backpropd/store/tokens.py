"""The token of an API key, which a client sends: `bp_<key id>_<secret><checksum of all before>`."""

import hashlib
import re
import secrets
import zlib

from backpropd import errors
from backpropd.store.ids import ALPHABET, LENGTH, encode

SECRET_LENGTH = 32  # characters of 5 random bits each
CHECKSUM_LENGTH = 7
PATTERN = re.compile(rf"bp_(key_[{ALPHABET}]{{{LENGTH}}})_[{ALPHABET}]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}")


def new_token(key_id: str) -> str:
    """A new token for this key, with 160 random bits."""
    text = f"bp_{key_id}_" + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    return text + _checksum(text)


def key_id_of(token: str) -> str:
    """The key's id in a token, read without the database. Raises `errors.KeyMistyped` for a wrong form or checksum."""
    found = PATTERN.fullmatch(token)
    if found is None or not token.endswith(_checksum(token[:-CHECKSUM_LENGTH])):
        raise errors.KeyMistyped(
            "this is not an API key: a character is wrong or missing. Keys have the form bp_key_…_…: copy it again"
        )
    return found[1]


def hashed(token: str) -> str:
    """The stored hash of a token. With its 160 random bits nothing slower than SHA-256 is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(text: str) -> str:
    return encode(zlib.crc32(text.encode()), CHECKSUM_LENGTH)
