"""An ASGI app that answers with the WSGI app: in ASGI, waiting for a client can time out.

In granian's WSGI a read blocks until the bytes have come or the client has gone, and nothing can interrupt it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from backpropd import errors
from service.limits.admission import TICKET, Admission, Ticket, digest_of
from service.server.answer_sender import AnswerSender, Send, TooSlow
from service.server.disconnect import DISCONNECT, Disconnect
from service.server.environ import ambiguity, authorization_of, environ_of
from service.server.request_body import BODY_RECEIVED, Message, MinRate, Receive, RequestBody
from service.server.tcp_connection import Address
from service.server.turns import RejectionPace, Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CHUNK_BYTES = 256 * 1024  # a longer answer is sent in several messages, by its thread
BUFFER_BYTES = 64 * 1024  # of a body, at least, that a thread reads at once
PROBE_THREADS = 4
CLOSE = {"Connection": "close"}


class Lane(Enum):
    """Where a request waits: nowhere, if its answer needs no I/O; with the probes; or with all others."""

    IMMEDIATE = 0
    PROBE = 1
    ORDINARY = 2


@dataclass(frozen=True)
class MinRates:
    """The minimum rates of requests' bodies and of answers."""

    body: MinRate
    answer: MinRate


class WsgiBridge:
    """Answers requests with a WSGI app: each in a thread, once it is admitted.

    `reject` returns the answer to a rejected request, sent by the event loop, because hundreds may come at once. A
    GET of an `immediate` path, whose answer needs no I/O, is answered there, too, and `probes` have threads of their
    own: neither waits for other requests.
    """

    def __init__(
        self,
        app: WSGIApplication,
        admission: Admission,
        rates: MinRates,
        threads: int,
        reject: Callable[[errors.BackpropdError, Mapping[str, Any]], tuple[int, Mapping[str, str], bytes]],
        *,
        immediate: Collection[str] = (),
        probes: Collection[str] = (),
    ) -> None:
        self._app, self._admission, self._rates, self._reject = app, admission, rates, reject
        self._immediate, self._probes = immediate, probes
        self._turns, self._pace = Turns(), RejectionPace()
        self._threads = ThreadPoolExecutor(threads, "request")
        self._probe_threads = ThreadPoolExecutor(PROBE_THREADS, "probe")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, when it is its tenant's turn; probes have theirs at once."""
        began, digest, lane = time.perf_counter(), digest_of(authorization_of(scope)), self._lane(scope)
        if lane is Lane.ORDINARY:
            try:
                await self._turns.wait(self._admission.holder(digest).tenant)
            except errors.TooManyAtOnce as error:
                await self._answer_rejected(error, environ_of(scope, began), send, close=True)
                return
        environ = environ_of(scope, began)
        loop = asyncio.get_running_loop()
        body = RequestBody(receive, loop, self._rates.body, int(environ.get("CONTENT_LENGTH", -1)))
        environ["wsgi.input"] = BufferedReader(body, BUFFER_BYTES)
        environ[DISCONNECT] = disconnect = Disconnect(receive, loop)
        sender = AnswerSender(send, self._rates.answer, _address(scope["server"]), _address(scope["client"]))
        try:
            if ambiguous := ambiguity(environ):
                await self._answer_rejected(ambiguous, environ, send)
            elif lane is Lane.IMMEDIATE:
                await _answer_at_once(self._app, environ, sender)
            elif ticket := await self._admitted(environ, lane, digest, body, send):
                await self._answer_with(ticket, lane, environ, body, sender)
        finally:
            disconnect.stop()
            sender.close()

    def _lane(self, scope: Message) -> Lane:
        if scope["method"] not in ("GET", "HEAD"):
            return Lane.ORDINARY
        if scope["path"] in self._immediate:
            return Lane.IMMEDIATE
        return Lane.PROBE if scope["path"] in self._probes else Lane.ORDINARY

    async def _admitted(
        self, environ: dict[str, Any], lane: Lane, digest: bytes, body: RequestBody, send: Send
    ) -> Ticket | None:
        """The request's ticket; None if it was rejected."""
        try:
            environ[BODY_RECEIVED] = await body.receive_small()
            return await self._admission.enter(digest, is_probe=lane is Lane.PROBE)
        except errors.RequestTimeout as error:
            await self._answer_rejected(error, environ, send)
        except errors.RetryLater as error:
            client = self._admission.holder(digest).tenant or digest
            await self._answer_rejected(error, environ, send, paced_for=None if lane is Lane.PROBE else client)
        return None

    async def _answer_with(
        self, ticket: Ticket, lane: Lane, environ: dict[str, Any], body: RequestBody, sender: AnswerSender
    ) -> None:
        environ[TICKET], body.waiting = ticket, ticket.waiting
        try:
            await self._answer_in(self._probe_threads if lane is Lane.PROBE else self._threads, environ, sender)
        finally:
            ticket.leave()

    async def _answer_rejected(
        self,
        error: errors.BackpropdError,
        environ: Mapping[str, Any],
        send: Send,
        *,
        paced_for: str | bytes | None = None,
        close: bool = False,
    ) -> None:
        """Send the rejection, at the pace for this client; beyond that pace at once, and its connection is closed."""
        status, headers, body = self._reject(error, environ)  # its time is measured before the pause
        close = close or not (paced_for is None or await self._pace.wait(paced_for))
        await send(_start(status, {**headers, **(CLOSE if close else {})}.items()))
        await send(_part(b"" if environ["REQUEST_METHOD"] == "HEAD" else body, more=False))

    async def _answer_in(self, threads: Executor, environ: dict[str, Any], sender: AnswerSender) -> None:
        loop = asyncio.get_running_loop()
        await sender.send_whole(await loop.run_in_executor(threads, self._answer, environ, sender, loop))

    def _answer(self, environ: dict[str, Any], sender: AnswerSender, loop: asyncio.AbstractEventLoop) -> list[Message]:
        """The messages for the loop to send: none for a long answer, which is sent from this thread."""
        answer = _Answer(self._app, environ)
        try:
            environ[TICKET].stop_working()
            if answer.is_short:
                return answer.whole()
            with suppress(TooSlow):
                _send_all(answer, environ[DISCONNECT], sender, loop)
            return []
        finally:
            answer.close()


async def _answer_at_once(app: WSGIApplication, environ: dict[str, Any], sender: AnswerSender) -> None:
    """Send the short answer of an app that needs no I/O."""
    answer = _Answer(app, environ)
    try:
        await sender.send_whole(answer.whole())
    finally:
        answer.close()


def _send_all(answer: _Answer, disconnect: Disconnect, sender: AnswerSender, loop: asyncio.AbstractEventLoop) -> None:
    """Send each part as soon as it comes, until the client leaves. Raises `TooSlow`."""
    disconnect.watch()
    for message in answer.messages():
        if disconnect.has_come:
            return
        asyncio.run_coroutine_threadsafe(sender.send(message), loop).result()
    asyncio.run_coroutine_threadsafe(sender.drain(), loop).result()


def _address(pair: Sequence[Any]) -> Address:
    return str(pair[0]), int(pair[1])


class _Answer:
    """What the WSGI app answers. `is_short` says that one message holds all of it."""

    def __init__(self, app: WSGIApplication, environ: dict[str, Any]) -> None:
        self._status, self._headers = 500, list[tuple[str, str]]()
        self._chunks = app(environ, self._start_response)
        length = next((value for name, value in self._headers if name.lower() == "content-length"), None)
        is_empty = environ["REQUEST_METHOD"] == "HEAD" or self._status in (204, 304)
        self.is_short = is_empty or (length is not None and int(length) <= CHUNK_BYTES)

    def whole(self) -> list[Message]:
        """The messages of a short answer."""
        return [_start(self._status, self._headers), _part(b"".join(self._chunks), more=False)]

    def messages(self) -> Iterator[Message]:
        """The messages of any answer, each as soon as its part has come."""
        yield _start(self._status, self._headers)
        for chunk in self._chunks:
            for begin in range(0, len(chunk), CHUNK_BYTES):
                yield _part(chunk[begin : begin + CHUNK_BYTES], more=True)
        yield _part(b"", more=False)

    def close(self) -> None:
        """Give back what the answer holds."""
        if close := getattr(self._chunks, "close", None):
            close()

    def _start_response(self, status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        self._status, self._headers = int(status.split(" ", 1)[0]), headers


def _start(status: int, headers: Iterable[tuple[str, str]]) -> Message:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": raw}


def _part(chunk: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}
