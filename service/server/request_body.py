"""A request's body as it is received, with a minimum rate that the client must keep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from io import RawIOBase
from typing import TYPE_CHECKING, Any

from backpropd import errors

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

SMALL_BYTES = 32 * 1024  # a body of this size usually arrives in one message
GATHERED_BYTES = 512 * 1024  # handed to a thread at once
BODY_RECEIVED = "backpropd.body_received"  # key of the environ: True if no thread has to wait for the body


@dataclass(frozen=True)
class MinRate:
    """The minimum rate of a body or an answer, and for how many seconds the client may fall behind."""

    bytes_per_second: int
    grace_seconds: float


class RequestBody(RawIOBase):
    """The body that the event loop receives, as a file that a thread reads.

    Only the time spent waiting for the client counts, not the time between two reads. Each chunk earns back the time
    it may take at the minimum rate, but never more than the grace: a fast start does not pay for a long pause later.
    A thread waits for the client within `waiting`.
    """

    waiting: Callable[[], AbstractContextManager[None]] = nullcontext

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop, rate: MinRate, length: int) -> None:
        """`length` is the body's number of bytes, below 0 if only its end will tell."""
        self._bytes_left = length
        self._receive, self._loop, self._rate = receive, loop, rate
        self._unread, self._is_over = memoryview(b""), False
        self._received: list[Message | None] = []
        self._patience_seconds = rate.grace_seconds

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read some bytes, or none at the end.

        Raises `errors.RequestTimeout`, and `errors.Malformed` if the client closed the connection early.
        """
        while not self._unread and (self._received or not self._is_over):
            self._unread = memoryview(self._next_chunk())
        target = memoryview(buffer)
        size = min(len(target), len(self._unread))
        target[:size], self._unread = self._unread[:size], self._unread[size:]
        return size

    async def receive_small(self) -> bool:
        """Receive a small body in the event loop; True if it came in one message: no thread has to wait for it.

        Raises `errors.RequestTimeout`.
        """
        if not 0 < self._bytes_left <= SMALL_BYTES:
            return False
        message = await self._wait()
        if message is None:
            raise self._timeout()
        self._received = [message]
        return self._bytes_left == 0

    def _next_chunk(self) -> bytes:
        messages = self._received or self._gather_in_thread()
        self._received = []
        if messages[-1] is None:
            raise self._timeout()
        if messages[-1]["type"] == "http.disconnect":
            raise errors.Malformed("the connection was closed before the body was complete: send it again")
        return b"".join(message["body"] for message in messages if message)

    def _timeout(self) -> errors.RequestTimeout:
        return errors.RequestTimeout(
            f"the body came at less than {self._rate.bytes_per_second} bytes a second for more than "
            f"{self._rate.grace_seconds:g} seconds: send it again, and faster"
        )

    def _gather_in_thread(self) -> list[Message | None]:
        with self.waiting():
            return asyncio.run_coroutine_threadsafe(self._gather(), self._loop).result()

    async def _gather(self) -> list[Message | None]:
        """The client's next messages, until they have `GATHERED_BYTES` or one does not come in time.

        A thread that waited for each message would need more time for that than for reading them.
        """
        messages, size = [await self._wait()], 0
        while (last := messages[-1]) and not self._is_over:
            size += len(last["body"])
            if size >= GATHERED_BYTES:
                break
            messages.append(await self._wait())
        return messages

    async def _wait(self) -> Message | None:
        """The client's next message, None if it did not come in time."""
        began, message = time.monotonic(), None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_seconds):
                message = await self._receive()
        if message is None:
            return None
        size = len(message.setdefault("body", b""))
        self._bytes_left -= size
        self._is_over = self._bytes_left == 0 or not message.get("more_body", False)
        earned = size / self._rate.bytes_per_second - (time.monotonic() - began)
        self._patience_seconds = min(self._patience_seconds + earned, self._rate.grace_seconds)
        return message
