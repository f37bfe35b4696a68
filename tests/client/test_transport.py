"""Requests are repeated where that is safe, and every failure is raised as a `ClientError`."""

import socket

import pytest
from flask import Response

from backpropd.client import Client, ClientError, ServiceError, ServiceUnreachable
from backpropd.errors import Problem
from tests.client.stand_in import StandIn, problem

NOW = {"Retry-After": "0"}


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_a_get_is_repeated_while_the_service_is_unavailable(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/ds_1", problem(503, "unavailable", "starting", NOW)) for _ in range(2)]
    assert service.datasets.get("ds_1")["id"] == "ds_1"
    assert len(stand_in.requests) == 3


def test_a_request_that_changes_something_is_not_repeated(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/cancel", problem(503, "unavailable", "starting", NOW))]
    with pytest.raises(ServiceError) as raised:
        service.jobs.cancel("job_1")
    assert raised.value.status == 503
    assert len(stand_in.requests) == 1


def test_a_rate_limited_request_is_repeated_after_a_short_wait(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/cancel", problem(429, "rate_limited", "too many", NOW)) for _ in range(2)]
    assert service.jobs.cancel("job_1")["status"] == "cancelled"
    assert len(stand_in.requests) == 3


def test_a_rate_limited_request_with_a_long_wait_raises(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/ds_1", problem(429, "rate_limited", "too many", {"Retry-After": "60"}))]
    with pytest.raises(ServiceError, match="too many") as raised:
        service.datasets.get("ds_1")
    assert (raised.value.status, raised.value.retry_after) == (429, 60)
    assert len(stand_in.requests) == 1


@pytest.mark.parametrize(("status", "code"), [(401, "key_mistyped"), (403, "missing_scope")])
def test_an_insufficient_key_raises(stand_in: StandIn, service: Client, status: int, code: str) -> None:
    stand_in.faults = [("/ds_1", problem(status, code, "use another key"))]
    with pytest.raises(ServiceError, match="use another key") as raised:
        service.datasets.get("ds_1")
    assert (raised.value.status, raised.value.code) == (status, code)
    assert len(stand_in.requests) == 1


def test_a_job_is_posted_again_with_the_same_idempotency_key(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/jobs", problem(503, "unavailable", "starting", NOW))]
    service.jobs.create("ds_1", "kind")
    first, second = stand_in.headers("/v1/jobs", "Idempotency-Key")
    assert first == second
    assert first


def test_each_job_has_its_own_idempotency_key_unless_one_is_given(stand_in: StandIn, service: Client) -> None:
    for key in (None, None, "mine"):
        service.jobs.create("ds_1", "kind", idempotency_key=key)
    first, second, third = stand_in.headers("/v1/jobs", "Idempotency-Key")
    assert first != second
    assert third == "mine"


def test_an_error_has_the_status_code_and_pointers_of_the_problem(stand_in: StandIn, service: Client) -> None:
    mistakes = [{"pointer": "/target", "detail": "is not a column"}]
    stand_in.faults = [("/jobs", problem(422, "unknown_column", "no such target", errors=mistakes))]
    with pytest.raises(ServiceError, match="no such target") as raised:
        service.jobs.create("ds_1", "colour")
    assert (raised.value.status, raised.value.code) == (422, "unknown_column")
    assert raised.value.problems == (Problem("/target", "is not a column"),)


@pytest.mark.parametrize("status", [200, 302, 502])
def test_a_response_from_another_server_is_a_service_error(stand_in: StandIn, service: Client, status: int) -> None:
    stand_in.faults = [("/ds_1", Response("<h1>a proxy's page</h1>", status, content_type="text/html"))]
    with pytest.raises(ServiceError) as raised:
        service.datasets.get("ds_1")
    assert (raised.value.status, raised.value.code) == (status, "unexpected_answer")


def test_the_body_of_a_redirect_is_never_returned_as_weights(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/weights", Response("moved", 302, {"Location": "/login"}))]
    with pytest.raises(ServiceError):
        service.models.weights("model_1")


def test_an_unreachable_address_is_named_with_how_to_set_another() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with Client(url) as client, pytest.raises(ServiceUnreachable, match="BACKPROPD_URL") as raised:
        client.datasets.get("ds_1")
    assert url in raised.value.detail


@pytest.mark.parametrize("url", ["localhost:8000", "http://127.0.0.1:port", "ftp://example.org"])
def test_an_invalid_address_is_rejected_by_name(url: str) -> None:
    with pytest.raises(ServiceUnreachable) as raised:
        Client(url).datasets.get("ds_1")
    assert url in raised.value.detail


def test_no_proxy_is_used_for_the_loopback(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(stand_in.url) as client:
        assert client.datasets.get("ds_1")["id"] == "ds_1"


def test_url_and_key_come_from_the_environment(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROPD_URL", stand_in.url)
    monkeypatch.setenv("BACKPROPD_API_KEY", "secret")
    with Client() as client:
        client.datasets.get("ds_1")
    assert stand_in.headers("/v1/datasets/ds_1", "Authorization") == ["Bearer secret"]


def test_a_number_that_json_lacks_is_rejected_before_anything_is_sent(stand_in: StandIn, service: Client) -> None:
    with pytest.raises(ClientError, match="NaN or infinity"):
        service.jobs.create("ds_1", "y", training={"l2": float("nan")})
    assert not stand_in.bodies


def test_a_key_with_characters_that_no_key_has_is_rejected() -> None:
    for key in ("clé", "a\nb"):
        with pytest.raises(ClientError, match="copy it again"):
            Client("http://127.0.0.1:1", api_key=key)
