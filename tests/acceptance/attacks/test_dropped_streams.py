"""Event streams and uploads that their clients leave: each frees its slot at once."""

import socket
import time
from contextlib import closing
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from service.streaming.event_stream import COMMENT_SECONDS
from tests.acceptance.attacks.api import SECONDS, Api, running_api
from tests.embedded.running import eventually

pytestmark = pytest.mark.acceptance

LIMITS = {"MAX_EVENT_STREAMS_PER_KEY": "1"}
DROPS = 3
SOON = 10.0  # seconds, a fraction of what the table takes


def opened_stream(api: Api, job_id: str) -> socket.socket | None:
    """A connection on which the first event of the job has come; None if it was refused."""
    connection = socket.create_connection(("127.0.0.1", api.port), 60)
    request = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.write}\r\n\r\n"
    connection.sendall(request.encode())
    received = b""
    while b"event: status" not in received:
        received += connection.recv(65536)
        if received.startswith(b"HTTP/1.1 429"):
            connection.close()
            return None
    return connection


def test_a_stream_whose_client_leaves_frees_its_slot_before_anything_is_written_to_it(tmp_path: Path) -> None:
    with running_api(tmp_path, LIMITS) as api, api.http() as http:
        dataset = http.post("/v1/datasets", json={"sample": "iris"}).json()["id"]
        job_id = http.post("/v1/jobs", json={"dataset_id": dataset, "target": "species"}).json()["id"]
        connection = opened_stream(api, job_id)
        for _ in range(DROPS):
            assert connection is not None
            with closing(connection):
                assert opened_stream(api, job_id) is None
                time.sleep(0.5)  # the stream waits for the next change of its job
            left_at = time.monotonic()
            while (connection := opened_stream(api, job_id)) is None:
                time.sleep(0.05)
            assert time.monotonic() - left_at < COMMENT_SECONDS / 2
        assert connection is not None
        connection.close()


def cpu_seconds(api: Api) -> dict[psutil.Process, float]:
    """What the processes below the API have used: of them those that parse tables."""
    return {each: sum(each.cpu_times()[:2]) for each in psutil.Process(api.pid).children(recursive=True)}


def test_a_small_body_that_unpacks_to_a_long_table_is_no_longer_read_when_its_client_leaves(api: Api) -> None:
    body = pa.compress(b"1,2\n" * 40_000_000, "zstd", asbytes=True)
    before = cpu_seconds(api)

    def parsers() -> list[psutil.Process]:
        return [each for each, seconds in cpu_seconds(api).items() if seconds > before.get(each, 0) + 0.5]

    head = f"Host: localhost\r\nAuthorization: Bearer {api.write}\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", api.port), 60) as connection:
        connection.sendall(f"POST /v1/datasets HTTP/1.1\r\n{head}\r\n".encode() + body)
        eventually(lambda: bool(parsers()), SECONDS)
        working = parsers()
    assert len(body) < 16 * 1024
    assert not psutil.wait_procs(working, SOON)[1]
