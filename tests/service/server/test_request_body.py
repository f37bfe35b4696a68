"""Request bodies and their minimum rate, in real time, with an event loop in a thread as in the server."""

import asyncio
import gc
import time
import weakref
from collections.abc import Sequence
from io import BufferedReader
from typing import Any

import pytest

from backpropd import errors
from service.server.request_body import SMALL_BYTES, MinRate, RequestBody
from tests.embedded.running import eventually

RATE = MinRate(1000, 0.5)
SILENCE = 8.0


def body(
    loop: asyncio.AbstractEventLoop, script: Sequence[tuple[float, bytes | None]], length: int = -1
) -> BufferedReader:
    """A body whose chunks come after so many seconds each; None is a client that disconnects."""
    steps = iter(script)

    async def receive() -> dict[str, Any]:
        seconds, chunk = next(steps, (0.0, b""))
        await asyncio.sleep(seconds)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    return BufferedReader(RequestBody(receive, loop, RATE, length))


def test_a_body_is_read_as_it_was_sent_whatever_the_chunk_sizes(loop: asyncio.AbstractEventLoop) -> None:
    sent = [bytes([number]) * number * 100 for number in range(1, 60)]
    whole = b"".join(sent)
    assert body(loop, [(0, chunk) for chunk in sent]).read() == whole
    pieces = body(loop, [(0, chunk) for chunk in sent])
    assert b"".join(iter(lambda: pieces.read(777), b"")) == whole
    assert pieces.read(10) == b""
    assert body(loop, []).read(10) == b""


def test_a_body_ends_when_all_of_its_length_was_received(loop: asyncio.AbstractEventLoop) -> None:
    reading = body(loop, [(0, b"abc"), (0, b"def"), (SILENCE, b"")], 6)
    began = time.monotonic()
    assert reading.read() == b"abcdef"
    assert time.monotonic() - began < SILENCE / 2


def test_a_body_above_the_minimum_rate_may_take_long(loop: asyncio.AbstractEventLoop) -> None:
    assert len(body(loop, [(0.1, b"x" * 300)] * 12).read()) == 3600


@pytest.mark.parametrize(
    "script",
    [
        [(SILENCE, b"x")],
        [(0, b"x" * 10), (SILENCE, b"x")],
        [(0.02, b"x")] * 1000,  # without a pause, but slow
        [(0, b"x" * 10_000_000), (SILENCE, b"x")],  # fast at first, then silent
    ],
)
def test_a_body_below_the_minimum_rate_times_out(
    loop: asyncio.AbstractEventLoop, script: list[tuple[float, bytes]]
) -> None:
    began = time.monotonic()
    with pytest.raises(errors.RequestTimeout, match=r"less than 1000 bytes a second for more than 0\.5 seconds"):
        body(loop, script).read()
    assert 0.4 < time.monotonic() - began < 5


def test_a_body_that_timed_out_releases_its_connection(loop: asyncio.AbstractEventLoop) -> None:
    """The server closes a connection with an unread body when nothing refers to the body any more."""
    gc.disable()
    try:
        reading = body(loop, [(SILENCE, b"x")])
        released = weakref.ref(reading.raw)
        with pytest.raises(errors.RequestTimeout):
            reading.read()
        del reading
        eventually(lambda: released() is None)
    finally:
        gc.enable()


def test_pauses_between_two_reads_do_not_count_against_the_client(loop: asyncio.AbstractEventLoop) -> None:
    reading = body(loop, [(0, b"x" * 10)] * 5)
    got = b""
    while piece := reading.read(10):
        got += piece
        time.sleep(0.2)
    assert len(got) == 50


def receive_small(loop: asyncio.AbstractEventLoop, reading: BufferedReader) -> bool:
    raw = reading.raw
    assert isinstance(raw, RequestBody)
    return asyncio.run_coroutine_threadsafe(raw.receive_small(), loop).result(timeout=SILENCE / 2)


@pytest.mark.parametrize(
    ("first", "length", "received"),
    [((0, b"abcdef"), 6, True), ((0, b"abc"), 6, False), ((0, None), 6, False)],
)
def test_a_small_body_is_received_in_the_event_loop(
    loop: asyncio.AbstractEventLoop, first: tuple[float, bytes | None], length: int, received: bool
) -> None:
    reading = body(loop, [first, (0, b"def")], length)
    assert receive_small(loop, reading) is received
    if first == (0, None):
        with pytest.raises(errors.Malformed):
            reading.read()
    else:
        assert reading.read() == b"abcdef"


def test_a_small_body_that_does_not_come_takes_no_thread(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(errors.RequestTimeout):
        receive_small(loop, body(loop, [(SILENCE, b"abcdef")], 6))


@pytest.mark.parametrize("length", [-1, 0, SMALL_BYTES + 1])
def test_a_body_not_known_to_be_small_is_left_to_the_thread(loop: asyncio.AbstractEventLoop, length: int) -> None:
    reading = body(loop, [(SILENCE, b"x")], length)
    assert receive_small(loop, reading) is False


def test_an_incomplete_body_is_an_error(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(errors.Malformed, match="before the body was complete"):
        body(loop, [(0, b"a,b\n1,2\n"), (0, None)]).read()
