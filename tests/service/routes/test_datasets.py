"""Datasets over HTTP: uploaded in every way, read, listed, deleted, refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient

CSV = {"Content-Type": "text/csv"}
TABLE = "name,size,big\na,1,true\nb,2.5,false\n,3,true\n"


def test_a_raw_body_becomes_a_dataset(http: FlaskClient) -> None:
    answer = http.post("/v1/datasets?name=small", data=TABLE, headers=CSV)
    dataset = answer.json
    assert answer.status_code == 201
    assert dataset is not None
    assert answer.headers["Location"] == f"/v1/datasets/{dataset['id']}"
    assert (dataset["name"], dataset["format"], dataset["rows"]) == ("small", "csv", 3)
    kinds = {column["name"]: (column["kind"], column["missing"]) for column in dataset["columns"]}
    assert kinds == {"name": ("category", 1), "size": ("number", 0), "big": ("boolean", 0)}
    assert http.get(f"/v1/datasets/{dataset['id']}").json == dataset


def test_a_form_with_a_file_becomes_a_dataset(http: FlaskClient) -> None:
    form = {"file": (io.BytesIO(TABLE.encode()), "things.csv"), "name": "mine"}
    answer = http.post("/v1/datasets", data=form, content_type="multipart/form-data")
    assert (answer.status_code, answer.json["name"]) == (201, "mine")  # type: ignore[index]
    unnamed = {"file": (io.BytesIO(TABLE.encode()), "../../etc/things.csv")}
    answer = http.post("/v1/datasets", data=unnamed, content_type="multipart/form-data")
    assert answer.json["name"] == "things"  # type: ignore[index]


def test_tabs_are_taken_at_their_word(http: FlaskClient) -> None:
    answer = http.post("/v1/datasets", data="a\tb\n1\t2\n", headers={"Content-Type": "text/tab-separated-values"})
    assert answer.json["format"] == "tsv"  # type: ignore[index]


def test_the_first_rows_are_shown(http: FlaskClient) -> None:
    dataset_id = http.post("/v1/datasets", data=TABLE, headers=CSV).json["id"]  # type: ignore[index]
    rows = http.get(f"/v1/datasets/{dataset_id}/rows?limit=2").json
    assert rows == {"data": [{"name": "a", "size": 1, "big": "true"}, {"name": "b", "size": 2.5, "big": "false"}]}


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        ("a,b\n1,2\n3\n", "text/csv", 422, "not_a_table"),
        ("", "text/csv", 422, "empty_dataset"),
        ("a,b\n", "text/csv", 422, "empty_dataset"),
        (b"PK\x03\x04", "text/csv", 422, "not_a_table"),
        ("a\n" + "1\n" * 60_000, "text/csv", 413, "too_large"),
        ("{}", "application/xml", 415, "unsupported_media_type"),
        ('{"sample": "rose"}', "application/json", 422, "unknown_sample"),
        ('{"sample": "iris", "noise": 1}', "application/json", 422, "invalid"),
        ('{"sample": ', "application/json", 400, "malformed"),
        ("no boundary", "multipart/form-data", 400, "malformed"),
    ],
)
def test_what_is_no_table_is_refused(
    http: FlaskClient, tmp_path: Path, data: str | bytes, kind: str, status: int, code: str
) -> None:
    answer = http.post("/v1/datasets", data=data, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json["code"]) == (status, code)  # type: ignore[index]
    assert answer.content_type == "application/problem+json"
    assert http.get("/v1/datasets").json["data"] == []  # type: ignore[index]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_upload_that_breaks_off_makes_no_dataset(http: FlaskClient) -> None:
    told = {
        "CONTENT_LENGTH": str(len(TABLE) + 1),
        "wsgi.input_terminated": True,
    }  # as our server says it, of every body
    answer = http.post("/v1/datasets", data=TABLE, headers=CSV, environ_overrides=told)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed")  # type: ignore[index]
    assert http.get("/v1/datasets").json["data"] == []  # type: ignore[index]


def test_an_upload_that_says_it_is_too_large_is_refused_before_it_comes(http: FlaskClient) -> None:
    told = {"CONTENT_LENGTH": "100001", "wsgi.input_terminated": True}
    answer = http.post("/v1/datasets", data=TABLE, headers=CSV, environ_overrides=told)
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")  # type: ignore[index]


def test_a_ragged_table_is_told_its_line(http: FlaskClient) -> None:
    answer = http.post("/v1/datasets", data='a,b\n"x\ny",2\n3\n', headers=CSV)
    assert "line 4 has 1 cells and the other lines have 2" in answer.json["detail"]  # type: ignore[index]


def test_an_idempotency_key_makes_one_dataset(http: FlaskClient) -> None:
    headers = {**CSV, "Idempotency-Key": "k1"}
    first = http.post("/v1/datasets", data=TABLE, headers=headers).json
    assert http.post("/v1/datasets", data=TABLE, headers=headers).json == first
    other = http.post("/v1/datasets", data="a,b\n1,2\n", headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")  # type: ignore[index]


def test_a_key_whose_dataset_was_deleted_makes_it_anew(http: FlaskClient) -> None:
    headers = {**CSV, "Idempotency-Key": "k2"}
    first = http.post("/v1/datasets", data=b"a,b\n1,2\n", headers=headers).json
    assert first is not None
    assert http.delete(f"/v1/datasets/{first['id']}").status_code == 204
    again = http.post("/v1/datasets", data=b"a,b\n1,2\n", headers=headers)
    assert again.status_code == 201
    assert again.json["id"] != first["id"]  # type: ignore[index]


def test_a_dataset_is_deleted_but_not_while_a_job_needs_it(http: FlaskClient, iris: str) -> None:
    job_id = http.post("/v1/jobs", json={"dataset_id": iris, "target": "species"}).json["id"]  # type: ignore[index]
    assert http.delete(f"/v1/datasets/{iris}").status_code == 409
    http.post(f"/v1/jobs/{job_id}/cancel")
    assert http.delete(f"/v1/datasets/{iris}").status_code == 204
    assert http.get(f"/v1/datasets/{iris}").status_code == 404


def test_samples_name_their_source_and_licence(http: FlaskClient) -> None:
    listed = {sample["name"]: sample for sample in http.get("/v1/samples").json["data"]}  # type: ignore[index]
    assert listed.keys() == {
        *("iris", "wine", "breast_cancer", "digits", "diabetes", "circle", "gauss", "spiral"),
        *("and", "or", "not", "nor", "nand", "xor"),
    }
    assert all(sample["source"] and sample["licence"] for sample in listed.values())
    for name in listed:
        assert http.post("/v1/datasets", json={"sample": name}).status_code in (201, 413)
