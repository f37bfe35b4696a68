"""Requests are parsed strictly, and each mistake is listed with its pointer."""

import gzip
import io
from typing import Any

import pytest

from tests.service.requests import read_job, submit
from tests.service.validation import Client


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (["iris"], "", "send a JSON object here"),
        ({"training": {"optimizer": {}}}, "/training/optimizer", "a name is required here"),
        ({"name": "a\x7f"}, "/name", "it has characters that are not allowed here"),
    ],
)
def test_mistakes_are_described_in_our_words_and_not_pydantics(
    http: Client, body: Any, pointer: str, detail: str
) -> None:
    problems = http.post("/v1/jobs", json=body).json["errors"]
    assert {"pointer": pointer, "detail": detail} in problems


def test_an_unknown_query_parameter_is_rejected(http: Client, iris: str) -> None:
    job = submit(http, iris)
    answer = http.post(f"/v1/jobs/{job['id']}/cancel?now=true")
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/now")
    assert read_job(http, job)["status"] == "queued"


def test_an_answer_without_a_body_has_no_content_type(http: Client, iris: str) -> None:
    answer = http.delete(f"/v1/datasets/{iris}")
    assert (answer.status_code, answer.headers.get("Content-Type")) == (204, None)


def test_a_repeated_name_among_a_hundred_thousand_is_found_at_once(http: Client) -> None:
    names = [f'"x{n}": 1' for n in range(100_000)]
    answer = http.post("/v1/jobs", data=f"{{{', '.join([*names, names[-1]])}}}", content_type="application/json")
    assert answer.status_code == 400
    assert "'x99999' is repeated" in answer.json["detail"]


def test_a_content_encoding_is_honoured_or_rejected(http: Client) -> None:
    table, job = b"a,b\n1,2\n3,5\n", b'{"dataset_id": "x", "target": "b"}'
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    stored = http.post("/v1/datasets", data=gzip.compress(table), headers=headers)
    assert (stored.status_code, stored.json["rows"]) == (201, 2)
    headers["Content-Encoding"] = "br"
    assert http.post("/v1/datasets", data=table, headers=headers).status_code == 415
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    rejected = http.post("/v1/jobs", data=gzip.compress(job), headers=headers)
    assert (rejected.status_code, rejected.json["code"]) == (415, "unsupported_media_type")
    assert "send no Content-Encoding" in rejected.json["detail"]
    form = {"file": (io.BytesIO(table), "a.csv")}
    assert http.post("/v1/datasets", data=form, headers={"Content-Encoding": "gzip"}).status_code == 415
