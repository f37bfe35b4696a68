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


Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

SMALL = 16 * 1024  # bytes: so many come in one piece
BODY_IS_HERE = "backpropd.body_is_here"  # in a request's environ: nobody has to wait for the body any more


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
        self._received: tuple[Message | None, float] | None = None
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

    async def begin(self) -> bool:
        """Receive a small body in the loop itself; True if it came in one piece, or not in time.

        No thread has to wait for it then, nor for the loop to say so.
        """
        if not 0 < self._left <= SMALL:
            return False
        self._received = message, _ = await self._wait()
        return message is None or len(message.get("body", b"")) == self._left

    def _next(self) -> bytes:
        message, seconds = self._received or asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result()
        self._received = None
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
        earned = len(chunk) / self._pace.bytes_per_second - seconds
        self._patience = min(self._patience + earned, self._pace.grace_seconds)
        return chunk

    async def _wait(self) -> tuple[Message | None, float]:
        """What the client sent, if it came in time, and the seconds that it took."""
        began, message = time.monotonic(), None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        return message, time.monotonic() - began
