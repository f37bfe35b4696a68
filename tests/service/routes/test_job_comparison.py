"""Jobs beside each other."""

from typing import Any

import pytest
from flask import Flask

from backpropd.store import epochs
from backpropd.store import job_comparison as store
from backpropd.store.sql.schema import Epoch, Job
from service import job_comparison
from tests.service.requests import Work, read_job, rejected_pointers, sample, submit
from tests.service.validation import Client


def compare(http: Client, *jobs: dict[str, Any], query: str = "") -> dict[str, Any]:
    answer = http.get(f"/v1/jobs/compare?ids={','.join(job['id'] for job in jobs)}{query}")
    assert answer.status_code == 200, answer.json
    return answer.json


def trained(http: Client, work: Work, dataset_id: str, epochs: int = 4, units: int = 3, **training: Any) -> Any:
    network = {"hidden": [{"units": units}]}
    job = submit(http, dataset_id, network=network, training={"epochs": epochs, "seed": 1, **training})
    work()
    return job


def test_two_jobs_differ_by_pointer_and_have_curves_at_the_same_epochs(http: Client, work: Work, iris: str) -> None:
    rates = ({"name": "adam", "learning_rate": rate} for rate in (0.01, 0.1))
    first, second = (trained(http, work, iris, 4 + 2 * n, optimizer=rate) for n, rate in enumerate(rates))
    found = compare(http, first, second)
    assert [job["id"] for job in found["jobs"]] == [first["id"], second["id"]]
    assert found["differences"] == {
        "/training/optimizer/learning_rate": [0.01, 0.1],
        "/training/epochs": [4, 6],
        "/training/metrics_every": [4, 6],
    }
    assert found["curves"]["epochs"] == [1, 2, 3, 4, 5, 6]
    for job, shown in zip((first, second), found["jobs"], strict=True):
        rows = http.get(f"/v1/jobs/{job['id']}/epochs").json["data"]
        assert shown["final"] == rows[-1]
        assert shown["best"] == min(rows, key=lambda row: (row["validation_loss"], row["epoch"]))
        assert {**read_job(http, job), **shown} == {**read_job(http, job), **{x: shown[x] for x in ("final", "best")}}
        for name in ("loss", "validation_loss"):
            assert found["curves"][name][job["id"]] == [row[name] for row in rows] + [None] * (6 - len(rows))


def test_differences_are_those_of_network_and_data_too(http: Client, work: Work, iris: str) -> None:
    copy = http.post("/v1/datasets", json={"sample": "iris", "name": "flowers"}).json["id"]
    shallow = trained(http, work, iris)
    wide = submit(http, copy, features=["petal_width"], network={"hidden": [{"units": 9}]}, training={"epochs": 1})
    found = compare(http, wide, shallow, shallow | {"id": trained(http, work, iris)["id"]})["differences"]
    assert found["/dataset_id"] == [copy, iris, iris]
    assert found["/dataset/name"] == ["flowers", "iris", "iris"]
    assert "/dataset/sha256" not in found
    assert found["/network/hidden/0/units"] == [9, 3, 3]
    assert found["/features"][0] == ["petal_width"]
    assert http.delete(f"/v1/datasets/{copy}").status_code == 204
    assert compare(http, wide, shallow)["differences"]["/dataset"][0] is None


def test_jobs_without_epochs_and_without_validation_are_compared(http: Client, work: Work, iris: str) -> None:
    plain = trained(http, work, iris, validation_fraction=0)
    queued = submit(http, iris)
    found = compare(http, queued, plain)
    assert (found["jobs"][0]["status"], found["jobs"][0]["final"], found["jobs"][0]["best"]) == ("queued", None, None)
    rows = http.get(f"/v1/jobs/{plain['id']}/epochs").json["data"]
    assert found["jobs"][1]["best"] == min(rows, key=lambda row: row["loss"])
    assert list(found["curves"]["loss"]) == [plain["id"]]
    assert found["curves"]["validation_loss"][plain["id"]] == [None] * 4
    other = submit(http, iris)
    assert compare(http, queued, other)["curves"] == {"epochs": [], "loss": {}, "validation_loss": {}}


def test_the_best_epoch_is_that_of_the_lowest_validation_loss(app: Flask, http: Client, work: Work, iris: str) -> None:
    job, other = trained(http, work, iris), trained(http, work, iris)
    with app.extensions["backpropd"].database.write() as session:
        number = session.query(Job).filter_by(id=job["id"]).one().number
        session.query(Epoch).filter_by(job_number=number, epoch=2).update({"validation_loss": 0.001})
    found = compare(http, job, other)["jobs"]
    assert [each["best"]["epoch"] for each in found] == [2, 4]
    assert [each["final"]["epoch"] for each in found] == [4, 4]


def test_a_long_curve_has_the_requested_number_of_points(http: Client, work: Work) -> None:
    neurons = [submit(http, sample(http, "xor"), "y", network={"kind": "perceptron"}) for _ in range(2)]
    work()
    assert compare(http, *neurons, query="&points=5")["curves"]["epochs"] == [1, 25, 50, 75, 100]
    assert len(compare(http, *neurons)["curves"]["epochs"]) == 100


def test_of_an_epoch_that_is_not_kept_the_one_before_is_shown(app: Flask, http: Client, work: Work, iris: str) -> None:
    long, short = trained(http, work, iris, 8), trained(http, work, iris, 6)
    kept = {job["id"]: http.get(f"/v1/jobs/{job['id']}/epochs").json["data"] for job in (long, short)}
    with app.extensions["backpropd"].database.write() as session:
        epochs.drop(session, session.query(Job).filter_by(id=long["id"]).one().number, [2, 5, 6])
    for points, wanted, shown in ((8, [1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 3, 4, 4, 4, 7, 8]), (3, [1, 4, 8], [1, 4, 8])):
        found = compare(http, long, short, query=f"&points={points}")["curves"]
        assert found["epochs"] == wanted
        for name in ("loss", "validation_loss"):
            losses = [row[name] for row in kept[long["id"]]]
            assert found[name][long["id"]] == [losses[epoch - 1] for epoch in shown]
            losses = [row[name] for row in kept[short["id"]]] + [None, None]
            assert found[name][short["id"]] == [losses[epoch - 1] for epoch in wanted]


def test_of_a_long_job_no_more_epochs_are_read_than_asked_for(
    http: Client, work: Work, iris: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, short, read = trained(http, work, iris, 60), trained(http, work, iris, 1), []
    right = store.losses

    def losses(*arguments: Any) -> dict[int, Any]:
        read.append(right(*arguments))
        return read[-1]

    monkeypatch.setattr(store, "losses", losses)
    compare(http, long, short, query="&points=3")
    assert [list(rows) for rows in read] == [[1, 30, 60], [1]]


def test_epochs_that_disappear_meanwhile_are_null(
    app: Flask, http: Client, work: Work, iris: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may show deletions between two statements: a claim deletes the epochs after a checkpoint."""
    jobs = [trained(http, work, iris, 4) for _ in range(2)]
    rows = http.get(f"/v1/jobs/{jobs[0]['id']}/epochs").json["data"]
    with app.extensions["backpropd"].database.write() as session:
        for job in session.query(Job):
            epochs.drop(session, job.number, [1, 3, 4])
    monkeypatch.setattr(store, "last_epochs", lambda session, numbers: dict.fromkeys(numbers, 4))
    monkeypatch.setattr(store, "best_epoch", lambda session, number: 3)
    found = compare(http, *jobs)
    assert [(job["final"], job["best"]) for job in found["jobs"]] == [(None, None)] * 2
    assert found["curves"]["loss"][jobs[0]["id"]] == [None, *[rows[1]["loss"]] * 3]


def test_a_hundred_jobs_are_compared_and_no_more(http: Client, iris: str) -> None:
    jobs = [submit(http, iris, name=str(n), training={"epochs": n + 1}) for n in range(100)]
    assert compare(http, *jobs)["differences"]["/training/epochs"] == [*range(1, 101)]
    ids = ",".join(job["id"] for job in [*jobs, submit(http, iris)])
    assert rejected_pointers(http.get(f"/v1/jobs/compare?ids={ids}")) == ["/ids"]


def test_invalid_comparisons_are_rejected(http: Client, iris: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = submit(http, iris)["id"], submit(http, iris)["id"]
    for query in ("", "?ids=", f"?ids={first}", f"?ids={first},{first}", "?ids=" + "a" * 5001):
        assert rejected_pointers(http.get(f"/v1/jobs/compare{query}")) == ["/ids"]
    assert rejected_pointers(http.get(f"/v1/jobs/compare?ids={first},{second}&points=1")) == ["/points"]
    for query, detail in (
        (f"{first},{second},{first}", f"'{first}' appears twice"),
        (f"{first},{second}, {first}", f"'{first}' appears twice"),
        (f"{first},,{second}", "id 2 of 3 is empty"),
        (f"{first},{second},", "id 3 of 3 is empty"),
    ):
        answer = http.get(f"/v1/jobs/compare?ids={query}")
        assert rejected_pointers(answer) == ["/ids"]
        assert detail in answer.json["detail"]
    assert http.get(f"/v1/jobs/compare?ids= {first} , {second}").status_code == 200
    for other in ("job_none", "' OR 1=1", "%00"):
        assert http.get(f"/v1/jobs/compare?ids={first},{other}").status_code == 404
    monkeypatch.setattr(job_comparison, "MAX_BYTES", 100)
    answer = http.get(f"/v1/jobs/compare?ids={first},{second}")
    assert rejected_pointers(answer) == ["/ids"]
    assert "compare fewer jobs" in answer.json["detail"]


def test_a_job_of_another_tenant_is_not_found(locked_http: Client, key: Any) -> None:
    ours, theirs = key("write", "read"), key("write", "read", tenant="them")
    made = []
    for header in (ours, ours, theirs):
        dataset = locked_http.post("/v1/datasets", json={"sample": "xor"}, headers=header).json["id"]
        body = {"dataset_id": dataset, "target": "y"}
        made.append(locked_http.post("/v1/jobs", json=body, headers=header).json["id"])
    assert locked_http.get(f"/v1/jobs/compare?ids={made[0]},{made[1]}", headers=ours).status_code == 200
    assert locked_http.get(f"/v1/jobs/compare?ids={made[0]},{made[2]}", headers=ours).status_code == 404
