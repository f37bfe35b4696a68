"""The end of a request's connection, for what would otherwise wait in vain."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from service.server.request_body import Receive

DISCONNECT = "backpropd.disconnect"  # key of the environ


class Disconnect:
    """Notices that the client has closed the connection, of a request whose body was read or that has none."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._loop = receive, loop
        self._watch: Future[None] | None = None

    @property
    def has_come(self) -> bool:
        """Whether the client is gone; False unless `watch` was called."""
        return self._watch is not None and self._watch.done()

    def watch(self, callback: Callable[[], Any] = lambda: None) -> None:
        """Call back as soon as the client is gone, or at the end of the request; `callback` must not block."""
        if self._watch is None:
            self._watch = asyncio.run_coroutine_threadsafe(self._wait(), self._loop)
        self._watch.add_done_callback(lambda _: callback())

    def end(self, connection: socket.socket) -> None:
        """As soon as the client is gone, end what this side sends on `connection`, so that the other side stops."""
        self.watch(lambda: _end(connection))

    def stop(self) -> None:
        """Do not watch any more."""
        if self._watch is not None:
            self._watch.cancel()

    @staticmethod
    def of(environ: Mapping[str, Any]) -> Disconnect:
        """That of the request with this environ; it never comes in tests without a server."""
        return environ.get(DISCONNECT) or NeverDisconnects()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_WR)


class NeverDisconnects(Disconnect):
    """A client that stays."""

    def __init__(self) -> None:
        self._watch = None

    def watch(self, callback: Callable[[], Any] = lambda: None) -> None:
        """Never call back."""
