"""The messages of one answer, sent at a minimum pace: the connection of a client that falls behind is closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

from service.server import tcp_connection
from service.server.request_body import Message, MinRate
from service.server.tcp_connection import Address

Send = Callable[[Message], Awaitable[None]]

CHECK_SECONDS = 1.0  # between two checks of a client that makes the server wait
DRAINED_SECONDS = 0.02  # between two checks of whether the client has received everything, at first


class TooSlow(Exception):
    """The client fell behind, and its connection was closed."""


class AnswerSender:
    """Sends messages, and measures how fast the client receives them.

    The server holds little that the client has not received; then `send` waits. Each second of such a wait counts
    against the client, and each byte that it receives meanwhile earns back its time at the minimum rate, up to the
    grace.
    """

    def __init__(self, send: Send, rate: MinRate, server: Address, client: Address) -> None:
        self._send, self._rate, self._ends = send, rate, (server, client)
        self._connection: socket.socket | None = None
        self._unsent_bytes, self._patience_seconds = 0, rate.grace_seconds

    async def send_whole(self, messages: Iterable[Message]) -> None:
        """Send an answer that the system holds in full until the client has received it."""
        for message in messages:
            await self._send(message)

    async def send(self, message: Message) -> None:
        """Send a message as soon as there is room for it. Raises `TooSlow`."""
        sending = asyncio.ensure_future(self._send(message))
        try:
            while not (await asyncio.wait({sending}, timeout=CHECK_SECONDS))[0]:
                self._charge(CHECK_SECONDS)
            sending.result()
        finally:
            sending.cancel()

    async def drain(self) -> None:
        """Wait until the client has received everything. Raises `TooSlow`."""
        pause = DRAINED_SECONDS
        while self._count_unsent():
            await asyncio.sleep(pause)
            self._charge(pause)
            pause = min(2 * pause, CHECK_SECONDS)

    def close(self) -> None:
        """Give the duplicate of the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _charge(self, seconds: float) -> None:
        before = self._unsent_bytes
        received = abs(before - self._count_unsent())  # more unsent bytes than before found the room of received ones
        left = self._patience_seconds - seconds + received / self._rate.bytes_per_second
        self._patience_seconds = min(left, self._rate.grace_seconds)
        if self._patience_seconds <= 0:
            if self._connection is not None:
                tcp_connection.abort(self._connection)
            raise TooSlow

    def _count_unsent(self) -> int:
        if self._connection is None:
            self._connection = tcp_connection.find(*self._ends)
        self._unsent_bytes = 0 if self._connection is None else tcp_connection.unsent_bytes(self._connection)
        return self._unsent_bytes
