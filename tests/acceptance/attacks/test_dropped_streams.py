"""Event streams that their clients leave: each frees its slot at once, although nothing happens to its job."""

import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from service.streaming.event_stream import COMMENT_SECONDS
from tests.acceptance.attacks.api import Api, running_api

pytestmark = pytest.mark.acceptance

LIMITS = {"MAX_EVENT_STREAMS_PER_KEY": "1"}
DROPS = 3


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
