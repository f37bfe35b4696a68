"""Corrections of how a file is read, in each form of an upload, and previews, which store nothing."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from backpropd.config import Settings
from tests.service.requests import CSV, open_app, rejected_pointers
from tests.service.validation import Client

TABLE = "town,zip,rooms\n" + "".join(f"{('Ulm', 'Bonn')[n % 2]},{1000 + n % 3},{n % 5}\n" for n in range(30))
FORM = "multipart/form-data"


def send(http: Client, form: str, options: dict[str, Any], table: str | bytes = TABLE, path: str = "") -> Any:
    """Send a table with options as query fields of a raw body, as fields of a form, or in the query of a form."""
    data = table if isinstance(table, bytes) else table.encode()
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    if form == "raw":
        return http.post(f"/v1/datasets{path}", data=data, headers=CSV, query_string=texts)
    file = {"file": (io.BytesIO(data), "a.csv")}
    query, fields = (texts, {}) if form == "query of a form" else ({}, texts)
    return http.post(f"/v1/datasets{path}", data={**file, **fields}, content_type=FORM, query_string=query)


@pytest.mark.parametrize("form", ["raw", "form", "query of a form"])
@pytest.mark.parametrize("path", ["", "/preview"])
def test_options_are_taken_in_each_form(http: Client, form: str, path: str) -> None:
    answer = send(http, form, {"missing": ["0"], "kinds": {"zip": "category"}}, path=path)
    assert answer.status_code == (200 if path else 201), answer.json
    kinds = {column["name"]: column["kind"] for column in answer.json["columns"]}
    assert kinds == {"town": "category", "zip": "category", "rooms": "number"}
    assert answer.json["columns"][2]["missing"] == 6


@pytest.mark.parametrize("path", ["", "/preview"])
def test_options_of_a_sample_are_members_of_its_json(http: Client, path: str) -> None:
    body = {"sample": "iris", "name": "mine", "kinds": {"petal_width": "text"}}
    answer = http.post(f"/v1/datasets{path}", json=body)
    assert answer.json["name"] == "mine"
    assert {"petal_width": "text"}.items() <= {each["name"]: each["kind"] for each in answer.json["columns"]}.items()


@pytest.mark.parametrize("form", ["raw", "form"])
def test_a_row_that_does_not_fit_is_told_or_refuses_the_file(http: Client, form: str) -> None:
    table = TABLE + "Ulm,1001,2,3,4\n"
    assert send(http, form, {}, table).json["warnings"]
    answer = send(http, form, {"strict": True}, table)
    assert (answer.status_code, answer.json["code"]) == (422, "not_a_table")
    assert "line 32" in answer.json["detail"]


def test_an_option_of_the_sample_counts_more_than_one_of_the_query(http: Client) -> None:
    body = {"sample": "iris", "kinds": {"petal_width": "text"}}
    answer = http.post("/v1/datasets", json=body, query_string={"strict": "true", "kinds": '{"species": "text"}'})
    assert [each["name"] for each in answer.json["columns"] if each["kind"] == "text"] == ["petal_width"]


@pytest.mark.parametrize(("kind", "why"), [("number", "none of its cells"), ("date", "none of its cells")])
def test_a_kind_that_a_column_cannot_have_is_rejected_with_its_pointer(http: Client, kind: str, why: str) -> None:
    answer = send(http, "raw", {"kinds": {"town": kind}})
    assert rejected_pointers(answer) == ["/kinds/town"]
    assert why in answer.json["detail"]


@pytest.mark.parametrize("form", ["raw", "form"])
@pytest.mark.parametrize("path", ["", "/preview"])
@pytest.mark.parametrize(
    ("options", "pointer", "why"),
    [
        ({"encoding": "klingon"}, "/encoding", "no encoding 'klingon'"),
        ({"encoding": "base64"}, "/encoding", "no encoding 'base64'"),
        ({"delimiter": ";;"}, "/delimiter", "at most 1 character"),
        ({"delimiter": "\n"}, "/delimiter", "line break"),
        ({"delimiter": ";", "quote": ";"}, "/quote", "the delimiter, too"),
        ({"decimal": ",", "thousands": ","}, "/thousands", "the decimal mark, too"),
        ({"decimal": ";"}, "/decimal", "'.' or ','"),
        ({"header": "perhaps"}, "/header", "boolean"),
        ({"skip_lines": -1}, "/skip_lines", "greater than or equal to 0"),
        ({"missing": "none"}, "/missing", "must be JSON"),
        ({"missing": {"a": "none"}}, "/missing", "JSON array"),
        ({"missing": "[" * 5000}, "/missing", "must be JSON"),
        ({"missing": [1]}, "/missing", "string"),
        ({"kinds": ["number"]}, "/kinds", "JSON object"),
        ({"kinds": {"zip": "money"}}, "/kinds", "'number', 'category'"),
        ({"kinds": {"zap": "number", "zip": "text"}}, "/kinds/zap", "the columns are: town, zip, rooms"),
        ({"kinds": {"a/b": "text"}}, "/kinds/a~1b", "no column 'a/b'"),
        ({"color": "red"}, "/color", "no such field"),
    ],
)
def test_an_invalid_option_is_rejected_with_its_pointer(
    http: Client, form: str, path: str, options: dict[str, Any], pointer: str, why: str
) -> None:
    answer = send(http, form, options, path=path)
    assert rejected_pointers(answer) == [pointer]
    assert why in answer.json["errors"][0]["detail"]
    assert http.get("/v1/datasets").json["data"] == []


def test_other_options_are_another_request_for_an_idempotency_key(http: Client) -> None:
    headers = {**CSV, "Idempotency-Key": "k"}
    first = http.post("/v1/datasets?strict=true", data=TABLE, headers=headers)
    assert http.post("/v1/datasets?strict=true", data=TABLE, headers=headers).json == first.json
    assert http.post("/v1/datasets?strict=false", data=TABLE, headers=headers).json["code"] == "idempotency_mismatch"


def test_a_preview_says_what_the_dataset_would_be_and_stores_nothing(
    http: Client, settings: Settings, tmp_path: Path
) -> None:
    previewed = http.post("/v1/datasets/preview?name=towns", data=TABLE, headers=CSV).json
    assert http.get("/v1/datasets").json["data"] == []
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (settings.data_dir / "blobs").exists() or not any((settings.data_dir / "blobs").rglob("*.parquet"))
    dataset = http.post("/v1/datasets?name=towns", data=TABLE, headers=CSV).json
    assert (previewed.pop("rows"), dataset.pop("rows")) == (None, 30)
    assert previewed.pop("preview") == http.get(f"/v1/datasets/{dataset['id']}/rows?limit=20").json["data"]
    assert previewed.items() <= dataset.items()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_preview_reads_the_whole_lines_at_the_beginning_of_a_text(
    settings: Settings, encoding: str, end: str
) -> None:
    text = end.join(["name,size", *(f"Köln {n % 10},{n}" for n in range(60_000)), "a,b,c,d,e,f"])
    with open_app(settings, max_upload_bytes=10**8) as app:
        answer = send(app.test_client(), "raw", {}, text.encode(encoding), "/preview")
    assert answer.status_code == 200, answer.json
    name, size = answer.json["columns"]
    assert (name["kind"], name["distinct"], size["kind"], size["missing"]) == ("category", 10, "number", 0)
    assert 5_000 < size["max"] < 40_000
    assert answer.json["preview"][0] == {"name": "Köln 0", "size": 0}


def test_a_preview_of_compressed_text_and_one_of_json_read_their_beginnings(settings: Settings) -> None:
    text = "x\n" + "".join(f"{n}\n" for n in range(100_000))
    rows = json.dumps([{"x": n} for n in range(100_000)])
    with open_app(settings, max_upload_bytes=10**8) as app:
        http = app.test_client()
        part = send(http, "raw", {}, gzip.compress(text.encode()), "/preview").json
        json_rows = send(http, "raw", {}, rows, "/preview").json
        sent_in_part = send(http, "raw", {}, rows[: 256 * 1024], "/preview").json
    assert part["columns"][0]["max"] < 99_999
    assert 15_000 < json_rows["columns"][0]["max"] < 99_999
    assert sent_in_part["columns"] == json_rows["columns"]


def test_a_preview_that_is_no_table_is_rejected_as_an_upload(http: Client) -> None:
    answer = http.post("/v1/datasets/preview", data=b"\x89PNG....", headers=CSV)
    assert (answer.status_code, answer.json["code"]) == (422, "not_a_table")


def test_the_path_of_previews_is_no_id(http: Client) -> None:
    answer = http.get("/v1/datasets/preview")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert http.get("/v1/datasets/previews").status_code == 404


def test_a_header_without_rows_is_a_dataset_that_nothing_is_learned_from(http: Client) -> None:
    for path, status in (("", 201), ("/preview", 200)):
        answer = http.post(f"/v1/datasets{path}", data="size,price\n", headers=CSV)
        assert answer.status_code == status, answer.json
        assert [column["name"] for column in answer.json["columns"]] == ["size", "price"]
    dataset = http.post("/v1/datasets", data="size,price\n", headers=CSV).json
    assert http.get(f"/v1/datasets/{dataset['id']}/rows").json == {"data": []}
    assert http.get(f"/v1/datasets/{dataset['id']}").json["rows"] == 0
    for query in ("", "?dry_run=true"):
        answer = http.post(f"/v1/jobs{query}", json={"dataset_id": dataset["id"], "target": "price"})
        assert rejected_pointers(answer) == ["/dataset_id"]
        assert (answer.json["code"], "no rows" in answer.json["detail"]) == ("empty_dataset", True)
