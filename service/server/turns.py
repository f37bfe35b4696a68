"""Turns in the event loop: a burst of requests is handled one by one, with probes and I/O in between."""

import asyncio
from collections import OrderedDict, deque


class Turns:
    """Lets one request go on in each pass of the event loop: tenants take turns, and each one's requests their order.

    Hundreds that came at once would otherwise all go on in the same pass, and a probe behind them would wait for all.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # by tenant, the next one first

    async def wait(self, tenant: str) -> None:
        """Wait for the turn of this tenant's request."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._next)
        self._waiting.setdefault(tenant, deque()).append(turn)
        await turn

    def _next(self) -> None:
        tenant, turns = self._waiting.popitem(last=False)
        turn = turns.popleft()
        if turns:
            self._waiting[tenant] = turns
        if not turn.done():  # it was cancelled
            turn.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
