"""What a job and a dry run say about their columns over HTTP: kinds, columns left out, warnings."""

from typing import Any

import pytest
from sqlalchemy import update

from backpropd.store.sql.schema import Job
from tests.service.requests import rejected_pointers, submit, upload
from tests.service.validation import Client

TABLE = "id,store,note,stars\n" + "".join(
    f"{n},{(101, 250, 377)[n % 3]},some words {n},{n % 5 + 1}\n" for n in range(50)
)


def noted(job: dict[str, Any]) -> tuple[Any, ...]:
    left_out = {each["column"]: each["reason"] for each in job["left_out"]}
    return job["features"], job["kinds"], left_out, [each["code"] for each in job["warnings"]]


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_a_job_and_a_dry_run_tell_what_they_leave_out(http: Client, is_dry_run: bool) -> None:
    body = {"dataset_id": upload(http, TABLE), "target": "stars", "kinds": {"store": "category"}}
    job = http.post("/v1/jobs?dry_run=true" if is_dry_run else "/v1/jobs", json=body).json
    expected = ["store"], {"store": "category"}, {"id": "identifier", "note": "text"}, ["task_is_a_guess"]
    assert noted(job) == expected
    if not is_dry_run:
        assert noted(http.get(f"/v1/jobs/{job['id']}").json) == expected
        assert http.get("/v1/jobs").json["data"][0]["warnings"] == job["warnings"]


def test_a_kind_that_is_not_possible_is_rejected_with_its_pointer(http: Client) -> None:
    body = {"dataset_id": upload(http, TABLE), "target": "stars"}
    for kinds, pointer in (({"a/b": "text"}, "/kinds/a~1b"), ({"store": "boolean"}, "/kinds/store")):
        assert rejected_pointers(http.post("/v1/jobs", json={**body, "kinds": kinds})) == [pointer]
    assert rejected_pointers(http.post("/v1/jobs", json={**body, "kinds": {"store": "money"}})) == ["/kinds/store"]


def test_jobs_from_before_there_were_notes_have_none(http: Client) -> None:
    job = submit(http, upload(http, TABLE), "stars")
    with http.application.extensions["backpropd"].database.write() as session:
        session.execute(update(Job).values(left_out=None, warnings=None))
    assert noted(http.get(f"/v1/jobs/{job['id']}").json)[2:] == ({}, [])
