"""An ASGI app that answers with the WSGI app: in ASGI, waiting for a body can time out.

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

from service.server.request_body import BODY_RECEIVED, Message, MinRate, Receive, RequestBody

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Send = Callable[[Message], Awaitable[None]]

CHUNK_BYTES = 64 * 1024
SEND_SECONDS = 60.0  # for a client to accept a chunk of a stream; after that it counts as gone


class WsgiBridge:
    """Answers each request with a WSGI app, in a thread of its own."""

    def __init__(self, app: WSGIApplication, threads: int, rate: MinRate) -> None:
        self._app, self._rate = app, rate
        self._threads = ThreadPoolExecutor(threads, "request")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        environ = environ_of(scope)
        body = RequestBody(receive, loop, self._rate, int(environ.get("CONTENT_LENGTH", -1)))
        environ["wsgi.input"] = BufferedReader(body, CHUNK_BYTES)
        environ[BODY_RECEIVED] = await body.receive_small()
        sender = StreamSender(receive, send, loop)
        for message in await loop.run_in_executor(self._threads, self._answer, environ, sender):
            await send(message)

    def _answer(self, environ: dict[str, Any], sender: StreamSender) -> list[Message]:
        """The messages for the loop to send: none for a stream, which is sent from this thread."""
        status, headers = 500, list[tuple[str, str]]()

        def start_response(line: str, given: list[tuple[str, str]], _: Any = None) -> Any:
            nonlocal status, headers
            status, headers = int(line.split(" ", 1)[0]), given

        answer = self._app(environ, start_response)
        try:
            start = _start(status, headers)
            if any(name.lower() == "content-length" for name, _ in headers):
                return [start, _body(b"".join(answer))]
            sender.send_all(start, answer)
            return []
        finally:
            if close := getattr(answer, "close", None):
                close()


def _start(status: int, headers: Iterable[tuple[str, str]]) -> Message:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": raw}


def _body(chunk: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


class StreamSender:
    """Sends an answer of unknown length from a thread."""

    def __init__(self, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._send, self._loop = receive, send, loop

    def send_all(self, start: Message, chunks: Iterable[bytes]) -> None:
        """Send each chunk as soon as it comes, until the client leaves or is too slow."""
        gone = asyncio.run_coroutine_threadsafe(self._wait_for_disconnect(), self._loop)
        try:
            self._send_from_thread(start)
            for chunk in chunks:
                if gone.done():
                    return
                self._send_from_thread(_body(chunk, more=True))
            self._send_from_thread(_body(b""))
        except TimeoutError:
            return
        finally:
            gone.cancel()

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _send_from_thread(self, message: Message) -> None:
        asyncio.run_coroutine_threadsafe(self._send_in_time(message), self._loop).result()

    async def _send_in_time(self, message: Message) -> None:
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
        "wsgi.input_terminated": True,  # tells Werkzeug that the input ends with the body
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for header, raw in scope["headers"]:
        name, value = header.decode("latin-1"), raw.decode("latin-1")
        if "_" in name:  # in an environ it would be taken for the header with a hyphen
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
