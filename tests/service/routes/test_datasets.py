"""Datasets over HTTP: uploads in every form, reading, listing, deleting."""

import io
from pathlib import Path

import pytest

from backpropd.config import Settings
from backpropd.store import datasets
from tests.servers import fresh_database
from tests.service.requests import CSV, at_once, open_app, rejected_pointers, submit, upload
from tests.service.validation import Client

PAIRS = "a,b\n" + "1,2\n3,5\n" * 9
TABLE = "name,size,big\na,1,true\nb,2.5,false\n,3,true\n"


def test_a_raw_body_becomes_a_dataset(http: Client) -> None:
    answer = http.post("/v1/datasets?name=small", data=TABLE, headers=CSV)
    dataset = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/datasets/{dataset['id']}"
    assert (dataset["name"], dataset["format"], dataset["rows"]) == ("small", "csv", 3)
    kinds = {column["name"]: (column["kind"], column["missing"]) for column in dataset["columns"]}
    assert kinds == {"name": ("category", 1), "size": ("number", 0), "big": ("boolean", 0)}
    assert http.get(f"/v1/datasets/{dataset['id']}").json == dataset


@pytest.mark.parametrize("path", ["/v1/datasets", "/v1/datasets/preview"])
def test_columns_have_histograms(http: Client, path: str) -> None:
    columns = http.post(path, data=TABLE.replace("true", "yes").replace("false", "no"), headers=CSV).json["columns"]
    assert [column["histogram"] for column in columns] == [
        {"levels": ["a", "b"], "counts": [1, 1], "other": 0},
        {"edges": [1 + n / 16 for n in range(33)], "counts": [1, *[0] * 23, 1, *[0] * 6, 1]},
        {"levels": ["yes", "no"], "counts": [2, 1], "other": 0},
    ]


def test_a_form_with_a_file_becomes_a_dataset(http: Client) -> None:
    form = {"file": (io.BytesIO(TABLE.encode()), "things.csv"), "name": "mine"}
    answer = http.post("/v1/datasets", data=form, content_type="multipart/form-data")
    assert (answer.status_code, answer.json["name"]) == (201, "mine")
    unnamed = {"file": (io.BytesIO(TABLE.encode()), "../../etc/things.csv")}
    answer = http.post("/v1/datasets", data=unnamed, content_type="multipart/form-data")
    assert answer.json["name"] == "things"


def test_the_media_type_of_tsv_sets_the_delimiter(http: Client) -> None:
    answer = http.post("/v1/datasets", data="a\tb\n1\t2\n", headers={"Content-Type": "text/tab-separated-values"})
    assert answer.json["format"] == "tsv"


def test_a_field_of_a_form_that_is_sent_twice_is_rejected(http: Client) -> None:
    form = {"file": (io.BytesIO(TABLE.encode()), "a.csv"), "delimiter": [",", ";"]}
    answer = http.post("/v1/datasets", data=form, content_type="multipart/form-data")
    assert rejected_pointers(answer) == ["/delimiter"]


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded", "image/png"])
@pytest.mark.parametrize(
    "text", ['[{"a": 1, "b": "x"}]', '{"a": [1], "b": ["x"]}', '{"sample": [1], "b": ["x"]}', "a,b\n1,x\n", '{"a": 1}']
)
def test_a_table_is_recognized_whatever_its_media_type_is(http: Client, text: str, kind: str) -> None:
    answer = http.post("/v1/datasets", data=text, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json["rows"]) == (201, 1)
    assert answer.json["format"] == ("csv" if text.startswith("a,b") else "jsonl" if text == '{"a": 1}' else "json")


def test_the_first_rows_are_read(http: Client) -> None:
    rows = http.get(f"/v1/datasets/{upload(http, TABLE)}/rows?limit=2").json
    assert rows == {"data": [{"name": "a", "size": 1, "big": "true"}, {"name": "b", "size": 2.5, "big": "false"}]}


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        ("", "text/csv", 422, "empty_dataset"),
        (b"PK\x03\x04", "text/csv", 422, "not_a_table"),
        ("a\n" + "1\n" * 60_000, "text/csv", 413, "too_large"),
        ("{}", "application/xml", 422, "not_a_table"),
        ('{"a": [1, 2}', "application/json", 422, "not_a_table"),
        ('{"sample": "rose"}', "application/json", 422, "unknown_sample"),
        ('{"sample": "iris", "noise": 1}', "application/json", 422, "invalid"),
        ('{"sample": ', "application/json", 400, "malformed"),
        ("[1, 2", "application/json", 422, "not_a_table"),
        ("null", "application/json", 422, "not_a_table"),
        ("no boundary", "multipart/form-data", 400, "malformed"),
    ],
)
def test_a_body_that_is_no_table_is_rejected(
    http: Client, tmp_path: Path, data: str | bytes, kind: str, status: int, code: str
) -> None:
    answer = http.post("/v1/datasets", data=data, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert http.get("/v1/datasets").json["data"] == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_incomplete_upload_makes_no_dataset(http: Client) -> None:
    environ = {
        "CONTENT_LENGTH": str(len(TABLE) + 1),
        "wsgi.input_terminated": True,
    }  # as the server sets it for every body
    answer = http.post("/v1/datasets", data=TABLE, headers=CSV, environ_overrides=environ)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed")
    assert http.get("/v1/datasets").json["data"] == []


def test_an_upload_with_too_large_a_content_length_is_rejected_at_once(http: Client) -> None:
    environ = {"CONTENT_LENGTH": "100001", "wsgi.input_terminated": True}
    answer = http.post("/v1/datasets", data=TABLE, headers=CSV, environ_overrides=environ)
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")


def test_an_idempotency_key_makes_one_dataset(http: Client) -> None:
    headers = {**CSV, "Idempotency-Key": "k1"}
    first = http.post("/v1/datasets", data=TABLE, headers=headers).json
    assert http.post("/v1/datasets", data=TABLE, headers=headers).json == first
    other = http.post("/v1/datasets", data="a,b\n1,2\n", headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")


def test_an_idempotency_key_of_a_deleted_dataset_makes_a_new_one(http: Client) -> None:
    headers = {**CSV, "Idempotency-Key": "k2"}
    first = http.post("/v1/datasets", data=b"a,b\n1,2\n", headers=headers).json
    assert http.delete(f"/v1/datasets/{first['id']}").status_code == 204
    again = http.post("/v1/datasets", data=b"a,b\n1,2\n", headers=headers)
    assert again.status_code == 201
    assert again.json["id"] != first["id"]


def test_a_dataset_cannot_be_deleted_while_a_job_needs_it(http: Client, iris: str) -> None:
    job_id = submit(http, iris)["id"]
    assert http.delete(f"/v1/datasets/{iris}").status_code == 409
    http.post(f"/v1/jobs/{job_id}/cancel")
    assert http.delete(f"/v1/datasets/{iris}").status_code == 204
    assert http.get(f"/v1/datasets/{iris}").status_code == 404


def test_samples_name_their_source_and_licence(http: Client) -> None:
    listed = {sample["name"]: sample for sample in http.get("/v1/samples").json["data"]}
    assert listed.keys() == {
        *("iris", "wine", "breast_cancer", "digits", "diabetes", "circle", "gauss", "spiral"),
        *("and", "or", "not", "nor", "nand", "xor"),
    }
    assert all(sample["source"] and sample["licence"] for sample in listed.values())
    for name in listed:
        assert http.post("/v1/datasets", json={"sample": name}).status_code in (201, 413)


def blobs(settings: Settings) -> list[Path]:
    return [file for file in (settings.data_dir / "blobs").rglob("*") if file.is_file()]


def test_deleting_a_dataset_deletes_its_blob_unless_another_dataset_uses_it(http: Client, settings: Settings) -> None:
    twins = [upload(http, PAIRS) for _ in range(2)]
    assert len(blobs(settings)) == 1
    http.delete(f"/v1/datasets/{twins[0]}")
    assert len(blobs(settings)) == 1
    assert http.get(f"/v1/datasets/{twins[1]}/rows").status_code == 200
    http.delete(f"/v1/datasets/{twins[1]}")
    assert blobs(settings) == []


def upload_and_delete(http: Client) -> str:
    """Upload a table and delete it, 14 times, and upload it once more; gives the id of the last."""
    for _ in range(14):
        assert http.delete(f"/v1/datasets/{upload(http, PAIRS)}").status_code == 204
    return upload(http, PAIRS)


def test_concurrent_uploads_and_deletions_of_the_same_bytes_lose_nothing(tmp_path: Path, postgres: str) -> None:
    for url in ("", fresh_database(postgres)):
        settings = Settings(data_dir=tmp_path, database_url=url, max_requests_per_minute=10**6).with_defaults()
        with open_app(settings) as app:
            remaining = at_once(upload_and_delete, [app.test_client() for _ in range(3)])
            services = app.extensions["backpropd"]
            with services.database.read() as session:
                names = {datasets.get(session, "local", id).sha256 for id in remaining}
            assert all(services.blobs.exists(name) for name in names)
