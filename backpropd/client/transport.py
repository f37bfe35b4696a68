"""HTTP requests: repeated where that is safe, with problem documents raised as exceptions."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from backpropd.client.errors import ClientError, ServiceError, ServiceUnreachable
from backpropd.errors import Problem

MAX_ATTEMPTS = 4
FIRST_PAUSE, MAX_PAUSE = 0.2, 5.0  # seconds
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Transport:
    """The HTTP connections to one service."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        self.url = url
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ClientError(
                "the API key has characters that no key has: copy it again, without quotes or line breaks"
            )
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        address = _parse_url(url)
        use_proxy = address.host not in LOOPBACK
        self.http = httpx.Client(base_url=address, headers=headers, timeout=timeout, trust_env=use_proxy)

    def json(self, method: str, path: str, **request: Any) -> Any:
        """The response's JSON, or None if it is empty. Raises `ServiceError`, `ServiceUnreachable`."""
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
        repeatable: bool | None = None,
        body: Callable[[], Iterator[bytes]] | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Send a request; `repeatable` requests (by default, GET) are sent again after a failure.

        Each call of `body` returns a streamed body from its start.
        """
        repeatable = method == "GET" if repeatable is None else repeatable
        for attempt in range(1, MAX_ATTEMPTS + 1):
            if body is not None:
                request["content"] = body()
            try:
                response = self.http.request(method, path, **request)
            except ValueError as error:
                if "JSON compliant" not in str(error):
                    raise
                raise ClientError("the request has NaN or infinity, which JSON lacks: give finite numbers") from error
            except httpx.TransportError as error:
                if attempt == MAX_ATTEMPTS or not repeatable:
                    raise self._unreachable(error) from error
                pause: float | None = FIRST_PAUSE * 2 ** (attempt - 1)
            else:
                pause = _pause_before_repeat(response, repeatable)
                if pause is None or attempt == MAX_ATTEMPTS:
                    return checked(response)
            time.sleep(min(pause or 0.0, MAX_PAUSE))
        raise AssertionError("unreachable")

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], silence: float, *, method: str = "GET", **request: Any
    ) -> Iterator[httpx.Response]:
        """An open stream that may be silent for `silence` seconds. Raises what `send` does."""
        try:
            with self.http.stream(method, path, headers=dict(headers), timeout=silence, **request) as response:
                if not response.is_success:
                    response.read()
                yield checked(response)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.TransportError) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"no answer from {self.url} ({error or type(error).__name__}): check that the service is running, or set "
            "BACKPROPD_URL to the address of another one"
        )


def _parse_url(url: str) -> httpx.URL:
    """Raises `ServiceUnreachable` for an invalid URL."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ServiceUnreachable(f"{url} is not a valid address: {error}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ServiceUnreachable(
            f"{url} is not a valid address: use the form http://127.0.0.1:8000 or https://host.name"
        )
    return address


def _pause_before_repeat(response: httpx.Response, repeatable: bool) -> float | None:
    """How many seconds to wait before the request is sent again; None if it should not be.

    A request that was rate-limited (429) was not carried out, so that any may be sent again if the wait is short.
    """
    pause = _retry_after(response)
    if response.status_code == 429:
        return pause if pause is not None and pause <= MAX_PAUSE else None
    if response.status_code == 503 and repeatable:
        return FIRST_PAUSE if pause is None else pause
    return None


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def checked(response: httpx.Response) -> httpx.Response:
    """The response if it is a success. Raises `ServiceError` otherwise."""
    if response.is_success:
        return response
    try:
        body = response.json()
        problems = [Problem(each["pointer"], each["detail"]) for each in body.get("errors") or []]
        detail, code = str(body["detail"]), str(body["code"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unexpected(response) from error
    retry_after = _retry_after(response)
    raise ServiceError(detail, status=response.status_code, code=code, problems=problems, retry_after=retry_after)


def _unexpected(response: httpx.Response) -> ServiceError:
    media_type = response.headers.get("Content-Type", "no Content-Type")
    detail = f"{response.url} answered {response.status_code} with {media_type}: is a backpropd service there?"
    return ServiceError(detail, status=response.status_code, code="unexpected_answer")
