"""Ids of resources: URL-safe, sorted by creation, with a prefix for the kind of resource."""

import secrets
import time

ALPHABET = "0123456789abcdefghijkmnpqrstuvwx"  # 32 characters in ASCII order, so that ids sort by time
LENGTH = 25  # characters after the prefix


def new_id(prefix: str) -> str:
    """A new id such as `job_01j8z6k4m2q0…`: 45 bits of milliseconds, then 80 random bits, 5 bits a character."""
    return f"{prefix}_" + encode((time.time_ns() // 1_000_000) << 80 | secrets.randbits(80), LENGTH)


def encode(number: int, length: int) -> str:
    """A number of at most 5 · `length` bits, in characters of `ALPHABET`."""
    return "".join(ALPHABET[number >> shift & 31] for shift in range(5 * (length - 1), -1, -5))
