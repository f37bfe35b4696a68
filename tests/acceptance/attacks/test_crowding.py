"""Attacks by numbers: many requests of one key, which wait in lines of their own, so that other tenants are served."""

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.acceptance.attacks.api import CSV, JSON, SECONDS, Api

pytestmark = pytest.mark.acceptance

COLUMNS = 4_000
WIDE = (
    ",".join(f"c{n}" for n in range(COLUMNS))
    + "\n"
    + "".join(",".join([f"{row}.5"] * COLUMNS) + "\n" for row in range(20))
).encode()


@contextmanager
def posts(api: Api, body: bytes, headers: dict[str, str], number: int) -> Iterator[Counter[int]]:
    """During the block, so many simultaneous uploads of this body; counts their statuses."""
    sent = {"Host": "localhost", "Authorization": f"Bearer {api.write}", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    raw = f"POST /v1/datasets HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode() + body
    statuses = Counter[int]()
    with ExitStack() as opened:
        connections = [
            opened.enter_context(closing(socket.create_connection(("127.0.0.1", api.port)))) for _ in range(number)
        ]
        for connection in connections:
            connection.sendall(raw)
        yield statuses
        statuses.update(map(status, connections))


def status(connection: socket.socket) -> int:
    """The status of the answer; one of 429 says when to try again."""
    connection.settimeout(SECONDS)
    answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    found = int(answer.split()[1])
    assert (found == 429) == ("retry-after: " in answer)
    return found


def sample_seconds(api: Api) -> float:
    """How long the other tenant's sample of four rows takes."""
    began = time.monotonic()
    with api.http(api.other) as http:
        assert http.post("/v1/datasets", json={"sample": "xor"}).status_code == 201
    return time.monotonic() - began


def test_hundreds_of_small_posts_and_wide_uploads_leave_the_probes_and_other_tenants_alone(api: Api) -> None:
    with api.observed() as seen, posts(api, WIDE, CSV, 2) as wide, posts(api, b"{}", JSON, 610) as small:
        time.sleep(0.5)
        waited = sample_seconds(api)
    assert set(wide) <= {201, 429}
    assert set(small) <= {422, 429}
    assert small[429] > 400
    assert waited < 5 * seen.slowness
    seen.check(seconds=30, mib=300)
    assert seen.p99("/readyz") < seen.slowness


def test_wide_uploads_do_not_delay_the_sample_of_another_tenant(api: Api) -> None:
    with api.observed() as seen, posts(api, WIDE, CSV, 5) as wide:
        time.sleep(1)
        waited = max(sample_seconds(api) for _ in range(3))
    assert wide[201] == 5
    assert waited < 5 * seen.slowness
    seen.check(seconds=30, mib=300)
