"""The costly process's side of a costly request: its view runs here, and the answer goes back in parts."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import BinaryIO

import orjson
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars

from service.auth.principal import Principal
from service.costly.messages import Gone, Kind, receive, receive_descriptor, send
from service.http import request_hooks, sending

FRONT = "backpropd.front"  # key of the environ: the connection to the front


def answer(app: Flask, connection: socket.socket, body: BinaryIO) -> None:
    """Answer a request that the front has admitted, authenticated and counted."""
    with suppress(Gone):
        described = orjson.loads(receive(connection)[1])
        with app.request_context(_environ(described["environ"], connection, body)):
            g.principal = Principal(*described["principal"])
            request_hooks.begin()
            bind_contextvars(tenant=g.principal.tenant)
            with g.held, closing(_response(app)) as response:
                _send(connection, response)
                connection.recv(1)  # the front closes it when the client has the answer


def _environ(described: dict[str, str], connection: socket.socket, body: BinaryIO) -> dict[str, object]:
    own = {"wsgi.input": body, "wsgi.input_terminated": True, "wsgi.errors": sys.stderr, FRONT: connection}
    return {**described, **own}


def _response(app: Flask) -> Response:
    try:
        response = app.make_response(app.dispatch_request())
    except Gone:
        raise
    except Exception as error:
        response = app.make_response(app.handle_user_exception(error))
    sending.finish(response)
    return response


def _send(connection: socket.socket, response: Response) -> None:
    chunks, _, headers = response.get_wsgi_response(request.environ)
    send(connection, Kind.START, orjson.dumps([response.status_code, headers]))
    for chunk in chunks:
        for begin in range(0, len(chunk), sending.CHUNK_BYTES):
            send(connection, Kind.CHUNK, chunk[begin : begin + sending.CHUNK_BYTES])
    send(connection, Kind.END)


@contextmanager
def borrowed_sandbox(front: socket.socket) -> Iterator[Callable[[], socket.socket]]:
    """A function that gives the connection to the sandbox, once, when it is the tenant's turn to read a table."""
    send(front, Kind.WAIT)
    with socket.socket(fileno=receive_descriptor(front)) as sandbox:
        try:
            yield lambda: sandbox
        finally:
            send(front, Kind.RESUME)
            receive(front)
