"""Turns in the event loop: a burst of requests is handled little by little, with probes and I/O in between."""

import asyncio
from collections import OrderedDict, deque

from backpropd import errors

PER_PASS = 8  # requests
REJECTION_SECONDS = 0.01  # between two rejections of one client
MAX_DELAYED = 500  # rejections of one client, and others are sent at once
MAX_WAITING = 500  # requests of one tenant, and others are rejected
MAX_CLIENTS = 1000  # whose last rejections are remembered


class Turns:
    """Lets a few requests begin in each pass of the event loop: tenants take turns, and each one's keep their order.

    Hundreds that came at once would otherwise all begin in the same pass, and a probe behind them would wait for all.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # by tenant, the next one first
        self._left = PER_PASS  # requests that may still begin in this pass: none while others wait

    async def wait(self, tenant: str) -> None:
        """Wait for the turn of this tenant's request. Raises `errors.TooManyAtOnce` if too many of them wait."""
        loop = asyncio.get_running_loop()
        if self._left:
            self._begin_one(loop)
            return
        if len(self._waiting.get(tenant, ())) >= MAX_WAITING:
            raise errors.TooManyAtOnce(
                f"{MAX_WAITING} requests of this tenant have not begun yet: send fewer at a time"
            )
        turn = loop.create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        await turn

    def _begin_one(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._left == PER_PASS:
            loop.call_soon(self._next_pass)
        self._left -= 1

    def _next_pass(self) -> None:
        loop, self._left = asyncio.get_running_loop(), PER_PASS
        while self._waiting and self._left:
            tenant, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[tenant] = turns
            if not turn.done():  # it was cancelled
                turn.set_result(None)
            self._begin_one(loop)


class RejectionPace:
    """Delays the rejections of a client that has many: one that repeats rejected requests at once is slowed down.

    The first one is sent at once, and each that follows within a short time a little later than the one before. A
    client is a tenant, or the bytes of an unknown key.
    """

    def __init__(self) -> None:
        self._next: OrderedDict[str | bytes, float] = OrderedDict()  # when the next rejection of each may be sent

    async def wait(self, client: str | bytes) -> bool:
        """Wait until a rejection of this client may be sent; False at once if too many of them wait."""
        now = asyncio.get_running_loop().time()
        at = max(self._next.get(client, now), now)
        if at - now > MAX_DELAYED * REJECTION_SECONDS:
            return False
        self._next[client] = at + REJECTION_SECONDS
        self._next.move_to_end(client)
        if len(self._next) > MAX_CLIENTS:
            self._next.popitem(last=False)
        if at > now:
            await asyncio.sleep(at - now)
        return True
