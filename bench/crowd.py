"""Many clients that follow event streams, in a process of their own: what they cost is not the service's."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

EVENT = b"event: epoch"
OK = b"HTTP/1.1 200"


class Crowd:
    """The clients, and how many events of epochs have come to all of them."""

    def __init__(self, counts: Connection) -> None:
        self._counts = counts

    def events(self) -> int:
        """How many have come until now."""
        self._counts.send(None)
        count: int = self._counts.recv()
        return count


@contextmanager
def crowd(address: str, job_ids: Sequence[str], last_event_id: str = "0-0") -> Iterator[Crowd]:
    """A client for each of these jobs, however often it is named; each begins after `last_event_id`."""
    context = get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_follow, args=(address, job_ids, last_event_id, theirs), daemon=True)
    process.start()
    try:
        assert mine.recv() == 0, "nobody has been answered yet"
        yield Crowd(mine)
    finally:
        process.terminate()
        process.join()


def _follow(address: str, job_ids: Sequence[str], last_event_id: str, asked: Connection) -> None:
    """Open the streams, say so, and count, and answer who asks for the count."""
    selector = selectors.DefaultSelector()
    for job_id in job_ids:
        selector.register(_open(address, job_id, last_event_id), selectors.EVENT_READ, bytearray())
    asked.send(0)
    selector.register(asked, selectors.EVENT_READ)
    events = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is asked:
                asked.recv()
                asked.send(events)
            else:
                events += _read(selector, key)


def _open(address: str, job_id: str, last_event_id: str) -> socket.socket:
    """A stream. One whose client has gone holds its place until it is written to: then this one waits."""
    where = urlsplit(address)
    head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {where.netloc}\r\nLast-Event-ID: {last_event_id}\r\n\r\n"
    while True:
        stream = socket.create_connection((where.hostname, where.port), timeout=30)
        stream.sendall(head.encode())
        if stream.recv(len(OK)) == OK:
            return stream
        stream.close()
        time.sleep(0.5)


def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> int:
    """How many events have come; one that came half is counted with its second half."""
    stream, tail = key.fileobj, key.data
    assert isinstance(stream, socket.socket)
    if not (came := stream.recv(1 << 16)):
        selector.unregister(stream)
        return 0
    tail += came
    events = tail.count(EVENT)
    del tail[: 1 - len(EVENT)]
    return events
