"""What a hostile tenant does with a key of the scope `write`: attacks, each until its process is ended.

An attacker is another machine. Here its process has a session of its own and the lowest priority, so that the time it
computes is not taken from the service and the honest clients. Where both cores are busy it also sends less than another
machine could: `sent` shows how much.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from typing import NamedTuple

import orjson

from backpropd import session_priority
from backpropd.client import Client

THREADS = 8  # of an attack that waits for its answers
CLASSES, COLUMNS = 900, 20_000
SMALL, ENDLESS = {"hidden": [{"units": 2}]}, 9_999_999
MILLION = 1_000_000
SILENT, SLOW, TINY, STREAMS = 40, 64, 600, 300  # connections
LOWEST = 19  # niceness
PAUSE = 0.1  # seconds, before a refused connection is opened again
JSON, CSV = "application/json", "text/csv"


_sent: Synchronized[int]  # requests, in the attack's process


class Target(NamedTuple):
    """The service, the key, and what the hostile tenant stored before."""

    port: int
    key: str
    model: str  # of `CLASSES` classes
    table: str  # of `COLUMNS` columns
    job: str  # that is paused


@contextmanager
def attacking(name: str, target: Target) -> Iterator[Callable[[], int]]:
    """Run this attack in a process of its own for the duration of the block; yields a count of its requests."""
    context = get_context("spawn")
    sent = context.Value("q", 0)
    process = context.Process(target=_run, args=(name, target, sent), daemon=True)
    process.start()
    try:
        while not sent.value and process.is_alive():
            time.sleep(PAUSE)
        yield lambda: int(sent.value)
        assert process.is_alive(), f"the attack ended: {name}"
    finally:
        process.kill()
        process.join()


def prepare(port: int, key: str) -> Target:
    """Store a model of many classes, a wide table and a paused job."""
    with Client(f"http://127.0.0.1:{port}", key) as client:
        labels = "".join(f"{n % 89},{n % 97},c{n % CLASSES}\n" for n in range(20 * CLASSES))
        many = client.datasets.upload(BytesIO(f"a,b,label\n{labels}".encode()))["id"]
        table = client.datasets.upload(BytesIO(_wide(COLUMNS, 4)))["id"]
        trained = client.jobs.create(many, "label", network=SMALL, training={"epochs": 1})
        model = str(client.jobs.wait(trained["id"])["model_id"])
        paused = client.jobs.create(many, "label", network=SMALL, training={"epochs": ENDLESS})["id"]
        client.jobs.pause(paused)
        return Target(port, key, model, table, paused)


def _run(name: str, target: Target, sent: Synchronized[int]) -> None:
    global _sent
    _sent = sent
    os.setsid()
    session_priority.lower(LOWEST)
    ATTACKS[name](target)


def _rows(row: bytes, count: int) -> bytes:
    return b'{"rows": [' + b",".join([row] * count) + b"]}"


def _wide(columns: int, rows: int) -> bytes:
    lines = (",".join(f"{row}.{n % 7}" for n in range(columns)) for row in range(rows))
    return "\n".join([",".join(f"c{n}" for n in range(columns)), *lines]).encode()


def _in_threads(work: Callable[[], None], count: int) -> None:
    """Call it again and again in so many threads."""
    threads = [threading.Thread(target=_repeat, args=(work,), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _repeat(work: Callable[[], None]) -> None:
    while True:
        try:
            work()
        except (OSError, HTTPException):
            time.sleep(PAUSE)


def _request(target: Target, method: str, path: str, body: bytes | None = None, kind: str = JSON) -> None:
    """Send a request, and read its answer without keeping it."""
    http = HTTPConnection("127.0.0.1", target.port, timeout=60)
    _count()
    try:
        http.request(method, path, body, {"Authorization": f"Bearer {target.key}", "Content-Type": kind})
        answer = http.getresponse()
        while answer.read(1 << 16):
            pass
    finally:
        http.close()


def _count() -> None:
    with _sent.get_lock():
        _sent.value += 1


def _open(target: Target, request: str, *headers: str, body: bytes = b"") -> socket.socket:
    """A connection on which this was sent."""
    connection = socket.create_connection(("127.0.0.1", target.port), timeout=60)
    _count()
    lines = (f"{request} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {target.key}", *headers, "", "")
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


def _post_again(target: Target, path: str, body: bytes, kind: str = JSON) -> None:
    _in_threads(lambda: _request(target, "POST", path, body, kind), THREADS)


def _zeros(target: Target) -> None:
    _post_again(target, f"/v1/models/{target.model}/predictions", _rows(b"0", MILLION))


def _long_lists(target: Target) -> None:
    names = [f"c{n}" for n in range(COLUMNS)]
    job = {"dataset_id": target.table, "target": names, "features": names, "kinds": dict.fromkeys(names, "word")}
    _post_again(target, "/v1/jobs?dry_run=true", orjson.dumps(job))


def _wide_uploads(target: Target) -> None:
    _post_again(target, "/v1/datasets", _wide(4000, 50), CSV)


def _tiny_posts(target: Target) -> None:
    def post() -> None:
        opened = [_open(target, "POST /v1/jobs", f"Content-Type: {JSON}", "Content-Length: 2") for _ in range(TINY)]
        for connection in opened:
            with suppress(OSError):
                connection.sendall(b"{}")
        for connection in opened:
            with suppress(OSError):
                connection.recv(1)
            connection.close()

    _in_threads(post, 1)


def _silent_readers(target: Target) -> None:
    _hold(lambda: _open(target, f"GET /v1/datasets/{target.table}"), SILENT)


def _large_answers(target: Target) -> None:
    posts = itertools.cycle(
        [
            ("POST", f"/v1/models/{target.model}/predictions", _rows(b"[1,2]", 4000)),
            ("GET", f"/v1/datasets/{target.table}/rows?limit=1000", None),
            ("GET", f"/v1/datasets/{target.table}", None),
        ]
    )
    _in_threads(lambda: _request(target, *next(posts)), THREADS)


def _empty_rows(target: Target) -> None:
    _post_again(target, f"/v1/models/{target.model}/predictions", _rows(b"[]", MILLION - 2))


def _slow_bodies(target: Target) -> None:
    path = f"POST /v1/models/{target.model}/predictions"

    def trickle() -> None:
        headers = (f"Content-Type: {JSON}", "Content-Length: 30000000")
        with _open(target, path, *headers, body=b'{"rows": [') as connection:
            while True:
                connection.sendall(b"[1,2]," * 400)
                time.sleep(1)

    _in_threads(trickle, SLOW)


def _urgent_jobs(target: Target) -> None:
    job = {"dataset_id": target.table, "target": "c0", "features": ["c1", "c2"], "network": SMALL, "priority": 10}
    body = orjson.dumps(job | {"training": {"epochs": ENDLESS}})

    def post() -> None:
        _request(target, "POST", "/v1/jobs", body)
        time.sleep(PAUSE)

    _in_threads(post, 2)


def _streams(target: Target) -> None:
    _hold(lambda: _open(target, f"GET /v1/jobs/{target.job}/events"), STREAMS)


def _hold(connect: Callable[[], socket.socket], count: int) -> None:
    """Keep so many connections open, and read nothing; those that the service closes are opened again."""

    def keep() -> None:
        with connect() as connection:
            while connection.recv(1, socket.MSG_PEEK):
                time.sleep(1)
        time.sleep(PAUSE)

    _in_threads(keep, count)


ATTACKS: dict[str, Callable[[Target], None]] = {
    "a million zeros as rows": _zeros,
    "a million empty rows": _empty_rows,
    "lists of 20,000 names": _long_lists,
    "wide uploads": _wide_uploads,
    "600 tiny posts": _tiny_posts,
    "readers that do not read": _silent_readers,
    "large answers": _large_answers,
    "slow bodies": _slow_bodies,
    "event streams": _streams,
    "jobs of priority 10": _urgent_jobs,  # the last, because they go on
}
