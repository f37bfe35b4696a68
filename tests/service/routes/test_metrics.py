"""Prometheus metrics."""

import time

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from backpropd import errors
from service.http import request_hooks
from service.server.environ import BEGAN
from tests.service.requests import Work
from tests.service.validation import Client


def samples(http: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """Each series by its name and the values of its labels."""
    answer = http.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_jobs_are_counted_by_status_and_their_epochs_summed(http: Client, iris: str, work: Work) -> None:
    body = {"dataset_id": iris, "target": "species", "training": {"epochs": 3}}
    for _ in range(2):
        http.post("/v1/jobs", json=body)
    assert samples(http)["backpropd_jobs"][("queued",)] == 2
    work()
    after = samples(http)
    assert (after["backpropd_jobs"][("queued",)], after["backpropd_jobs"][("succeeded",)]) == (0, 2)
    assert after["backpropd_epochs"][()] == 6


def test_requests_are_counted_by_route_and_status_and_not_by_arbitrary_paths(http: Client) -> None:
    for path in ("/v1/jobs/job_1", "/v1/jobs/job_2", "/made/up", "/made/up/too"):
        http.get(path)
    http.open("/v1/jobs", method="BREW")
    counted = samples(http)["backpropd_request_seconds_count"]
    assert counted[("GET", "/v1/jobs/<job_id>", "404")] == 2
    assert counted[("any", "none", "404")] == 2
    assert counted[("any", "none", "405")] == 1


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("POST", "/v1/jobs", ("POST", "/v1/jobs")),
        ("pOsT", "/v1/jobs", ("POST", "/v1/jobs")),
        ("BREW", "/v1/jobs", ("any", "none")),
        ("GET", "/up", ("any", "none")),
    ],
)
def test_a_request_that_is_rejected_before_the_app_sees_it_is_counted_by_its_route_and_its_time(
    app: Flask, http: Client, method: str, path: str, labels: tuple[str, str]
) -> None:
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": "", BEGAN: time.perf_counter() - 10}
    request_hooks.rejection(app, errors.TooManyAtOnce("wait"), environ)
    assert samples(http)["backpropd_request_seconds_sum"][(*labels, "429")] >= 10
