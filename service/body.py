"""A request's body as it comes, and no slower than it may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase
from typing import TYPE_CHECKING, Any

from backpropd import errors

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


Receive = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Pace:
    """The lowest: so many bytes a second, and for how many seconds a body may fall behind that."""

    bytes_per_second: int
    grace_seconds: float


class Body(RawIOBase):
    """What a thread reads of the body that the event loop receives.

    It counts the seconds for which the client was waited for, and not those for which nobody read. Each chunk earns
    back what it may take at the lowest pace, and never more than the grace: who was fast may not rest for long.
    """

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop, pace: Pace, length: int) -> None:
        """A body of so many bytes; of a `length` below 0 only its end will tell."""
        self._left = length
        self._receive, self._loop, self._pace = receive, loop, pace
        self._rest, self._over = memoryview(b""), False
        self._patience = pace.grace_seconds

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Some bytes, or none at the end. Raises `errors.RequestTimeout`, and `errors.Malformed` if it broke off."""
        while not self._rest and not self._over:
            self._rest = memoryview(self._next())
        target = memoryview(buffer)
        size = min(len(target), len(self._rest))
        target[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _next(self) -> bytes:
        began = time.monotonic()
        message = asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result()
        if message is None:
            raise errors.RequestTimeout(
                f"the body came at less than {self._pace.bytes_per_second} bytes a second for more than "
                f"{self._pace.grace_seconds:g} seconds: send it again, and faster"
            )
        if message["type"] == "http.disconnect":
            raise errors.Malformed("the body broke off: send it again")
        chunk: bytes = message.get("body", b"")
        self._left -= len(chunk)
        self._over = self._left == 0 or not message.get("more_body", False)
        earned = len(chunk) / self._pace.bytes_per_second - (time.monotonic() - began)
        self._patience = min(self._patience + earned, self._pace.grace_seconds)
        return chunk

    async def _wait(self) -> dict[str, Any] | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                return await self._receive()
        return None
