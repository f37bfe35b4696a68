"""Slots that tenants take in turns: a tenant that asks for many delays its own requests, not those of others."""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from backpropd import errors


class FairSlots:
    """`total` slots for `what`, a plural noun in error messages.

    A tenant holds at most `per_tenant` of them, and at most `max_waiting` of its requests wait for one.
    """

    def __init__(self, what: str, total: int, per_tenant: int, max_waiting: int) -> None:
        self._what, self._free, self._per_tenant, self._max_waiting = what, total, per_tenant, max_waiting
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[Future[None]]] = {}  # in the order of the tenants' turns
        self._lock = threading.Lock()

    def request(self, tenant: str) -> Future[None]:
        """A slot: the future is done when the tenant has it. Cancel the future to give up waiting.

        Raises `errors.TooManyAtOnce` if too many requests of the tenant are waiting.
        """
        slot = Future[None]()
        with self._lock:
            waiting = self._waiting.get(tenant, deque())
            if len(waiting) >= self._max_waiting and not self._may_have_one(tenant):
                raise errors.TooManyAtOnce(
                    f"{len(waiting)} {self._what} of yours are waiting, the limit: try again when some were answered"
                )
            waiting.append(slot)
            self._waiting[tenant] = waiting
            self._grant()
        return slot

    def release(self, tenant: str) -> None:
        """Give a slot back."""
        with self._lock:
            self._free += 1
            self._held[tenant] -= 1
            if not self._held[tenant]:
                del self._held[tenant]
            self._grant()

    @contextmanager
    def slot(self, tenant: str) -> Iterator[None]:
        """Wait for a slot, and hold it for the duration of the block. Raises as `request` does."""
        self.request(tenant).result()
        try:
            yield
        finally:
            self.release(tenant)

    def _may_have_one(self, tenant: str) -> bool:
        return self._free > 0 and self._held[tenant] < self._per_tenant

    def _grant(self) -> None:
        """Give free slots to waiting requests; a tenant that gets one goes to the end of the line."""
        while (tenant := next(filter(self._may_have_one, self._waiting), None)) is not None:
            waiting = self._waiting.pop(tenant)
            slot = waiting.popleft()
            if waiting:
                self._waiting[tenant] = waiting
            if slot.set_running_or_notify_cancel():
                self._free -= 1
                self._held[tenant] += 1
                slot.set_result(None)
