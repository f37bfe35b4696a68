"""Snapshots over HTTP: read as JSON and as a file, in pages, within limits."""

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from backpropd.config import Settings
from service.routes import snapshots as routes
from tests.service.requests import SNAPSHOTS as TRAINING
from tests.service.requests import (
    Work,
    fork,
    open_app,
    rejected_pointers,
    sample,
    submit,
    trainer,
)
from tests.service.requests import (
    listed_snapshots as listed,
)
from tests.service.validation import Client

BYTES = {"Accept": "application/octet-stream"}


def test_snapshots_begin_with_the_start_and_end_with_the_model(http: Client, job: dict[str, Any]) -> None:
    found = listed(http, job)
    assert ([each["epoch"] for each in found["data"]], found["next_after"]) == ([0, 5, 10, 15, 20], None)
    weights = http.get(f"/v1/models/{job['model_id']}/weights", query_string={"format": "json"}).json
    assert found["data"][-1]["parameters"] == weights
    assert found["data"][0]["parameters"].keys() == weights.keys()
    assert found["data"][0]["parameters"] != weights


def test_snapshots_come_in_pages(http: Client, job: dict[str, Any]) -> None:
    first = listed(http, job, limit=2)
    assert ([each["epoch"] for each in first["data"]], first["next_after"]) == ([0, 5], 5)
    rest = listed(http, job, after=5)
    assert ([each["epoch"] for each in rest["data"]], rest["next_after"]) == ([10, 15, 20], None)
    assert listed(http, job, after=20) == {"data": [], "next_after": None}
    assert [each["epoch"] for each in listed(http, job, after=0, limit=1)["data"]] == [5]
    for query in ({"after": -2}, {"limit": 0}, {"limit": 1001}, {"other": 1}):
        assert http.get(f"/v1/jobs/{job['id']}/snapshots", query_string=query).status_code == 422


def test_a_page_of_large_snapshots_ends_early(
    http: Client, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(routes.MAX_BYTES, routes.JSON, 10_000)
    page = listed(http, job)
    assert 0 < len(page["data"]) < 5
    assert page["next_after"] == page["data"][-1]["epoch"]


def test_the_binary_form_has_the_numbers_of_the_json(http: Client, job: dict[str, Any]) -> None:
    answer = http.get(f"/v1/jobs/{job['id']}/snapshots", query_string={"limit": 3}, headers=BYTES)
    assert answer.mimetype == "application/octet-stream"
    arrays, data = load(answer.data), listed(http, job)["data"]
    assert arrays.pop("epoch").tolist() == [0, 5, 10]
    assert arrays.keys() == data[0]["parameters"].keys()
    for name, array in arrays.items():
        assert array.dtype == np.float32
        assert array.tolist() == [each["parameters"][name] for each in data[:3]]
    header = json.loads(answer.data[8 : 8 + int.from_bytes(answer.data[:8], "little")])
    assert header["__metadata__"] == {"next_after": "10"}
    empty = http.get(f"/v1/jobs/{job['id']}/snapshots", query_string={"after": 20}, headers=BYTES)
    assert load(empty.data)["epoch"].tolist() == []


def test_a_job_without_snapshots_has_an_empty_list(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 3})
    assert (job["training"]["snapshots"], job["parent"]) == (None, None)
    work()
    assert listed(http, job) == {"data": [], "next_after": None}
    answer = fork(http, job, {"epoch": 1})
    assert rejected_pointers(answer) == ["/epoch"]
    assert "the job has no snapshots" in answer.json["detail"]


def test_another_media_type_and_another_job_are_refused(http: Client, job: dict[str, Any]) -> None:
    answer = http.get(f"/v1/jobs/{job['id']}/snapshots", headers={"Accept": "text/csv"})
    assert answer.status_code == 406
    assert http.get("/v1/jobs/job_none/snapshots").status_code == 404
    assert http.post("/v1/jobs/job_none/fork", json={"epoch": 0}).status_code == 404


def test_a_snapshot_with_more_numbers_than_json_may_have_is_refused(settings: Settings) -> None:
    with open_app(settings, max_answer_cells=500) as app:
        http: Client = app.test_client()
        job = submit(http, sample(http, "iris"), training=TRAINING)
        trainer(app)()
        answer = http.get(f"/v1/jobs/{job['id']}/snapshots")
        assert (answer.status_code, "application/octet-stream" in answer.json["detail"]) == (422, True)
        assert http.get(f"/v1/jobs/{job['id']}/snapshots", headers=BYTES).status_code == 200


def test_auto_is_shown_resolved_and_a_dry_run_has_the_cost(http: Client, iris: str) -> None:
    assert submit(http, iris, training={**TRAINING, "snapshots": "auto"})["training"]["snapshots"] == {"every": 1}
    body = {"dataset_id": iris, "target": "species", "training": TRAINING}
    cost = http.post("/v1/jobs?dry_run=true", json=body).json["cost"]
    assert (cost["snapshots"], cost["snapshot_bytes"] > 5 * 4 * cost["parameters"]) == (5, True)
    for wrong in ({"every": 0}, {"every": 1.5}, {}, "always", {"every": 5, "keep": 2}):
        answer = http.post("/v1/jobs", json={**body, "training": {**TRAINING, "snapshots": wrong}})
        assert answer.status_code == 422
        assert answer.json["errors"][0]["pointer"].startswith("/training/snapshots")
