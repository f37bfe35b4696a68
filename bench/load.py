"""Requests to a stack: by a few clients one after the other, or at random times at a given rate."""

import json
import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

CLIENTS = 4


class Request(NamedTuple):
    """A POST with this body."""

    path: str
    body: bytes
    kind: str = "application/json"


def as_json(path: str, body: Mapping[str, Any]) -> Request:
    """A request with a JSON body."""
    return Request(path, json.dumps(body).encode())


def one_after_the_other(address: str, request: Request, count: int, clients: int = CLIENTS) -> float:
    """Send `count` requests by `clients` clients at once; returns the seconds until the last answer."""

    def client(_: int) -> None:
        with closing(HTTPConnection(urlsplit(address).netloc)) as connection:
            for _request in range(count // clients):
                _send(connection, request)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return time.perf_counter() - began


def at_random_times(address: str, request: Request, rate: float, count: int, seed: int = 0) -> float:
    """Send `count` requests, on average `rate` a second, at random times; returns the seconds of the median one."""
    gaps, numbers, seconds = random.Random(seed), iter(range(count)), []
    lock, due = threading.Lock(), [time.perf_counter()]

    def client(_: int) -> None:
        with closing(HTTPConnection(urlsplit(address).netloc)) as connection:
            while True:
                with lock:
                    if next(numbers, None) is None:
                        return
                    due[0] += gaps.expovariate(rate)
                    at = due[0]
                time.sleep(max(at - time.perf_counter(), 0))
                _send(connection, request)
                seconds.append(time.perf_counter() - at)

    with ThreadPoolExecutor(8 * CLIENTS) as pool:
        list(pool.map(client, range(8 * CLIENTS)))
    return sorted(seconds)[count // 2]


def _send(connection: HTTPConnection, request: Request) -> None:
    connection.request("POST", request.path, request.body, {"Content-Type": request.kind})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status < 300, content
