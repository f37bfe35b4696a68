"""The front's side of a costly request: it receives the body, and passes the costly process's answer on."""

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import astuple
from pathlib import Path
from typing import BinaryIO, cast

import orjson
from flask import Response, g, request
from werkzeug.datastructures import Headers

from backpropd import errors, tabular
from service.auth.principal import current_principal, tenant
from service.costly.messages import Gone, Kind, receive, send, send_descriptor
from service.costly.processes import ENDED, CostlyProcess
from service.http.handover import has_short_body
from service.http.sending import CHUNK_BYTES, hold_until_sent
from service.limits.admission import waiting
from service.server.disconnect import Disconnect
from service.services import services

log = logging.getLogger(__name__)

RECEIVED_BYTES = 1024 * 1024  # of a body, between two writes


def pass_on(costly: CostlyProcess, limit: int) -> Response:
    """The costly process's answer to this request, with at most `limit` bytes of its body and one more.

    Raises `errors.Unavailable` if that process ends, `errors.TooManyAtOnce`, and what receiving a body raises.
    """
    with _nameless_file(services().blobs.scratch) as body:
        _receive_body(body, limit + 1)
        body.seek(0)
        with waiting(request.environ):
            try:
                return _ask(costly, body)
            except Gone as error:
                raise errors.Unavailable(ENDED) from error


def _nameless_file(folder: Path) -> BinaryIO:
    """A new file, which the costly process can give a name where the system allows it."""
    with suppress(AttributeError, OSError):  # `tempfile` forbids that a name is given
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))


def _receive_body(file: BinaryIO, most: int) -> None:
    if has_short_body():  # a view may have read it
        file.write(request.get_data())
        return
    while most > 0 and (chunk := request.stream.read(min(RECEIVED_BYTES, most))):
        file.write(chunk)
        most -= len(chunk)


def _ask(costly: CostlyProcess, body: BinaryIO) -> Response:
    """Pass the request on, when it is the tenant's turn. Raises `Gone`."""
    with ExitStack() as turn:
        turn.enter_context(services().costly_turns.slot(tenant()))
        connection = _connect(costly, body)
        send(connection, Kind.REQUEST, orjson.dumps(_description()))
        while (message := receive(connection))[0] is Kind.WAIT:
            turn.close()
            _lend_sandbox(connection)
            turn.enter_context(services().costly_turns.slot(tenant()))
            send(connection, Kind.RESUME)
        return _response(connection, message[1])


def _connect(costly: CostlyProcess, body: BinaryIO) -> socket.socket:
    """A connection that lasts until the client has the answer. Raises `errors.Unavailable`."""
    connection = costly.connect(body)
    hold_until_sent(closing(connection))
    Disconnect.of(request.environ).end(connection)  # but its end is awaited: until then it computes, and has the turn
    return connection


def _description() -> dict[str, object]:
    """What the costly process must know: the environ as far as it is text, and what access control has found out."""
    environ = {name: value for name, value in request.environ.items() if isinstance(value, str)}
    return {"environ": {**environ, "HTTP_X_REQUEST_ID": g.request_id}, "principal": astuple(current_principal())}


def _lend_sandbox(connection: socket.socket) -> None:
    """Let the costly process read a table, when it is the tenant's turn; returns when it has been read."""
    with services().table_reads.slot(tenant()), tabular.connect_to_sandbox() as sandbox:
        Disconnect.of(request.environ).end(sandbox)
        send_descriptor(connection, sandbox.fileno())
        receive(connection)


def _response(connection: socket.socket, start: bytes) -> Response:
    status, headers = orjson.loads(start)
    if status >= 500:
        log.error("the costly process answers with the status %s: its log lines have the details", status)
    chunks = _chunks(connection, Disconnect.of(request.environ))
    response = Response(status=status)
    response.headers = Headers(headers)
    is_short = (response.content_length or CHUNK_BYTES) < CHUNK_BYTES
    response.response = [b"".join(chunks)] if is_short else chunks
    return response


def _chunks(connection: socket.socket, disconnect: Disconnect) -> Iterator[bytes]:
    """The parts of the answer, until its end or that of the client. Raises `Gone`."""
    try:
        while (message := receive(connection))[0] is Kind.CHUNK:
            yield message[1]
    except Gone:
        if not disconnect.has_come:
            raise
