"""The WSGI app behind ASGI: there a body can be waited for with an end.

In granian's WSGI a read blocks until the bytes have come or the client has gone, and nothing can interrupt it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from service.body import Body, Pace, Receive

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]

CHUNK = 64 * 1024
SEND_SECONDS = 60.0  # for a client of a stream to take a chunk: longer than that, and it counts as gone


class Bridge:
    """An ASGI app that answers each request with a WSGI app, in a thread of its own."""

    def __init__(self, app: WSGIApplication, threads: int, pace: Pace) -> None:
        self._app, self._pace = app, pace
        self._threads = ThreadPoolExecutor(threads, "request")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        body = BufferedReader(Body(receive, loop, self._pace), CHUNK)
        environ = {**environ_of(scope), "wsgi.input": body}
        await loop.run_in_executor(self._threads, self._answer, environ, Client(receive, send, loop))

    def _answer(self, environ: dict[str, Any], client: Client) -> None:
        status, headers = 500, list[tuple[str, str]]()

        def start(line: str, given: list[tuple[str, str]], _: Any = None) -> Any:
            nonlocal status, headers
            status, headers = int(line.split(" ", 1)[0]), given

        answer = self._app(environ, start)
        try:
            client.begin(status, headers)
            if any(name.lower() == "content-length" for name, _ in headers):
                client.take(b"".join(answer))
            else:
                client.follow(answer)
        finally:
            if close := getattr(answer, "close", None):
                close()


class Client:
    """Whoever is answered, as a thread sees it."""

    def __init__(self, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._send, self._loop = receive, send, loop

    def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """The status and the headers."""
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._wait(self._send({"type": "http.response.start", "status": status, "headers": raw}))

    def take(self, body: bytes) -> None:
        """The whole body."""
        self._wait(self._send({"type": "http.response.body", "body": body}))

    def follow(self, chunks: Iterable[bytes]) -> None:
        """A body whose end is not known: each chunk as it comes, while the client is there and takes them."""
        gone = asyncio.run_coroutine_threadsafe(self._leaves(), self._loop)
        try:
            for chunk in chunks:
                if gone.done():
                    return
                self._wait(self._send({"type": "http.response.body", "body": chunk, "more_body": True}))
            self.take(b"")
        except TimeoutError:
            return
        finally:
            gone.cancel()

    async def _leaves(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _wait(self, sending: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_in_time(sending), self._loop).result()


async def _in_time(sending: Awaitable[None]) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await sending


def environ_of(scope: Message) -> dict[str, Any]:
    """The environ of a request (PEP 3333), without its body."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,  # it ends where the body does, for Werkzeug
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for header, raw in scope["headers"]:
        name, value = header.decode("latin-1"), raw.decode("latin-1")
        if "_" in name:  # an underscore stands for a hyphen in an environ: it would pass for another header
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
