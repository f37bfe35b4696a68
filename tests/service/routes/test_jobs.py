"""Jobs over HTTP: submitting, reading, waiting, events, cancelling, pausing, resuming, deleting."""

import csv
import io
import time
from typing import Any

import pytest
from flask import Flask

from backpropd.config import Settings
from service.auth.principal import LOCAL_PRINCIPAL
from tests.service.requests import Work, at_once, open_app, read_job, read_stream, rejected_pointers, sample, submit
from tests.service.validation import Client


def test_a_job_has_its_whole_resolved_spec(http: Client, iris: str) -> None:
    job = submit(http, iris)
    assert job["status"] == "queued"
    assert [each["status"] for each in job["transitions"]] == ["queued"]
    assert job["task"] == "classification"
    assert job["training"]["loss"] == "cross_entropy"
    assert job["training"]["seed"] >= 0
    assert "auto" not in [*job["training"].values(), job["network"]["output_activation"]]


def test_a_job_is_accepted_without_a_broker(http: Client, iris: str) -> None:
    assert submit(http, iris)["status"] == "queued"
    ready = http.get("/readyz")
    assert ready.status_code == 503
    assert (ready.json["database"]["ready"], ready.json["broker"]["ready"]) == (True, False)


def test_a_queued_job_has_its_position(http: Client, iris: str, work: Work) -> None:
    jobs = [submit(http, iris, training={"epochs": 1}) for _ in range(3)]
    assert [job["queue"]["position"] for job in jobs] == [1, 2, 3]
    assert read_job(http, jobs[2])["queue"] == {"position": 3, "estimated_start_at": None}  # no worker lives
    work()
    assert read_job(http, jobs[2])["queue"] is None


def test_a_full_queue_answers_429_until_there_is_room(settings: Settings) -> None:
    with open_app(settings, max_queued_jobs_per_tenant=2) as app:
        http: Client = app.test_client()
        iris = sample(http, "iris")
        first, _ = submit(http, iris), submit(http, iris)
        rejected = http.post("/v1/jobs", json={"dataset_id": iris, "target": "species"})
        assert (rejected.status_code, rejected.json["code"]) == (429, "queue_full")
        assert "2" in rejected.json["detail"]
        assert int(rejected.headers["Retry-After"]) > 0
        assert http.post(f"/v1/jobs/{first['id']}/cancel").status_code == 202
        submit(http, iris)


def test_a_dry_run_makes_nothing(http: Client, iris: str) -> None:
    body = {"dataset_id": iris, "target": "species", "network": {"hidden": [{"units": 16}]}}
    answer = http.post("/v1/jobs?dry_run=true", json=body)
    assert answer.status_code == 200
    assert answer.json["cost"]["parameters"] == (4 + 1) * 16 + (16 + 1) * 3
    assert http.get("/v1/jobs").json["data"] == []


def test_a_job_on_a_deleted_dataset_is_neither_queued_nor_planned(http: Client, iris: str) -> None:
    job = submit(http, iris)
    http.post(f"/v1/jobs/{job['id']}/cancel")
    http.delete(f"/v1/datasets/{iris}")
    body = {"dataset_id": iris, "target": "species"}
    answers = [http.post(f"/v1/jobs{query}", json=body) for query in ("", "?dry_run=true")]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(404, "not_found")] * 2


def test_a_job_leaves_its_epochs_and_a_model_that_predicts(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 40, "seed": 1})
    work()
    done = read_job(http, job)
    assert (done["status"], done["stop_reason"]) == ("succeeded", "epochs")
    assert done["progress"] == {"epoch": 40, "epochs": 40}
    page = http.get(f"/v1/jobs/{job['id']}/epochs?limit=25").json
    assert [epoch["epoch"] for epoch in page["data"]] == list(range(1, 26))
    rest = http.get(f"/v1/jobs/{job['id']}/epochs?after={page['next_after']}").json
    assert (rest["data"][-1]["epoch"], rest["next_after"]) == (40, None)
    predictions = f"/v1/models/{done['model_id']}/predictions"
    cells = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    by_name = http.post(predictions, json={"rows": [{**cells, "species": None}]}).json
    by_order = http.post(predictions, json={"rows": [list(cells.values())]}).json
    assert by_name == by_order
    (prediction,) = by_name["predictions"]
    assert prediction["label"] == "setosa"
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)


def test_the_learning_curve_is_thinned_and_available_as_csv(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 60})
    work()
    text = http.get(f"/v1/jobs/{job['id']}/epochs?points=10", headers={"Accept": "text/csv"}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (rows[0]["epoch"], rows[-1]["epoch"]) == ("1", "60")
    assert len(rows) <= 10
    assert float(rows[0]["validation_accuracy"]) >= 0


def test_the_events_are_every_epoch_and_the_final_status(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 20})
    work()
    stream = read_stream(http, job)
    events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in stream.strip().split("\n\n")[1:]]
    assert [event["event"] for event in events] == ["epoch"] * 20 + ["status"]
    again = read_stream(http, job, events[14]["id"])
    assert again.count("event: epoch") == 5
    assert '"status":"succeeded"' in again
    bad = http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": "x"})
    assert bad.status_code == 400


def test_a_stream_without_a_free_slot_is_rejected_and_a_closed_one_releases_its_slot(
    app: Flask, http: Client, iris: str
) -> None:
    job = submit(http, iris)
    path = f"/v1/jobs/{job['id']}/events"
    with app.test_client().get(path, buffered=False) as stream:
        assert stream.status_code == 200
        rejected = http.get(path)
        assert rejected.status_code == 503
        assert rejected.headers["Retry-After"]
    http.post(f"/v1/jobs/{job['id']}/cancel")
    assert "cancelled" in read_stream(http, job)


def test_transitions_that_a_status_does_not_allow_are_conflicts(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 2})
    path = f"/v1/jobs/{job['id']}"
    assert http.post(f"{path}/resume").status_code == 409
    assert http.delete(path).status_code == 409
    assert http.post(f"{path}/pause").json["status"] == "paused"
    work()
    assert read_job(http, job)["status"] == "paused"
    assert http.post(f"{path}/resume").json["status"] == "queued"
    work()
    assert read_job(http, job)["status"] == "succeeded"
    for verb in ("cancel", "pause", "resume"):
        rejected = http.post(f"{path}/{verb}")
        assert (rejected.status_code, "succeeded" in rejected.json["detail"]) == (409, True)
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404
    assert len(http.get("/v1/models").json["data"]) == 1


def test_a_wait_is_short_when_all_slots_are_taken(http: Client, iris: str, app: Flask) -> None:
    job = submit(http, iris)
    with app.extensions["backpropd"].long_polls.slot(LOCAL_PRINCIPAL.holder, 60) as seconds:
        assert seconds == 60
        began = time.monotonic()
        assert http.get(f"/v1/jobs/{job['id']}?wait=60").json["status"] == "queued"
        assert time.monotonic() - began < 30
    with app.extensions["backpropd"].long_polls.slot(LOCAL_PRINCIPAL.holder, 60) as seconds:
        assert seconds == 60


def test_a_queued_job_is_cancelled_at_once(http: Client, iris: str) -> None:
    job = submit(http, iris)
    assert http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202
    waited = http.get(f"/v1/jobs/{job['id']}?wait=60").json
    assert (waited["status"], waited["stop_reason"]) == ("cancelled", "cancelled")
    again = http.post(f"/v1/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json["detail"]) == (409, "the job is already cancelled")


def test_jobs_are_listed_by_status(http: Client, iris: str, work: Work) -> None:
    submit(http, iris, training={"epochs": 1})
    work()
    waiting = submit(http, iris)
    listed = http.get("/v1/jobs?status=queued").json
    assert [job["id"] for job in listed["data"]] == [waiting["id"]]
    unknown = http.get("/v1/jobs?status=nonsense")
    assert unknown.status_code == 422
    assert "'queued', 'running'" in unknown.json["detail"]
    assert http.get("/v1/jobs?limit=0").status_code == 422


def test_lists_are_summaries(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 1})
    work()
    absent = {
        "datasets": {"dialect", "columns", "warnings"},
        "jobs": {"features", "kinds", "left_out", "network", "training", "curve"},
        "models": {"features", "input_columns", "network", "report"},
    }
    for noun, names in absent.items():
        (listed,) = http.get(f"/v1/{noun}").json["data"]
        whole = http.get(f"/v1/{noun}/{listed['id']}").json
        assert whole.keys() - listed.keys() == names
        assert listed == {name: value for name, value in whole.items() if name not in names}
    assert http.get("/v1/datasets").json["data"][0]["width"] == 5
    assert http.get("/v1/jobs").json["data"][0]["id"] == job["id"]


def test_concurrent_requests_with_one_idempotency_key_make_one_job(app: Flask, http: Client, iris: str) -> None:
    def send(_: int) -> Any:
        body = {"dataset_id": iris, "target": "species"}
        return app.test_client().post("/v1/jobs", json=body, headers={"Idempotency-Key": "one"})

    answers = at_once(send, range(12))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    other = http.post(
        "/v1/jobs", json={"dataset_id": iris, "target": "petal_width"}, headers={"Idempotency-Key": "one"}
    )
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")


def test_a_diverged_job_has_its_finite_epochs_only(http: Client, work: Work) -> None:
    network = {"hidden": [{"units": 16, "activation": "relu"}]}
    training = {"optimizer": {"name": "sgd", "learning_rate": 3.0, "momentum": 0.9}, "seed": 0, "epochs": 500}
    job = submit(http, sample(http, "diabetes"), "progression", network=network, training=training)
    work()
    done = read_job(http, job)
    assert (done["status"], done["error"]["code"], done["model_id"]) == ("failed", "diverged", None)
    assert f"epoch {done['progress']['epoch'] + 1}" in done["error"]["detail"]
    text = http.get(f"/v1/jobs/{job['id']}/epochs").text
    assert "NaN" not in text
    assert "Infinity" not in text
    assert text.count('"epoch"') == done["progress"]["epoch"]


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"target": "specie"}, "unknown_column", "/target"),
        ({"features": ["sepal_length", "x"]}, "unknown_column", "/features/1"),
        ({"task": "regression"}, "unusable_column", "/target"),
        ({"training": {"epochs": 0}}, "invalid", "/training/epochs"),
        ({"training": {"epochs": 10**12}}, "invalid", "/training/epochs"),
        ({"training": {"epochs": "5"}}, "invalid", "/training/epochs"),
        ({"training": {"batch_size": 151}}, "invalid", "/training/batch_size"),
        ({"training": {"optimizer": {"name": "adam", "rate": 1}}}, "invalid", "/training/optimizer/rate"),
        ({"training": {"optimizer": {"name": "sgdd"}}}, "invalid", "/training/optimizer"),
        ({"network": {"hidden": [{"activation": "tanh"}]}}, "invalid", "/network/hidden/0/units"),
        ({"network": {"hidden": [{"units": 10**6}] * 3}}, "too_large_for_memory", "/network"),
        ({"network": {"output_activation": "tanh"}}, "invalid", "/network/output_activation"),
        ({"metadata": {"a": "b\0"}}, "invalid", "/metadata/a"),
        ({"unknown": 1}, "invalid", "/unknown"),
    ],
)
def test_an_invalid_job_request_is_rejected_with_its_pointer(
    http: Client, iris: str, change: dict[str, Any], code: str, pointer: str
) -> None:
    answer = http.post("/v1/jobs", json={"dataset_id": iris, "target": "species", **change})
    assert pointer in rejected_pointers(answer)
    assert answer.json["code"] == code
