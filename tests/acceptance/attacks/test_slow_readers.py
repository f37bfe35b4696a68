"""Attacks by clients that do not read: their answers do not stay in memory, and their connections are closed."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from tests.acceptance.attacks.api import SECONDS, Api, running_api
from tests.embedded.running import eventually

pytestmark = pytest.mark.acceptance

LIMITS = {"ANSWER_GRACE_SECONDS": "40", "ANSWER_BYTES_PER_SECOND": "100000", "MAX_REQUESTS_PER_KEY": "6"}
CELLS = 100  # in a row, and rows
CELL = "text " * 180  # of ten megabytes in all, more than the buffers of a connection hold


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API that gives clients little time and few requests."""
    with running_api(tmp_path_factory.mktemp("impatient"), LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def long_answer(impatient: Api) -> str:
    """The path of a long answer."""
    header = ",".join(f"column {number}" for number in range(CELLS)) + "\n"
    rows = (",".join(f"{CELL}{row}" for _ in range(CELLS)) + "\n" for row in range(CELLS))
    return f"/v1/datasets/{impatient.upload(header + ''.join(rows))}/rows?limit={CELLS}"


def get(api: Api, path: str) -> socket.socket:
    """A connection on which a GET was sent, and whose system accepts little that is not read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.settimeout(SECONDS)
    connection.connect(("127.0.0.1", api.port))
    lines = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.read}\r\nConnection: close\r\n\r\n"
    connection.sendall(lines.encode())
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed the connection, though this side has not read everything."""
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(0))


def test_answers_that_nobody_reads_hold_their_slots_until_their_connections_are_closed(
    impatient: Api, long_answer: str
) -> None:
    with impatient.observed() as seen, ExitStack() as opened:
        silent = [opened.enter_context(closing(get(impatient, long_answer))) for _ in range(5)]
        trickling = opened.enter_context(closing(get(impatient, long_answer)))
        for connection in [*silent, trickling]:
            connection.recv(1)  # each has its slot when its answer begins
        with impatient.http(impatient.read) as http:
            assert http.get("/v1/limits").status_code == 429
        while not all(map(is_closed, [*silent, trickling])):
            with suppress(ConnectionResetError):
                trickling.recv(1000)
            time.sleep(0.1)
    seen.check(seconds=60, mib=400)
    with impatient.http(impatient.read) as http:
        assert http.get("/v1/limits").status_code == 200
    assert not list((impatient.settings.data_dir / "scratch").iterdir())


def test_a_client_that_reads_slowly_but_steadily_gets_its_whole_answer(impatient: Api, long_answer: str) -> None:
    received = b""
    with closing(get(impatient, long_answer)) as connection:
        while chunk := connection.recv(60_000):
            received += chunk
            time.sleep(0.1)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    assert len(body) > CELLS * CELLS * len(CELL)


def test_an_event_stream_that_its_client_drops_frees_its_slot_at_once(api: Api) -> None:
    dataset_id = api.upload("a,b\n" + "1,2\n3,5\n" * 20)
    with api.http() as http, ExitStack() as opened:
        job_id = http.post("/v1/jobs", json={"dataset_id": dataset_id, "target": "b"}).json()["id"]
        path, most = f"/v1/jobs/{job_id}/events", http.get("/v1/limits").json()["event_streams"]
        streams = [opened.enter_context(closing(get(api, path))) for _ in range(most)]
        assert all(stream.recv(100).startswith(b"HTTP/1.1 200 ") for stream in streams)
        with closing(get(api, path)) as another:
            assert another.recv(100).startswith(b"HTTP/1.1 429 ")
        streams.pop().close()

        def opens() -> bool:
            streams.append(opened.enter_context(closing(get(api, path))))
            return streams[-1].recv(100).startswith(b"HTTP/1.1 200 ")

        eventually(opens, 5)
