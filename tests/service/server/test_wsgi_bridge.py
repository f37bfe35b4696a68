"""The WSGI bridge: the environ of a request, and the end of a stream whose client is gone."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from service.limits.admission import Admission
from service.limits.concurrency_limit import ConcurrencyLimit
from service.limits.fair_slots import FairSlots
from service.server import answer_sender, turns
from service.server.environ import ambiguity, environ_of
from service.server.request_body import MinRate
from service.server.wsgi_bridge import MinRates, WsgiBridge

SCOPE = {
    "method": "GET",
    "path": "/v1/é//",
    "raw_path": b"/v1/%c3%a9%2F%ff",
    "query_string": b"a=%ff",
    "server": ("::1", "8000"),
    "client": ("127.0.0.1", "5000"),
    "http_version": "1.1",
    "scheme": "http",
    "headers": [(b"host", b"localhost")],
}


@pytest.mark.parametrize("disconnects", [True, False])
def test_a_stream_ends_when_its_client_disconnects_or_stops_reading(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, disconnects: bool
) -> None:
    monkeypatch.setattr(answer_sender, "CHECK_SECONDS", 0.2)
    sent: list[dict[str, Any]] = []
    closed = threading.Event()

    def app(_: Any, start: Any) -> Iterable[bytes]:
        def chunks() -> Iterator[bytes]:
            try:
                for number in range(1_000_000):
                    yield b"%d" % number
            finally:
                closed.set()

        start("200 OK", [("Content-Type", "text/plain")])
        return chunks()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.2 if disconnects else 100)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if len(sent) > 3:
            await asyncio.sleep(0.01 if disconnects else 100)

    slots = ConcurrencyLimit("requests", 1, 1, 1)
    admission = Admission(slots, FairSlots("requests", 1, 1, 1), slots)
    made = WsgiBridge(app, admission, MinRates(MinRate(1024, 10), MinRate(1024, 0.1)), 1, lambda *_: (429, {}, b""))
    asyncio.run_coroutine_threadsafe(made(SCOPE, receive, send), loop).result(timeout=10)
    assert closed.is_set()
    assert [message["type"] for message in sent[:2]] == ["http.response.start", "http.response.body"]
    assert all(message["more_body"] for message in sent[1:])
    assert len(sent) == 4 if not disconnects else len(sent) < 100


def test_the_environ_has_the_request_and_no_header_is_mistaken_for_another() -> None:
    scope = {
        **SCOPE,
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"text/csv"),
            (b"content-length", b"3"),
            (b"accept", b"a"),
            (b"accept", b"b"),
            (b"content_type", b"application/json"),
            (b"x_request_id", b"another"),
            (b"authorization", b"\xe9"),
            (b"upgrade", b"websocket"),
        ],
    }
    environ = environ_of(scope, 0.0)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/v1/\xc3\xa9/\xff", "a=%ff")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["REMOTE_ADDR"]) == ("::1", "8000", "127.0.0.1")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/csv", "3")
    assert (environ["HTTP_HOST"], environ["HTTP_ACCEPT"], environ["HTTP_AUTHORIZATION"]) == ("localhost", "a,b", "\xe9")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_X_REQUEST_ID", "HTTP_UPGRADE"} & set(environ)


@pytest.mark.parametrize(
    ("host", "is_one"), [("a", True), ("[::1]:80", True), ("", False), ("a b", False), ("u@a", False), ("a/b", False)]
)
def test_a_request_has_the_name_of_a_host(host: str, is_one: bool) -> None:
    assert (ambiguity({"HTTP_HOST": host, "SERVER_PROTOCOL": "HTTP/1.1"}) is None) == is_one


Answers = list[dict[str, Any]]


def rejected(requests: list[dict[str, Any]]) -> list[Answers]:
    """What a bridge sends for these requests, all of which are without a slot."""
    slots = ConcurrencyLimit("requests", 0, 0, 0)
    reject = (429, {"Retry-After": "5"}, b"too many")

    def app(_: Any, start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    async def run() -> list[Answers]:
        admission, rate = Admission(slots, FairSlots("requests", 1, 1, 1), slots), MinRate(1024, 10)
        rates = MinRates(rate, rate)
        bridge = WsgiBridge(app, admission, rates, 1, lambda *_: reject, immediate=["/healthz"], probes=["/readyz"])
        answers: list[Answers] = [[] for _ in requests]

        async def answer(scope: dict[str, Any], sent: Answers) -> None:
            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            await bridge({**SCOPE, **scope}, receive, send)

        await asyncio.gather(*map(answer, requests, answers))
        return answers

    return asyncio.run(run())


def path(name: str) -> dict[str, Any]:
    return {"path": name, "raw_path": name.encode()}


def test_a_rejection_is_whole_and_that_of_a_head_request_has_no_body() -> None:
    (start, part), (head, no_part) = rejected([path("/v1/jobs"), {**path("/v1/jobs"), "method": "HEAD"}])
    assert start == head == {"type": "http.response.start", "status": 429, "headers": [(b"retry-after", b"5")]}
    assert (part["body"], no_part["body"]) == (b"too many", b"")


def test_only_a_get_of_the_liveness_is_answered_at_once_and_no_probe_is_delayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "REJECTION_SECONDS", 60.0)
    monkeypatch.setattr(turns, "MAX_DELAYED", 0.5)
    requests = [path("/healthz"), path("/readyz"), path("/readyz"), {**path("/healthz"), "method": "POST"}]
    statuses = [answer[0]["status"] for answer in rejected(requests)]
    assert statuses == [200, 429, 429, 429]


def test_the_connection_of_a_rejection_beyond_the_delayed_ones_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_DELAYED", 2.5)
    headers = [dict(start["headers"]) for start, _ in rejected([path("/v1/jobs")] * 6)]
    assert [b"connection" in each for each in headers] == [False] * 3 + [True] * 3
