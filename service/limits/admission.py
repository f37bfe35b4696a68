"""Admission: before a request takes a thread, it is admitted, waits for its tenant's turn, or is rejected.

Two limits apply. A request is *in progress* until its answer was sent: a key and a tenant may have so many at a time,
and more are rejected. It *works* while it computes: few do so at a time, since all share one interpreter lock, and
tenants take turns. A request that waits for its client, a table or a job does not work.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from service.limits.concurrency_limit import ConcurrencyLimit, Holder
from service.limits.fair_slots import FairSlots

TICKET = "backpropd.ticket"  # key of the environ
STRANGER = Holder("", "")  # has the slots of all requests whose key has not been seen yet, or is no key
MAX_KNOWN = 10_000  # keys


class Admission:
    """Admits requests by the keys they send.

    Whose key it is, earlier requests have told. That decides only whose slots a request takes: every request is
    authenticated later, in its thread.
    """

    def __init__(self, in_progress: ConcurrencyLimit, working: FairSlots, probes: ConcurrencyLimit) -> None:
        """`probes` ask whether the service is well: they have slots of their own, and do not wait."""
        self._in_progress, self._probes = in_progress, probes
        self.working = working
        self._known: OrderedDict[bytes, Holder] = OrderedDict()  # by the digest of the header Authorization
        self._lock = threading.Lock()

    async def enter(self, digest: bytes, *, is_probe: bool = False) -> Ticket:
        """A ticket for the `digest_of` a header, which must be left; any but a probe waits for its tenant's turn.

        Raises `errors.Unavailable` and `errors.TooManyAtOnce`.
        """
        slots = self._probes if is_probe else self._in_progress
        ticket = Ticket(self, slots, digest)
        if not is_probe:
            try:
                await ticket.start_working()
            except BaseException:
                ticket.leave()
                raise
        return ticket

    def holder(self, digest: bytes) -> Holder:
        """Whose requests have the header with this digest, as far as is known."""
        return self._known.get(digest, STRANGER)

    def learn(self, digest: bytes, holder: Holder) -> None:
        """Remember whose requests have this header."""
        with self._lock:
            self._known[digest] = holder
            self._known.move_to_end(digest)
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)


def digest_of(authorization: bytes) -> bytes:
    """By which requests with this header Authorization are recognized."""
    return hashlib.sha256(authorization).digest()


class Ticket:
    """The slots of one request. One thread at a time uses it."""

    def __init__(self, admission: Admission, slots: ConcurrencyLimit, digest: bytes) -> None:
        self._admission, self._slots, self._digest = admission, slots, digest
        self._holder = admission.holder(digest)
        self._works_for: str | None = None  # the tenant whose slot it has
        slots.acquire(self._holder)

    def identify(self, holder: Holder) -> None:
        """Take the slots of the authenticated `holder`; STRANGER if it is nobody. Raises `errors.TooManyAtOnce`."""
        if holder != self._holder:
            self._admission.learn(self._digest, holder)
            self._slots.move(self._holder, holder)
            self._holder = holder

    async def start_working(self) -> None:
        """Wait for the tenant's turn, in the event loop. If the wait is cancelled, no slot is kept."""
        tenant = self._holder.tenant
        slot = self._admission.working.request(tenant)
        try:
            if not slot.done():
                await asyncio.wrap_future(slot)
        except asyncio.CancelledError:
            if not slot.cancel():  # it was granted, and the event loop had no time to say so
                self._admission.working.release(tenant)
            raise
        self._works_for = tenant

    def stop_working(self) -> None:
        """Let another request work."""
        if self._works_for is not None:
            self._admission.working.release(self._works_for)
            self._works_for = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let others work for the duration of the block; then wait for the tenant's turn."""
        self.stop_working()
        try:
            yield
        finally:
            self._admission.working.request(self._holder.tenant).result()
            self._works_for = self._holder.tenant

    def leave(self) -> None:
        """Give all slots back."""
        self.stop_working()
        self._slots.release(self._holder)


def waiting(environ: Mapping[str, Any]) -> AbstractContextManager[None]:
    """`Ticket.waiting` of the request with this environ, which has no ticket in tests without a server."""
    ticket: Ticket | None = environ.get(TICKET)
    return nullcontext() if ticket is None else ticket.waiting()


def stop_working(environ: Mapping[str, Any]) -> None:
    """`Ticket.stop_working` of the request with this environ."""
    if ticket := environ.get(TICKET):
        ticket.stop_working()
