"""Places for what holds a thread: so many in all, and so many of them for one key."""

from __future__ import annotations

import threading
from collections import Counter

from backpropd import errors


class Places:
    """Places for event streams."""

    def __init__(self, in_all: int, each: int) -> None:
        self._in_all, self._each = in_all, each
        self._taken: Counter[str] = Counter()
        self._taking = threading.Lock()

    def take(self, name: str) -> None:
        """Take a place. Raises `errors.Unavailable` when all are taken, `errors.StreamsFull` when its own are."""
        with self._taking:
            if self._taken.total() >= self._in_all:
                raise errors.Unavailable("every place for an event stream is taken: poll /epochs, or try again")
            if self._taken[name] >= self._each:
                raise errors.StreamsFull(
                    f"this key has {self._each} event streams, the most at a time: close one, or poll /epochs"
                )
            self._taken[name] += 1

    def give_back(self, name: str) -> None:
        """Give a place back."""
        with self._taking:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
