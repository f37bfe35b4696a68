"""Requests and answers: retries where they are safe, problem documents as exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from backpropd.errors import Problem, ServiceError, ServiceUnreachable

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Transport:
    """An HTTP connection to one service."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        address = _address(url)
        # No proxy of the environment stands between us and our own machine.
        proxied = address.host not in LOOPBACK
        self.http = httpx.Client(base_url=address, headers=headers, timeout=timeout, trust_env=proxied)

    def json(self, method: str, path: str, **request: Any) -> Any:
        """The answer's JSON, or None where there is none. Raises `ServiceError`, `ServiceUnreachable`."""
        response = self.send(method, path, **request)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise _unexpected(response) from error

    def send(
        self,
        method: str,
        path: str,
        *,
        again: bool | None = None,
        body: Callable[[], Iterator[bytes]] | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Send a request; `again` says whether it may be sent twice (by default, only what reads may).

        `body` gives a streamed body from its start, each time it is called.
        """
        may_repeat = method == "GET" if again is None else again
        for attempt in range(1, TRIES + 1):
            if body is not None:
                request["content"] = body()
            try:
                response = self.http.request(method, path, **request)
            except httpx.TransportError as error:
                if attempt == TRIES or not may_repeat:
                    raise self._unreachable(error) from error
                pause = FIRST_PAUSE * 2**attempt
            else:
                wait = _pause(response, may_repeat)
                if wait is None or attempt == TRIES:
                    return checked(response)
                pause = wait
            time.sleep(min(pause, LONGEST_PAUSE))
        raise AssertionError("unreachable")

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], silence: float) -> Iterator[httpx.Response]:
        """An open stream, read as it comes; `silence` is the longest in seconds. Raises what `send` does."""
        try:
            with self.http.stream("GET", path, headers=dict(headers), timeout=silence) as response:
                if not response.is_success:
                    response.read()
                yield checked(response)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.TransportError) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"no answer from {self.url} ({error or type(error).__name__}): start a service with `make run`, or name "
            "another with BACKPROPD_URL"
        )


def _address(url: str) -> httpx.URL:
    """The URL in its parts. Raises `ServiceUnreachable` for what is none."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ServiceUnreachable(f"{url} is no address: {error}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ServiceUnreachable(f"{url} is no address: it looks like http://127.0.0.1:8000 or https://host.name")
    return address


def _pause(response: httpx.Response, may_repeat: bool) -> float | None:
    """How long to wait before the request is sent again; None if it should not be.

    What came too often (429) was not done, and may come again whatever it is, if that is soon.
    """
    pause = _retry_after(response)
    if response.status_code == 429:
        return pause if pause is not None and pause <= LONGEST_PAUSE else None
    if response.status_code == 503 and may_repeat:
        return FIRST_PAUSE if pause is None else pause
    return None


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def checked(response: httpx.Response) -> httpx.Response:
    """The response, unless it is a problem. Raises `ServiceError`."""
    if response.is_success:
        return response
    try:
        body = response.json()
        problems = [Problem(each["pointer"], each["detail"]) for each in body.get("errors") or []]
        detail, code = str(body["detail"]), str(body["code"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unexpected(response) from error
    later = _retry_after(response)
    raise ServiceError(detail, status=response.status_code, code=code, problems=problems, retry_after=later)


def _unexpected(response: httpx.Response) -> ServiceError:
    kind = response.headers.get("Content-Type", "nothing")
    detail = f"{response.url} answered {response.status_code} with {kind}: is a backpropd service there?"
    return ServiceError(detail, status=response.status_code, code="unexpected_answer")
