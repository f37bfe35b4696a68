"""Datasets over HTTP: uploads in every form, reading, listing, deleting."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backpropd.config import Settings
from backpropd.store import datasets
from service.app import create_app
from tests.migrated import migrate
from tests.servers import fresh_database

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


def test_the_media_type_of_tsv_sets_the_delimiter(http: FlaskClient) -> None:
    answer = http.post("/v1/datasets", data="a\tb\n1\t2\n", headers={"Content-Type": "text/tab-separated-values"})
    assert answer.json["format"] == "tsv"  # type: ignore[index]


def test_the_first_rows_are_read(http: FlaskClient) -> None:
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
def test_a_body_that_is_no_table_is_rejected(
    http: FlaskClient, tmp_path: Path, data: str | bytes, kind: str, status: int, code: str
) -> None:
    answer = http.post("/v1/datasets", data=data, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json["code"]) == (status, code)  # type: ignore[index]
    assert answer.content_type == "application/problem+json"
    assert http.get("/v1/datasets").json["data"] == []  # type: ignore[index]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_incomplete_upload_makes_no_dataset(http: FlaskClient) -> None:
    environ = {
        "CONTENT_LENGTH": str(len(TABLE) + 1),
        "wsgi.input_terminated": True,
    }  # as the server sets it for every body
    answer = http.post("/v1/datasets", data=TABLE, headers=CSV, environ_overrides=environ)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed")  # type: ignore[index]
    assert http.get("/v1/datasets").json["data"] == []  # type: ignore[index]


def test_an_upload_with_too_large_a_content_length_is_rejected_at_once(http: FlaskClient) -> None:
    environ = {"CONTENT_LENGTH": "100001", "wsgi.input_terminated": True}
    answer = http.post("/v1/datasets", data=TABLE, headers=CSV, environ_overrides=environ)
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")  # type: ignore[index]


def test_the_error_of_a_ragged_table_names_the_line(http: FlaskClient) -> None:
    answer = http.post("/v1/datasets", data='a,b\n"x\ny",2\n3\n', headers=CSV)
    assert "line 4 has 1 cells and the other lines have 2" in answer.json["detail"]  # type: ignore[index]


def test_an_idempotency_key_makes_one_dataset(http: FlaskClient) -> None:
    headers = {**CSV, "Idempotency-Key": "k1"}
    first = http.post("/v1/datasets", data=TABLE, headers=headers).json
    assert http.post("/v1/datasets", data=TABLE, headers=headers).json == first
    other = http.post("/v1/datasets", data="a,b\n1,2\n", headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")  # type: ignore[index]


def test_an_idempotency_key_of_a_deleted_dataset_makes_a_new_one(http: FlaskClient) -> None:
    headers = {**CSV, "Idempotency-Key": "k2"}
    first = http.post("/v1/datasets", data=b"a,b\n1,2\n", headers=headers).json
    assert first is not None
    assert http.delete(f"/v1/datasets/{first['id']}").status_code == 204
    again = http.post("/v1/datasets", data=b"a,b\n1,2\n", headers=headers)
    assert again.status_code == 201
    assert again.json["id"] != first["id"]  # type: ignore[index]


def test_a_dataset_cannot_be_deleted_while_a_job_needs_it(http: FlaskClient, iris: str) -> None:
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


def blobs(settings: Settings) -> list[Path]:
    return [file for file in (settings.data_dir / "blobs").rglob("*") if file.is_file()]


def test_deleting_a_dataset_deletes_its_blob_unless_another_dataset_uses_it(
    http: FlaskClient, settings: Settings
) -> None:
    table = b"a,b\n" + b"1,2\n3,5\n" * 9
    twins = [http.post("/v1/datasets", data=table, content_type="text/csv").json["id"] for _ in range(2)]  # type: ignore[index]
    assert len(blobs(settings)) == 1
    http.delete(f"/v1/datasets/{twins[0]}")
    assert len(blobs(settings)) == 1
    assert http.get(f"/v1/datasets/{twins[1]}/rows").status_code == 200
    http.delete(f"/v1/datasets/{twins[1]}")
    assert blobs(settings) == []


def test_concurrent_uploads_and_deletions_of_the_same_bytes_lose_nothing(tmp_path: Path, postgres: str) -> None:
    for url in ("", fresh_database(postgres)):
        settings = Settings(data_dir=tmp_path, database_url=url, max_requests_per_minute=10**6).with_defaults()
        migrate(settings)
        app = create_app(settings)
        table, remaining = b"a,b\n" + b"1,2\n3,5\n" * 9, []

        def upload_and_delete(app: Flask = app, remaining: list[str] = remaining, table: bytes = table) -> None:
            http = app.test_client()
            for number in range(15):
                id = http.post("/v1/datasets", data=table, content_type="text/csv").json["id"]  # type: ignore[index]
                if number < 14:
                    assert http.delete(f"/v1/datasets/{id}").status_code == 204
                else:
                    remaining.append(id)

        threads = [threading.Thread(target=upload_and_delete) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        services = app.extensions["backpropd"]
        with services.database.read() as session:
            names = {datasets.get(session, "local", id).sha256 for id in remaining}
        assert len(remaining) == 3
        assert all(services.blobs.exists(name) for name in names)
        services.database.dispose()
