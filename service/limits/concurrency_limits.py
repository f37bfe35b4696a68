"""ConcurrencyLimit for what holds a thread, or a core: so many in all, and so many of them for one key."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from backpropd import errors


class ConcurrencyLimit:
    """ConcurrencyLimit for this, whatever it is."""

    def __init__(self, what: str, in_all: int, each: int) -> None:
        self._what, self._in_all, self._each = what, in_all, each
        self._taken: Counter[str] = Counter()
        self._taking = threading.Lock()

    def take(self, name: str) -> None:
        """Take a place. Raises `errors.Unavailable` when all are taken, `errors.TooManyAtOnce` when its own are."""
        with self._taking:
            if self._taken.total() >= self._in_all:
                raise errors.Unavailable(
                    f"{self._in_all} {self._what} at a time are the most that are taken: try again"
                )
            if self._taken[name] >= self._each:
                raise errors.TooManyAtOnce(
                    f"{self._each} {self._what} at a time are the most for one key: wait until one of yours is over"
                )
            self._taken[name] += 1

    @contextmanager
    def taken(self, name: str) -> Iterator[None]:
        """Have a place as long as this lasts. Raises as `take` does."""
        self.take(name)
        try:
            yield
        finally:
            self.give_back(name)

    def give_back(self, name: str) -> None:
        """Give a place back."""
        with self._taking:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
