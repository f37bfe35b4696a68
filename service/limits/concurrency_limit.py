"""Concurrency limits for requests that hold a thread or a core: a total, and a smaller number for each key."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from backpropd import errors


class ConcurrencyLimit:
    """Slots for `what`, a plural noun in error messages: `total` slots, and `per_key` of them for one key."""

    def __init__(self, what: str, total: int, per_key: int) -> None:
        self._what, self._total, self._per_key = what, total, per_key
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def acquire(self, key: str) -> None:
        """Take a slot.

        Raises `errors.Unavailable` if none is free, `errors.TooManyAtOnce` if the key has all of its own.
        """
        with self._lock:
            if self._held.total() >= self._total:
                raise errors.Unavailable(f"the service allows {self._total} {self._what} at a time: try again")
            if self._held[key] >= self._per_key:
                raise errors.TooManyAtOnce(
                    f"a key may have {self._per_key} {self._what} at a time: wait until one of yours has ended"
                )
            self._held[key] += 1

    def release(self, key: str) -> None:
        """Give a slot back."""
        with self._lock:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]

    @contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """Hold a slot for the duration of the block. Raises as `acquire` does."""
        self.acquire(key)
        try:
            yield
        finally:
            self.release(key)
