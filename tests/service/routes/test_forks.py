"""Forks over HTTP: jobs that continue from a snapshot of another one."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from backpropd.config import Settings
from backpropd.store import jobs, snapshots
from tests.service.requests import SNAPSHOTS as TRAINING
from tests.service.requests import (
    Work,
    fork,
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
from tests.service.requests import (
    listed_snapshots as listed,
)
from tests.service.validation import Client


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


def test_a_fork_needs_what_its_parent_refers_to(http: Client, work: Work, iris: str) -> None:
    """The kinds of columns, a validation dataset, the model of a warm start."""
    others = {"kinds": {"petal_width": "category"}, "network": {"hidden": [{"units": 4}]}}
    before = submit(http, iris, training={"epochs": 5}, **others)
    work()
    model, validation = read_model(http, before)["id"], sample(http, "iris")
    training = {**TRAINING, "warm_start_model_id": model, "validation_dataset_id": validation}
    job = submit(http, iris, training=training, **others)
    work()
    made = fork(http, job, {"epoch": 10}).json
    assert (made["kinds"], made["training"]) == (others["kinds"], job["training"])
    assert http.delete(f"/v1/models/{model}").status_code == 409
    assert http.delete(f"/v1/datasets/{validation}").status_code == 409
    work()
    assert read_model(http, made)["sha256"] == read_model(http, job)["sha256"]
    assert http.delete(f"/v1/models/{model}").status_code == 204
    answer = fork(http, job, {"epoch": 10})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (404, "/training/warm_start_model_id")


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


def test_a_snapshot_that_takes_more_memory_than_there_is_is_refused(settings: Settings, job: dict[str, Any]) -> None:
    with open_app(settings) as app:
        http: Client = app.test_client()
        app.extensions["backpropd"].memory._total = 10_000
        answer = fork(http, job, {"epoch": 10})
        assert (answer.status_code, "to copy this snapshot takes" in answer.json["detail"]) == (422, True)
