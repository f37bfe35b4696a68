"""The Server-Sent Events of one job: parsed, and resumed after the last event when the connection breaks."""

import json
import math
import time
from collections.abc import Iterator

import httpx

from backpropd.client.errors import ServiceUnreachable, WaitTimeout
from backpropd.client.transport import Transport
from backpropd.client.types import Event

TERMINAL = ("succeeded", "failed", "cancelled")  # the terminal statuses
SILENCE_SECONDS = 60.0  # the service sends comments more often; a stream without them is dead
RECONNECT_SECONDS = 1.0
MAX_RECONNECTS = 60  # failed attempts in a row


class Deadline:
    """When waiting for a job has to end: `seconds` from now, or never."""

    def __init__(self, job_id: str, seconds: float | None) -> None:
        self._job_id = job_id
        self._at = math.inf if seconds is None else time.monotonic() + seconds

    def left(self) -> float:
        """The remaining seconds: at least a few milliseconds, since a timeout of zero is invalid."""
        return max(self._at - time.monotonic(), 0.005)

    def check(self) -> None:
        """Raise `WaitTimeout` after the deadline."""
        if time.monotonic() >= self._at:
            raise WaitTimeout(f"job {self._job_id} did not end in time; it continues")


def events(transport: Transport, path: str, last_event_id: str | None, deadline: Deadline) -> Iterator[Event]:
    """The events after `last_event_id` until the job ends.

    Raises `WaitTimeout`, `ServiceError`, and `ServiceUnreachable` if the first or too many later connections fail.
    """
    reconnects_left = 0
    while True:
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        try:
            with transport.stream(path, headers, min(SILENCE_SECONDS, deadline.left())) as response:
                reconnects_left = MAX_RECONNECTS
                for event in _parse(response, deadline):
                    last_event_id = event.id
                    yield event
                    if event.kind == "status" and event.data["status"] in TERMINAL:
                        return
        except ServiceUnreachable:
            deadline.check()
            if reconnects_left == 0:
                raise
            reconnects_left -= 1
        deadline.check()
        time.sleep(min(RECONNECT_SECONDS, deadline.left()))


def _parse(response: httpx.Response, deadline: Deadline) -> Iterator[Event]:
    """The complete events of a stream. At comments only the deadline is checked."""
    fields: dict[str, str] = {}
    for line in _lines(response):
        deadline.check()
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
        fields = {}


def _lines(response: httpx.Response) -> Iterator[str]:
    """The lines, split at line feeds alone: `iter_lines` also splits at U+2028, which JSON strings may contain."""
    rest = ""
    for text in response.iter_text():
        *lines, rest = (rest + text).split("\n")
        yield from lines
