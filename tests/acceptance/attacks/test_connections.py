"""Attacks by connections that send nothing: others are served, and the idle ones are closed."""

import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.acceptance.attacks.api import Api

pytestmark = pytest.mark.acceptance

NUMBER = 2_000  # half send nothing, half nothing after their first request
CLOSED_AFTER = 10.0  # seconds, as SECURITY.md says
LATE = 30.0  # more, on a busy machine


@pytest.fixture(autouse=True)
def many_open_files() -> Iterator[None]:
    """Allow this process a file for each connection."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(NUMBER + 1_000, before[1])), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def idle_connections(api: Api) -> Iterator[list[socket.socket]]:
    """So many open connections."""
    with ExitStack() as opened:
        connections = [
            opened.enter_context(closing(socket.create_connection(("127.0.0.1", api.port), 10))) for _ in range(NUMBER)
        ]
        for connection in connections[::2]:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield connections


def number_closed(connections: list[socket.socket], seconds: float) -> int:
    """How many connections the server has closed after at most so many seconds."""
    until = time.monotonic() + seconds
    left = {connection.fileno(): connection for connection in connections}
    with closing(select.epoll()) as poll:
        for file in left:
            poll.register(file, select.EPOLLIN)
        while (ready := poll.poll(1 if seconds else 0)) or (left and time.monotonic() < until):
            for file, _ in ready:
                if not left[file].recv(65536):
                    poll.unregister(file)
                    del left[file]
    return len(connections) - len(left)


def test_thousands_of_idle_connections_keep_nobody_out_and_are_closed(api: Api) -> None:
    with api.observed() as seen, idle_connections(api) as connections:
        with api.http(api.other) as http:
            assert http.get("/v1/jobs").status_code == 200
        assert number_closed(connections, 0) == 0, "the other tenant had to wait until idle connections were closed"
        assert number_closed(connections, CLOSED_AFTER + LATE) == NUMBER
    seen.check(seconds=CLOSED_AFTER + LATE, mib=150)
