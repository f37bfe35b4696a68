"""The API's server against hostile clients: other clients are still answered."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from backpropd.config import Settings
from backpropd.store import keys
from backpropd.store.sql.database import Database
from tests.embedded.running import Running, eventually, is_listening, running
from tests.servers import free_port
from worker.migrate import run as migrate

pytestmark = pytest.mark.acceptance

CARD_NUMBER = "4111111111111111"  # must not appear in logs
LOW_LIMITS = {
    "THREADS": "12",
    "MAX_BODIES": "6",
    "MAX_BODIES_PER_KEY": "3",
    "BODY_GRACE_SECONDS": "3",
    "LOG_FORMAT": "json",
    "LOG_REQUESTS": "true",
}
JSON = b"Content-Type: application/json\r\n"
CSV = b"Content-Type: text/csv\r\n"


@dataclass
class Server:
    """A running API in the mode `keys`, its log, and the API keys of two tenants."""

    port: int
    log: Running
    key: str
    other: str

    def http(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=10)

    @contextmanager
    def send(self, raw: bytes) -> Iterator[socket.socket]:
        """A connection on which these bytes were sent, or those before a rejection."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=10)) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(raw)
            yield connection

    def post(self, *headers: bytes, body: bytes = b"", path: bytes = b"/v1/datasets") -> bytes:
        """The bytes of a POST with the first key."""
        own = [b"Host: localhost\r\n", b"Authorization: Bearer %s\r\n" % self.key.encode(), *headers]
        return b"POST %s HTTP/1.1\r\n%s\r\n%s" % (path, b"".join(own), body)

    def answer(self, raw: bytes) -> bytes:
        """The response, until the server closes the connection or is silent for a second."""
        received = b""
        with self.send(raw) as connection:
            try:
                while chunk := connection.recv(65536):
                    received += chunk
                    connection.settimeout(1)
            except (TimeoutError, ConnectionResetError):
                pass
        return received


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    settings = Settings(data_dir=folder).with_defaults()
    migrate(settings)
    database, port = Database(settings.database_url), free_port()
    with database.write() as session:
        texts = [keys.create(session, tenant, None, ["write"], None)[1] for tenant in ("us", "them")]
    database.dispose()
    own = {"BACKPROPD_MODE": "keys", "BACKPROPD_PORT": str(port), "BACKPROPD_DATA_DIR": str(folder)}
    environment = {**os.environ, **own, **{f"BACKPROPD_{name}": value for name, value in LOW_LIMITS.items()}}
    command = [sys.executable, "-m", "service"]
    with running(command, Path(__file__).parents[2], environment) as log:
        eventually(lambda: is_listening(port), 120)
        yield Server(port, log, *texts)
        assert log.stop() == 0


@pytest.fixture(autouse=True)
def still_serving(server: Server) -> Iterator[None]:
    """After each test, the other tenant is served."""
    yield
    with server.http(server.other) as http:
        assert http.get("/healthz").status_code == 200
        assert http.post("/v1/datasets", json={"sample": "iris"}).status_code == 201


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n", b"abcd"),
        (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
        (b"Content-Length: 4\r\nContent-Length: 5\r\n", b"abcde"),
        (b"Content-Length: +4\r\n", b"abcd"),
        (b"Content-Length: -4\r\n", b"abcd"),
        (b"Content-Length: 4, 4\r\n", b"abcd"),
        (b"Content-Length : 4\r\n", b"abcd"),
        (b"X-A: 1\r\n b\r\n", b""),
        (b"X-A: a\0b\r\n", b""),
        (CHUNKED, b"ZZ\r\nabc\r\n0\r\n\r\n"),
        (CHUNKED, b"FFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"),
        (CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
        (CHUNKED + CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Host: another\r\nContent-Length: 2\r\n", b"{}"),
    ],
)
def test_ambiguous_requests_are_rejected_and_the_connection_is_closed(
    server: Server, headers: bytes, body: bytes
) -> None:
    smuggled = b"GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = server.answer(server.post(JSON, headers, body=body + smuggled, path=b"/v1/jobs"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 2_000_000 + b"\r\n\r\n", b"431"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X-A: 1\r\n" * 5000 + b"\r\n", b"431"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"HTTP/1.0 200"),
    ],
)
def test_oversized_and_malformed_requests_are_rejected(server: Server, raw: bytes, status: bytes) -> None:
    assert server.answer(raw).removeprefix(b"HTTP/1.1 ").startswith(status)


@pytest.mark.parametrize("path", ["//healthz", "/%2Fhealthz", "//v1/jobs", "///v1/jobs", "/v1//jobs", "//readyz", "//"])
def test_a_path_with_more_slashes_is_another_path(server: Server, path: str) -> None:
    lines = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
    assert server.answer(f"{lines}\r\n".encode()).startswith(b"HTTP/1.1 401 ")
    answer = server.answer(f"{lines}Authorization: Bearer {server.key}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code":"not_found"' in answer


def test_a_missing_key_is_rejected_before_the_body_is_read(server: Server) -> None:
    raw = b"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\n" + CSV + b"Content-Length: 1000000000\r\n\r\na,b\n"
    answer = server.answer(raw)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"granian" not in answer.lower()


def test_many_slow_clients_do_not_block_another_tenant(server: Server) -> None:
    slow = server.post(CSV, b"Content-Length: 100000\r\n", body=b"a,b\n")
    with ExitStack() as connections:
        for _ in range(30):
            connections.enter_context(server.send(slow))
        for _ in range(100):
            connections.enter_context(server.send(b"GET /v1/jobs HTTP/1.1\r\nHost: local"))
        last = connections.enter_context(server.send(slow))
        assert last.recv(100).startswith(b"HTTP/1.1 429 ")
        with server.http(server.other) as http:
            for _ in range(5):
                assert http.get("/v1/jobs").status_code == 200
                assert http.post("/v1/datasets", json={"sample": "iris"}).status_code == 201

    eventually(lambda: upload(server) == 201)


def upload(server: Server) -> int:
    """The status of an upload whose body is received in chunks."""
    with server.http(server.key) as http:
        content = iter([b"a,b\n", b"1,2\n"])
        return http.post("/v1/datasets", content=content, headers={"Content-Type": "text/csv"}).status_code


def read_answer(connection: socket.socket) -> bytes:
    """The response, until the server closes the connection."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


FORM = b"Content-Type: multipart/form-data; boundary=edge\r\n"
FORM_BEGINS = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n'


@pytest.mark.parametrize(
    ("headers", "begins"),
    [
        (CSV + b"Content-Length: 100000\r\n", b"a,b\n"),
        (JSON + b"Content-Length: 100000\r\n", b""),
        (FORM + b"Content-Length: 1000\r\n", FORM_BEGINS),
        (CSV + CHUNKED, b"4\r\na,b\n\r\n"),
        (CSV + CHUNKED, b"4;x="),  # a chunk extension is not a body
    ],
)
def test_a_stalled_body_frees_its_slot_while_its_client_stays_connected(
    server: Server, headers: bytes, begins: bytes
) -> None:
    with ExitStack() as connections:
        silent = [connections.enter_context(server.send(server.post(headers, body=begins))) for _ in range(3)]
        with server.http(server.key) as http:
            eventually(lambda: upload(server) == 429)
            assert (
                http.post("/v1/datasets", json={"sample": "iris"}).status_code == 201
            )  # a body that has arrived needs no slot
            for connection in silent:
                assert_timed_out(connection)
            assert upload(server) == 201


def assert_timed_out(connection: socket.socket) -> None:
    answer = read_answer(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert b"connection: close" in answer.lower()
    assert b'"code":"request_timeout"' in answer


def test_stalled_small_bodies_take_no_slots(server: Server) -> None:
    with ExitStack() as connections:
        silent = [
            connections.enter_context(server.send(server.post(JSON, b"Content-Length: 1000\r\n"))) for _ in range(30)
        ]
        with server.http(server.key) as http:
            assert {http.post("/v1/datasets", json={"sample": "iris"}).status_code for _ in range(5)} == {201}
        for connection in silent:
            assert_timed_out(connection)


def test_a_body_that_trickles_times_out_and_one_that_is_slow_is_accepted(server: Server) -> None:
    trickling = server.send(server.post(CSV, b"Content-Length: 100000\r\n", body=b"a,b\n"))
    lines = [b"%d,2\n" % number * 150 for number in range(10)]
    length = b"Content-Length: %d\r\n" % (4 + sum(map(len, lines)))
    with trickling as trickle, server.send(server.post(CSV, length, body=b"a,b\n")) as slow:
        for line in lines:  # five seconds of 1200 bytes each
            time.sleep(0.5)
            slow.sendall(line)
            with suppress(OSError):
                trickle.sendall(b"1")
        assert slow.recv(100).startswith(b"HTTP/1.1 201 ")
        with suppress(ConnectionResetError):  # the client sent a byte after the response
            assert trickle.recv(100).startswith(b"HTTP/1.1 408 ")
    eventually(lambda: any('"status": 408' in line for line in list(server.log.lines)))


def test_a_chunked_upload_that_breaks_off_creates_no_dataset(server: Server) -> None:
    with server.http(server.key) as http:
        before = len(http.get("/v1/datasets?limit=100").json()["data"])
        rejected = sum('"status": 400' in line for line in list(server.log.lines))
        with server.send(server.post(CSV, CHUNKED, body=b"8\r\na,b\n1,2\n\r\n")):
            pass
        eventually(lambda: sum('"status": 400' in line for line in list(server.log.lines)) > rejected)
        assert len(http.get("/v1/datasets?limit=100").json()["data"]) == before


def test_an_incomplete_upload_creates_no_dataset(server: Server) -> None:
    with server.http(server.key) as http:
        before = len(http.get("/v1/datasets?limit=100").json()["data"])
        with server.send(server.post(CSV, b"Content-Length: 1000\r\n", body=b"a,b\n1,2\n")):
            pass
        with server.send(server.post(JSON, b"Content-Length: 1000\r\n", body=b'{"sample": "iris"}')):
            pass
        eventually(lambda: sum('"status": 400' in line for line in list(server.log.lines)) >= 2)
        assert len(http.get("/v1/datasets?limit=100").json()["data"]) == before


def test_the_log_has_each_request_and_no_key_and_no_row(server: Server) -> None:
    with server.http(server.key) as http:
        broken = f"a,b\n{CARD_NUMBER},2\n{CARD_NUMBER},3,4\n"
        assert (
            http.post("/v1/datasets?strict=true", content=broken, headers={"Content-Type": "text/csv"}).status_code
            == 422
        )
        http.get(f"/v1/datasets?cursor={CARD_NUMBER}", headers={"X-Request-ID": "mine"})
        http.get("/v1/jobs", headers={"Authorization": f"Bearer {server.key}x"})
    eventually(lambda: '"mine"' in server.log.output)
    lines = [json.loads(line) for line in list(server.log.lines)]
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)
    mine = next(line for line in lines if line.get("request_id") == "mine")
    assert (mine["tenant"], mine["route"], mine["status"]) == ("us", "/v1/datasets", 422)
    secrets = [key.rpartition("_")[2] for key in (server.key, server.other)]
    assert not [secret for secret in (*secrets, CARD_NUMBER) if secret in server.log.output]
