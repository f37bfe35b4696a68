"""Snapshots and forks over HTTP."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask
from safetensors.numpy import load

from backpropd.config import Settings
from backpropd.store import jobs, snapshots
from service.routes import snapshots as routes
from tests.service.requests import (
    Work,
    open_app,
    read_job,
    read_model,
    read_stream,
    rejected_pointers,
    sample,
    submit,
    trainer,
    with_key,
)
from tests.service.validation import Client

BYTES = {"Accept": "application/octet-stream"}
TRAINING: dict[str, Any] = {"epochs": 20, "seed": 1, "snapshots": {"every": 5}}


@pytest.fixture
def job(http: Client, work: Work, iris: str) -> dict[str, Any]:
    """A job that succeeded, with snapshots of the epochs 0, 5, 10, 15 and 20."""
    made = submit(http, iris, training=TRAINING, name="first", metadata={"a": 1})
    work()
    return read_job(http, made)


def listed(http: Client, job: dict[str, Any], **query: Any) -> Any:
    answer = http.get(f"/v1/jobs/{job['id']}/snapshots", query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json


def fork(http: Client, job: dict[str, Any], body: dict[str, Any], **headers: str) -> Any:
    return http.post(f"/v1/jobs/{job['id']}/fork", json=body, headers=headers)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── forks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fork_without_changes_ends_with_the_parents_model(http: Client, work: Work, job: dict[str, Any]) -> None:
    answer = fork(http, job, {"epoch": 10})
    made = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{made['id']}")
    assert made["parent"] == {"job_id": job["id"], "epoch": 10}
    assert (made["name"], made["metadata"], made["training"]) == ("first", {"a": 1}, job["training"])
    assert made["progress"] == {"epoch": 10, "epochs": 20}
    work()
    assert read_model(http, made)["sha256"] == read_model(http, job)["sha256"]
    epochs = http.get(f"/v1/jobs/{made['id']}/epochs").json["data"]
    assert [each["epoch"] for each in epochs] == [*range(11, 21)]
    assert listed(http, made)["data"] == listed(http, job)["data"][2:]
    assert next(each for each in http.get("/v1/jobs").json["data"] if each["id"] == made["id"])["parent"] is not None
    curve = http.get(f"/v1/jobs/{made['id']}/epochs", query_string={"points": 5}).json["data"]
    assert (4 <= len(curve) <= 5, curve[0]["epoch"], curve[-1]["epoch"]) == (True, 11, 20)
    events = re.findall(r'"epoch":(\d+),"loss"', read_stream(http, made))
    assert [*map(int, events)] == [*range(11, 21)]
    again = fork(http, made, {"epoch": 15}).json
    work()
    assert read_model(http, again)["sha256"] == read_model(http, job)["sha256"]


def test_a_fork_has_the_settings_that_its_request_states(http: Client, work: Work, job: dict[str, Any]) -> None:
    adam = {"name": "adam", "learning_rate": 0.001}
    changes = {"optimizer": adam, "epochs": 30, "l2": 0.0, "batch_size": 64, "snapshots": None}
    made = fork(http, job, {"epoch": 20, "training": changes, "name": "second", "metadata": {}}).json
    stated = {name: made["training"][name] for name in ("epochs", "l2", "batch_size", "snapshots")}
    assert stated == {"epochs": 30, "l2": 0.0, "batch_size": 64, "snapshots": None}
    assert made["training"]["optimizer"]["learning_rate"] == 0.001
    assert (made["name"], made["metadata"]) == ("second", {})
    work()
    assert read_job(http, made)["status"] == "succeeded"
    assert read_job(http, made)["progress"] == {"epoch": 30, "epochs": 30}
    assert listed(http, made)["data"] == []


def test_a_job_that_is_not_over_can_be_forked_once_it_has_snapshots(
    http: Client, app: Flask, iris: str, work: Work
) -> None:
    queued = submit(http, iris, training=TRAINING)
    answer = fork(http, queued, {"epoch": 0})
    assert (rejected_pointers(answer), "no snapshots yet" in answer.json["detail"]) == (["/epoch"], True)
    paused = http.post(f"/v1/jobs/{queued['id']}/pause").json
    donor = submit(http, iris, training=TRAINING)
    work()
    with app.extensions["backpropd"].database.write() as session:
        found = snapshots.get(session, jobs.get(session, "local", donor["id"]).number, 5)
        assert found is not None
        snapshots.add(session, jobs.get(session, "local", queued["id"]).number, "local", [found])
    made = fork(http, paused, {"epoch": 5}).json
    assert read_job(http, queued)["status"] == "paused"
    work()
    assert read_model(http, made)["sha256"] == read_model(http, donor)["sha256"]


def test_a_missing_snapshot_is_refused_with_the_nearest(http: Client, job: dict[str, Any]) -> None:
    for epoch, nearest in ((7, "those of 5 and 10"), (21, "that of 20"), (2**31 - 1, "that of 20")):
        answer = fork(http, job, {"epoch": epoch})
        assert rejected_pointers(answer) == ["/epoch"]
        assert nearest in answer.json["detail"]


@pytest.mark.parametrize(
    ("training", "pointer"),
    [
        ({"seed": 2}, "/training/seed"),
        ({"dtype": "float64"}, "/training/dtype"),
        ({"validation_fraction": 0.5}, "/training/validation_fraction"),
        ({"epochs": 10}, "/training/epochs"),
        ({"epochs": 0}, "/training/epochs"),
        ({"optimizer": {"name": "adam", "learning_rate": -1}}, "/training/optimizer/learning_rate"),
        ({"keep_path": True}, "/training/keep_path"),
        ({"network": {}}, "/training/network"),
    ],
)
def test_what_cannot_change_is_refused_with_its_pointer(
    http: Client, job: dict[str, Any], training: dict[str, Any], pointer: str
) -> None:
    answer = fork(http, job, {"epoch": 10, "training": training})
    assert any(each.startswith(pointer) for each in rejected_pointers(answer))


def test_the_network_is_no_part_of_a_fork(http: Client, job: dict[str, Any]) -> None:
    for name in ("network", "dataset_id", "target"):
        assert rejected_pointers(fork(http, job, {"epoch": 10, name: {}})) == [f"/{name}"]
    assert rejected_pointers(fork(http, job, {})) == ["/epoch"]


def test_an_early_stop_is_not_repeated(http: Client, work: Work, iris: str) -> None:
    stopping = {"patience": 2, "monitor": "loss", "min_delta": 100.0}
    job = submit(http, iris, training={**TRAINING, "early_stopping": stopping, "snapshots": {"every": 1}})
    work()
    ended = read_job(http, job)
    assert (ended["stop_reason"], ended["progress"]["epoch"]) == ("early_stopping", 3)
    assert rejected_pointers(fork(http, job, {"epoch": 3})) == ["/training"]
    longer = fork(http, job, {"epoch": 3, "training": {"early_stopping": {**stopping, "patience": 4}}}).json
    work()
    assert read_job(http, longer)["progress"]["epoch"] == 5


def test_the_same_idempotency_key_gives_the_same_fork(http: Client, job: dict[str, Any]) -> None:
    first, second = (fork(http, job, {"epoch": 10}, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, second.status_code, first.json["id"]) == (202, 202, second.json["id"])
    assert fork(http, job, {"epoch": 5}, **{"Idempotency-Key": "k"}).status_code == 422
    assert fork(http, first.json, {"epoch": 10}, **{"Idempotency-Key": "k"}).status_code == 422
    assert fork(http, job, {"epoch": 10}).json["id"] != first.json["id"]


def test_a_fork_needs_the_dataset_and_not_the_parent(http: Client, work: Work, iris: str, job: dict[str, Any]) -> None:
    made = fork(http, job, {"epoch": 10}).json
    sha256 = read_model(http, job)["sha256"]
    assert http.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert http.delete(f"/v1/datasets/{iris}").status_code == 409  # the fork needs it
    work()
    assert read_model(http, made)["sha256"] == sha256
    assert read_job(http, made)["parent"] == {"job_id": job["id"], "epoch": 10}
    assert http.delete(f"/v1/datasets/{iris}").status_code == 204
    assert fork(http, made, {"epoch": 15}).status_code == 404


def test_a_forks_parent_is_that_of_its_tenant(locked: Flask, key: Callable[..., dict[str, str]]) -> None:
    ours, theirs = with_key(locked, key()), with_key(locked, key(tenant="them"))
    job = submit(ours, sample(ours, "iris"), training=TRAINING)
    trainer(locked)()
    assert fork(theirs, job, {"epoch": 10}).status_code == 404
    assert theirs.get(f"/v1/jobs/{job['id']}/snapshots").status_code == 404
    reader = with_key(locked, key("read"))
    assert fork(reader, job, {"epoch": 10}).status_code == 403
    assert reader.get(f"/v1/jobs/{job['id']}/snapshots").status_code == 200


def test_snapshots_and_forks_count_in_the_quota(settings: Settings) -> None:
    with open_app(settings) as app:
        http: Client = app.test_client()
        job = submit(http, sample(http, "iris"), training=TRAINING)
        before = http.get("/v1/usage").json["bytes"]
        trainer(app)()
        used = http.get("/v1/usage").json["bytes"]
        parameters = listed(http, job)["data"]
        assert used - before > 5 * 3 * 4 * http.get(f"/v1/models/{read_job(http, job)['model_id']}").json["parameters"]
        assert len(parameters) == 5
    with open_app(settings, max_tenant_bytes=used + 3000) as app:
        http = app.test_client()
        answer = fork(http, job, {"epoch": 10})
        assert (answer.status_code, answer.json["code"]) == (413, "storage_full")
        assert http.delete(f"/v1/jobs/{job['id']}").status_code == 204
        assert http.get("/v1/usage").json["bytes"] < used - 4 * (used - before) // 5


def test_forks_fill_the_queue(settings: Settings) -> None:
    with open_app(settings, max_queued_jobs_per_tenant=1) as app:
        http: Client = app.test_client()
        job = submit(http, sample(http, "iris"), training=TRAINING)
        trainer(app)()
        assert fork(http, job, {"epoch": 10}).status_code == 202
        assert fork(http, job, {"epoch": 10}).status_code == 429
