"""Jobs and models over HTTP: made, watched, steered, predicted with."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from backpropd.config import Settings
from service.app import create_app
from tests.migrated import migrate

Work = Callable[[], None]


def post(http: FlaskClient, dataset_id: str, **spec: Any) -> dict[str, Any]:
    answer = http.post("/v1/jobs", json={"dataset_id": dataset_id, "target": "species", **spec})
    assert answer.status_code == 202, answer.json
    assert answer.json is not None
    return dict(answer.json)


def read(http: FlaskClient, job: dict[str, Any]) -> dict[str, Any]:
    return dict(http.get(f"/v1/jobs/{job['id']}").json or {})


def read_stream(http: FlaskClient, job: dict[str, Any], last_event_id: str = "") -> str:
    headers = {"Last-Event-ID": last_event_id}
    with http.get(f"/v1/jobs/{job['id']}/events", headers=headers) as response:
        assert response.status_code == 200
        return str(response.text)


def test_a_job_shows_its_whole_resolved_spec(http: FlaskClient, iris: str) -> None:
    job = post(http, iris)
    assert job["status"] == "queued"
    assert [each["status"] for each in job["transitions"]] == ["queued"]
    assert job["task"] == "classification"
    assert job["training"]["loss"] == "cross_entropy"
    assert job["training"]["seed"] >= 0
    assert "auto" not in [*job["training"].values(), job["network"]["output_activation"]]


def test_the_answer_is_202_while_the_broker_is_away(http: FlaskClient, iris: str) -> None:
    assert post(http, iris)["status"] == "queued"
    ready = http.get("/readyz")
    assert ready.status_code == 503
    assert (ready.json["database"]["ready"], ready.json["broker"]["ready"]) == (True, False)  # type: ignore[index]


def test_a_queued_job_knows_its_place(http: FlaskClient, iris: str, work: Work) -> None:
    jobs = [post(http, iris, training={"epochs": 1}) for _ in range(3)]
    assert [job["queue"]["position"] for job in jobs] == [1, 2, 3]
    assert read(http, jobs[2])["queue"] == {"position": 3, "estimated_start_at": None}  # no worker lives
    work()
    assert read(http, jobs[2])["queue"] is None


def test_a_full_queue_answers_429_and_takes_jobs_again_when_there_is_room(settings: Settings) -> None:
    few = settings.model_copy(update={"max_queued_jobs_per_tenant": 2})
    migrate(few)
    app = create_app(few)
    http = app.test_client()
    iris = http.post("/v1/datasets", json={"sample": "iris"}).json["id"]  # type: ignore[index]
    first = post(http, iris)
    post(http, iris)
    refused = http.post("/v1/jobs", json={"dataset_id": iris, "target": "species"})
    assert (refused.status_code, refused.json["code"]) == (429, "queue_full")  # type: ignore[index]
    assert int(refused.headers["Retry-After"]) > 0
    assert http.post(f"/v1/jobs/{first['id']}/cancel").status_code == 202
    post(http, iris)
    app.extensions["backpropd"].database.dispose()


def test_a_dry_run_makes_nothing(http: FlaskClient, iris: str) -> None:
    answer = http.post("/v1/jobs?dry_run=true", json={"dataset_id": iris, "target": "species"})
    assert answer.status_code == 200
    assert answer.json["cost"]["parameters"] == (4 + 1) * 16 + (16 + 1) * 3  # type: ignore[index]
    assert http.get("/v1/jobs").json["data"] == []  # type: ignore[index]


def test_no_job_is_posted_or_planned_on_a_dataset_that_was_deleted_since(http: FlaskClient, iris: str) -> None:
    job = post(http, iris)
    http.post(f"/v1/jobs/{job['id']}/cancel")
    http.delete(f"/v1/datasets/{iris}")
    body = {"dataset_id": iris, "target": "species"}
    answers = [http.post(f"/v1/jobs{query}", json=body) for query in ("", "?dry_run=true")]
    assert [(answer.status_code, (answer.json or {})["code"]) for answer in answers] == [(404, "not_found")] * 2


def test_a_job_ends_with_its_epochs_and_a_model_that_predicts(http: FlaskClient, iris: str, work: Work) -> None:
    job = post(http, iris, training={"epochs": 40, "seed": 1})
    work()
    done = read(http, job)
    assert (done["status"], done["stop_reason"], done["progress"]) == (
        "succeeded",
        "epochs",
        {"epoch": 40, "epochs": 40},
    )
    page = http.get(f"/v1/jobs/{job['id']}/epochs?limit=25").json
    assert page is not None
    assert [epoch["epoch"] for epoch in page["data"]] == list(range(1, 26))
    rest = http.get(f"/v1/jobs/{job['id']}/epochs?after={page['next_after']}").json
    assert rest is not None
    assert (rest["data"][-1]["epoch"], rest["next_after"]) == (40, None)
    predictions = f"/v1/models/{done['model_id']}/predictions"
    cells = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    by_name = http.post(predictions, json={"rows": [{**cells, "species": None}]}).json
    by_order = http.post(predictions, json={"rows": [list(cells.values())]}).json
    assert by_name == by_order
    assert by_name is not None
    (prediction,) = by_name["predictions"]
    assert prediction["label"] == "setosa"
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)


def test_the_curve_comes_as_csv_and_thinned(http: FlaskClient, iris: str, work: Work) -> None:
    job = post(http, iris, training={"epochs": 60})
    work()
    text = http.get(f"/v1/jobs/{job['id']}/epochs?points=10", headers={"Accept": "text/csv"}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (rows[0]["epoch"], rows[-1]["epoch"]) == ("1", "60")
    assert len(rows) <= 10
    assert float(rows[0]["validation_accuracy"]) >= 0


def test_the_events_are_every_epoch_and_the_end(http: FlaskClient, iris: str, work: Work) -> None:
    job = post(http, iris, training={"epochs": 20})
    work()
    stream = read_stream(http, job)
    events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in stream.strip().split("\n\n")[1:]]
    assert [event["event"] for event in events] == ["epoch"] * 20 + ["status"]
    again = read_stream(http, job, events[14]["id"])
    assert again.count("event: epoch") == 5
    assert '"status":"succeeded"' in again
    bad = http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": "x"})
    assert bad.status_code == 400


def test_a_stream_without_a_place_is_told_to_come_back_and_a_closed_one_leaves_its_place(
    app: Flask, http: FlaskClient, iris: str
) -> None:
    job = post(http, iris)
    path = f"/v1/jobs/{job['id']}/events"
    with app.test_client().get(path, buffered=False) as held:
        assert held.status_code == 200
        refused = http.get(path)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
    http.post(f"/v1/jobs/{job['id']}/cancel")
    assert "cancelled" in read_stream(http, job)


def test_moves_that_a_status_does_not_allow_are_conflicts(http: FlaskClient, iris: str, work: Work) -> None:
    job = post(http, iris, training={"epochs": 2})
    here = f"/v1/jobs/{job['id']}"
    assert http.post(f"{here}/resume").status_code == 409
    assert http.delete(here).status_code == 409
    assert http.post(f"{here}/pause").json["status"] == "paused"  # type: ignore[index]
    work()
    assert read(http, job)["status"] == "paused"
    assert http.post(f"{here}/resume").json["status"] == "queued"  # type: ignore[index]
    work()
    assert read(http, job)["status"] == "succeeded"
    for verb in ("cancel", "pause", "resume"):
        refused = http.post(f"{here}/{verb}")
        assert (refused.status_code, "succeeded" in refused.json["detail"]) == (409, True)  # type: ignore[index]
    assert http.delete(here).status_code == 204
    assert http.get(here).status_code == 404
    assert len(http.get("/v1/models").json["data"]) == 1  # type: ignore[index]


def test_where_many_wait_already_the_answer_comes_early(http: FlaskClient, iris: str, app: Flask) -> None:
    job = post(http, iris)
    with app.extensions["backpropd"].long_polls.slot(60) as place:
        assert place == 60
        began = time.monotonic()
        assert http.get(f"/v1/jobs/{job['id']}?wait=60").json["status"] == "queued"  # type: ignore[index]
        assert time.monotonic() - began < 30
    with app.extensions["backpropd"].long_polls.slot(60) as place:
        assert place == 60


def test_a_cancelled_job_waits_for_nobody(http: FlaskClient, iris: str) -> None:
    job = post(http, iris)
    assert http.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202
    waited = http.get(f"/v1/jobs/{job['id']}?wait=60").json
    assert waited is not None
    assert (waited["status"], waited["stop_reason"]) == ("cancelled", "cancelled")


def test_lists_narrow_by_status(http: FlaskClient, iris: str, work: Work) -> None:
    post(http, iris, training={"epochs": 1})
    work()
    waiting = post(http, iris)
    listed = http.get("/v1/jobs?status=queued").json
    assert listed is not None
    assert [job["id"] for job in listed["data"]] == [waiting["id"]]
    assert http.get("/v1/jobs?status=nonsense").status_code == 422
    assert http.get("/v1/jobs?limit=0").status_code == 422


def test_many_posts_at_once_with_one_key_make_one_job(app: Flask, http: FlaskClient, iris: str) -> None:
    answers: list[Any] = []

    def send() -> None:
        body = {"dataset_id": iris, "target": "species"}
        answers.append(app.test_client().post("/v1/jobs", json=body, headers={"Idempotency-Key": "one"}))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    other = http.post(
        "/v1/jobs", json={"dataset_id": iris, "target": "petal_width"}, headers={"Idempotency-Key": "one"}
    )
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")  # type: ignore[index]


def test_a_diverged_job_keeps_its_epochs_and_sends_no_number_that_is_not_finite(http: FlaskClient, work: Work) -> None:
    diabetes = http.post("/v1/datasets", json={"sample": "diabetes"}).json["id"]  # type: ignore[index]
    body = {
        "dataset_id": diabetes,
        "target": "progression",
        "network": {"hidden": [{"units": 16, "activation": "relu"}]},
        "training": {"optimizer": {"name": "sgd", "learning_rate": 3.0, "momentum": 0.9}, "seed": 0, "epochs": 500},
    }
    job = http.post("/v1/jobs", json=body).json
    assert job is not None
    work()
    done = read(http, job)
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
def test_what_is_wrong_is_named_by_its_pointer(
    http: FlaskClient, iris: str, change: dict[str, Any], code: str, pointer: str
) -> None:
    answer = http.post("/v1/jobs", json={"dataset_id": iris, "target": "species", **change})
    problem = answer.json
    assert problem is not None
    assert (answer.status_code, problem["code"]) == (422, code)
    assert pointer in [each["pointer"] for each in problem["errors"]]


def test_a_number_that_is_not_finite_is_refused(http: FlaskClient) -> None:
    body = '{"dataset_id": "ds_1", "target": "y", "training": {"optimizer": {"name": "sgd", "learning_rate": NaN}}}'
    answer = http.post("/v1/jobs", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json["code"]) == (400, "malformed")  # type: ignore[index]


def test_rows_that_do_not_fit_the_model_are_named(http: FlaskClient, iris: str, work: Work) -> None:
    job = post(http, iris, training={"epochs": 1})
    work()
    path = f"/v1/models/{read(http, job)['model_id']}/predictions"
    good = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    for row, pointer in (
        ({**good, "sepal_length": "long"}, "/rows/1/sepal_length"),
        ({**good, "colour": 1}, "/rows/1/colour"),
        ({name: good[name] for name in list(good)[1:]}, "/rows/1/sepal_length"),
    ):
        answer = http.post(path, json={"rows": [good, row]})
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json["errors"]] == [pointer]  # type: ignore[index]
    assert http.post(path, json={"rows": [[1, 2, 3]]}).json["errors"][0]["pointer"] == "/rows/0"  # type: ignore[index]
    assert http.post(path, json={"rows": [{**good, "petal_width": None}]}).status_code == 200


def test_weights_come_in_three_formats(http: FlaskClient, iris: str, work: Work) -> None:
    from safetensors.numpy import load

    job = post(http, iris, training={"epochs": 1})
    work()
    path = f"/v1/models/{read(http, job)['model_id']}/weights"
    tensors = load(http.get(path).data)
    assert tensors["layers.0.weight"].shape == (4, 16)
    archive = np.load(io.BytesIO(http.get(f"{path}?format=npz").data), allow_pickle=False)
    assert np.array_equal(archive["layers.0.weight"], tensors["layers.0.weight"])
    lists = http.get(f"{path}?format=json").json
    assert lists is not None
    assert np.array_equal(np.array(lists["layers.1.bias"], np.float32), tensors["layers.1.bias"])


def test_errors_of_every_origin_are_problem_documents(app: Flask, http: FlaskClient) -> None:
    assert http.get("/nowhere").json["code"] == "not_found"  # type: ignore[index]
    refused = http.put("/v1/jobs")
    assert (refused.status_code, set(refused.headers["Allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})
    assert http.post("/v1/jobs", data="{}").status_code == 415

    def broken() -> None:
        raise RuntimeError("a secret")

    app.view_functions["GET /healthz"] = broken
    crashed = http.get("/healthz")
    assert (crashed.status_code, crashed.json["code"]) == (500, "internal_error")  # type: ignore[index]
    assert "secret" not in crashed.text
    assert crashed.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (["iris"], "", "send a JSON object here"),
        ({"training": {"optimizer": {}}}, "/training/optimizer", "a name is required here"),
        ({"name": "a\x7f"}, "/name", "it has characters that are not allowed here"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_not_in_those_of_our_tools(
    http: FlaskClient, body: Any, pointer: str, detail: str
) -> None:
    problems = http.post("/v1/jobs", json=body).json["errors"]  # type: ignore[index]
    assert {"pointer": pointer, "detail": detail} in problems


def test_a_query_parameter_that_a_path_does_not_take_is_refused(http: FlaskClient, iris: str) -> None:
    job = post(http, iris)
    answer = http.post(f"/v1/jobs/{job['id']}/cancel?now=true")
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/now")  # type: ignore[index]
    assert read(http, job)["status"] == "queued"


def test_an_answer_without_a_body_names_no_type(http: FlaskClient, iris: str) -> None:
    answer = http.delete(f"/v1/datasets/{iris}")
    assert (answer.status_code, answer.headers.get("Content-Type")) == (204, None)
