"""Concurrency limits for requests that hold a thread or a core: in total, for each tenant, and for each key."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from backpropd import errors


class Holder(NamedTuple):
    """Whose slots are counted: a tenant's, and those of its key."""

    tenant: str
    key: str


class ConcurrencyLimit:
    """Slots for `what`, a plural noun in error messages: `total` of them, and fewer for one tenant and for one key."""

    def __init__(self, what: str, total: int, per_tenant: int, per_key: int, patience_seconds: float = 0.0) -> None:
        """A thread waits so long for a slot: the one of its client's last request may just be given back."""
        self._patience_seconds = patience_seconds
        self._what, self._total, self._per_tenant, self._per_key = what, total, per_tenant, per_key
        self._tenants: Counter[str] = Counter()
        self._keys: Counter[str] = Counter()
        self._changed = threading.Condition()

    def acquire(self, holder: Holder) -> None:
        """Take a slot.

        Raises `errors.Unavailable` if none is free, `errors.TooManyAtOnce` if the key or the tenant has all of its own.
        """
        until = time.monotonic() + self._patience_seconds
        with self._changed:
            while refusal := self._refusal(holder):
                if not self._changed.wait(until - time.monotonic()):
                    raise refusal
            self._add(holder, 1)

    def move(self, holder: Holder, other: Holder) -> None:
        """Give a holder's slot to another. Raises `errors.TooManyAtOnce` if that one has all of its own."""
        with self._changed:
            if excess := self._excess(other):
                raise excess
            self._add(holder, -1)
            self._add(other, 1)

    def release(self, holder: Holder) -> None:
        """Give a slot back."""
        with self._changed:
            self._add(holder, -1)
            self._changed.notify_all()

    def _refusal(self, holder: Holder) -> errors.RetryLater | None:
        """Why the holder cannot have a slot now."""
        if self._tenants.total() >= self._total:
            return errors.Unavailable(f"the service allows {self._total} {self._what} at a time: try again")
        return self._excess(holder)

    def _excess(self, holder: Holder) -> errors.TooManyAtOnce | None:
        for who, held, limit in (
            ("key", self._keys[holder.key], self._per_key),
            ("tenant", self._tenants[holder.tenant], self._per_tenant),
        ):
            if held >= limit:
                return errors.TooManyAtOnce(
                    f"a {who} may have {limit} {self._what} at a time: wait until one of yours has ended"
                )
        return None

    def _add(self, holder: Holder, number: int) -> None:
        for held, name in ((self._keys, holder.key), (self._tenants, holder.tenant)):
            held[name] += number
            if not held[name]:
                del held[name]

    @contextmanager
    def slot(self, holder: Holder) -> Iterator[None]:
        """Hold a slot for the duration of the block. Raises as `acquire` does."""
        self.acquire(holder)
        try:
            yield
        finally:
            self.release(holder)
