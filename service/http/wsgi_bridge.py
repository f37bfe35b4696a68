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

from service.http.body import BODY_IS_HERE, Body, Message, Pace, Receive

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Send = Callable[[Message], Awaitable[None]]

CHUNK = 64 * 1024
SEND_SECONDS = 60.0  # for a client of a stream to take a chunk: longer than that, and it counts as gone


class WsgiBridge:
    """An ASGI app that answers each request with a WSGI app, in a thread of its own."""

    def __init__(self, app: WSGIApplication, threads: int, pace: Pace) -> None:
        self._app, self._pace = app, pace
        self._threads = ThreadPoolExecutor(threads, "request")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        environ = environ_of(scope)
        body = Body(receive, loop, self._pace, int(environ.get("CONTENT_LENGTH", -1)))
        environ["wsgi.input"] = BufferedReader(body, CHUNK)
        environ[BODY_IS_HERE] = await body.begin()
        stream = Stream(receive, send, loop)
        for message in await loop.run_in_executor(self._threads, self._answer, environ, stream):
            await send(message)

    def _answer(self, environ: dict[str, Any], stream: Stream) -> list[Message]:
        """The answer, to be sent by the loop; a stream is sent from here, and nothing is left of it."""
        status, headers = 500, list[tuple[str, str]]()

        def start(line: str, given: list[tuple[str, str]], _: Any = None) -> Any:
            nonlocal status, headers
            status, headers = int(line.split(" ", 1)[0]), given

        answer = self._app(environ, start)
        try:
            begin = _begin(status, headers)
            if any(name.lower() == "content-length" for name, _ in headers):
                return [begin, _body(b"".join(answer))]
            stream.follow(begin, answer)
            return []
        finally:
            if close := getattr(answer, "close", None):
                close()


def _begin(status: int, headers: Iterable[tuple[str, str]]) -> Message:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": raw}


def _body(chunk: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


class Stream:
    """An answer whose end is not known, as a thread sends it."""

    def __init__(self, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._send, self._loop = receive, send, loop

    def follow(self, begin: Message, chunks: Iterable[bytes]) -> None:
        """Send each chunk as it comes, while the client is there and takes them."""
        gone = asyncio.run_coroutine_threadsafe(self._leaves(), self._loop)
        try:
            self._wait(begin)
            for chunk in chunks:
                if gone.done():
                    return
                self._wait(_body(chunk, more=True))
            self._wait(_body(b""))
        except TimeoutError:
            return
        finally:
            gone.cancel()

    async def _leaves(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _wait(self, message: Message) -> None:
        asyncio.run_coroutine_threadsafe(self._in_time(message), self._loop).result()

    async def _in_time(self, message: Message) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._send(message)


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
