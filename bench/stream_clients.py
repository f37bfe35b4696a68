"""Many clients that follow event streams, in a process of their own so that the service's CPU time excludes them."""

import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

EVENT = b"event: epoch"
OK = b"HTTP/1.1 200"


@contextmanager
def stream_clients(address: str, job_ids: Sequence[str], last_event_id: str) -> Iterator[Callable[[], int]]:
    """Start a client for each of `job_ids`, which may repeat, after `last_event_id`; yields a count of their events."""
    context = get_context("spawn")
    counts, child_end = context.Pipe()
    process = context.Process(target=_follow, args=(address, job_ids, last_event_id, child_end), daemon=True)
    process.start()
    try:
        assert counts.recv() == 0, "no events before the first request"
        yield lambda: _request_count(counts)
    finally:
        process.terminate()
        process.join()


def _request_count(counts: Connection) -> int:
    counts.send(None)
    return int(counts.recv())


def _follow(address: str, job_ids: Sequence[str], last_event_id: str, requests: Connection) -> None:
    """Open the streams, send 0 when all are open, then count events and answer requests for the count."""
    selector = selectors.DefaultSelector()
    for job_id in job_ids:
        selector.register(_open(address, job_id, last_event_id), selectors.EVENT_READ, bytearray())
    requests.send(0)
    selector.register(requests, selectors.EVENT_READ)
    events = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is requests:
                requests.recv()
                requests.send(events)
            else:
                events += _read(selector, key)


def _open(address: str, job_id: str, last_event_id: str) -> socket.socket:
    """Open a stream; retry while the slots are taken by streams whose clients have closed them."""
    url = urlsplit(address)
    head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {url.netloc}\r\nLast-Event-ID: {last_event_id}\r\n\r\n"
    while True:
        stream = socket.create_connection((url.hostname, url.port), timeout=30)
        stream.sendall(head.encode())
        if stream.recv(len(OK)) == OK:
            return stream
        stream.close()
        time.sleep(0.5)


def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> int:
    """The number of events received; an incomplete one is counted when its rest arrives."""
    stream, tail = key.fileobj, key.data
    assert isinstance(stream, socket.socket)
    if not (received := stream.recv(1 << 16)):
        selector.unregister(stream)
        return 0
    tail += received
    events = tail.count(EVENT)
    del tail[: 1 - len(EVENT)]
    return events
