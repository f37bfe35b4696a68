"""A body may be slow, and not slower than the lowest pace; real seconds, and a loop in a thread as under the server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import Any

import pytest

from backpropd import errors
from service.body import Body, Pace
from service.bridge import environ_of

PACE = Pace(1000, 0.5)
SILENCE = 8.0


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs in a thread of its own."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


def body(loop: asyncio.AbstractEventLoop, script: Sequence[tuple[float, bytes | None]]) -> BufferedReader:
    """A body whose bytes come after so many seconds each; None is a client that leaves."""
    steps = iter(script)

    async def receive() -> dict[str, Any]:
        seconds, chunk = next(steps, (0.0, b""))
        await asyncio.sleep(seconds)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    return BufferedReader(Body(receive, loop, PACE))


def test_a_body_comes_as_it_was_sent_in_whatever_pieces_it_is_read(loop: asyncio.AbstractEventLoop) -> None:
    sent = [bytes([number]) * number * 100 for number in range(1, 60)]
    whole = b"".join(sent)
    assert body(loop, [(0, chunk) for chunk in sent]).read() == whole
    pieces = body(loop, [(0, chunk) for chunk in sent])
    assert b"".join(iter(lambda: pieces.read(777), b"")) == whole
    assert pieces.read(10) == b""
    assert body(loop, []).read(10) == b""


def test_a_body_above_the_pace_may_take_its_time(loop: asyncio.AbstractEventLoop) -> None:
    assert len(body(loop, [(0.1, b"x" * 300)] * 12).read()) == 3600


@pytest.mark.parametrize(
    "script",
    [
        [(SILENCE, b"x")],
        [(0, b"x" * 10), (SILENCE, b"x")],
        [(0.02, b"x")] * 1000,  # never silent, and yet slow
        [(0, b"x" * 10_000_000), (SILENCE, b"x")],  # fast, to be waited for later
    ],
)
def test_a_body_that_falls_behind_the_pace_is_given_up(
    loop: asyncio.AbstractEventLoop, script: list[tuple[float, bytes]]
) -> None:
    began = time.monotonic()
    with pytest.raises(errors.RequestTimeout, match=r"less than 1000 bytes a second for more than 0\.5 seconds"):
        body(loop, script).read()
    assert 0.4 < time.monotonic() - began < 5


def test_the_seconds_for_which_nobody_reads_are_not_the_clients(loop: asyncio.AbstractEventLoop) -> None:
    reading = body(loop, [(0, b"x" * 10)] * 5)
    got = b""
    while piece := reading.read(10):
        got += piece
        time.sleep(0.2)
    assert len(got) == 50


def test_a_body_that_breaks_off_is_not_taken_for_what_has_come(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(errors.Malformed, match="broke off"):
        body(loop, [(0, b"a,b\n1,2\n"), (0, None)]).read()


def test_the_environ_has_what_the_request_has_and_no_header_passes_for_another() -> None:
    scope = {
        "method": "GET",
        "raw_path": b"/v1/%c3%a9%2F%ff",
        "path": "/v1/\xe9/\ufffd",
        "query_string": b"a=%ff",
        "server": ("::1", "8000"),
        "client": ("127.0.0.1", "5000"),
        "http_version": "1.1",
        "scheme": "http",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"text/csv"),
            (b"content-length", b"3"),
            (b"accept", b"a"),
            (b"accept", b"b"),
            (b"content_type", b"application/json"),
            (b"x_request_id", b"another"),
            (b"authorization", b"\xe9"),
        ],
    }
    environ = environ_of(scope)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/v1/\xc3\xa9/\xff", "a=%ff")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["REMOTE_ADDR"]) == ("::1", "8000", "127.0.0.1")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/csv", "3")
    assert (environ["HTTP_HOST"], environ["HTTP_ACCEPT"], environ["HTTP_AUTHORIZATION"]) == ("localhost", "a,b", "\xe9")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_X_REQUEST_ID"} & set(environ)
