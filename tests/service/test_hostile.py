"""Hostile requests: each is answered soon with a clear 4xx, and the service goes on."""

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from backpropd.config import Settings
from service.app import ROUTES
from service.http.strict_json import read_json
from tests.servers import fresh_database
from tests.service.requests import open_app, read_job, submit
from tests.service.validation import Client

DEEP = 10_000
RTL = "invoice\u202efdp.exe"


def memory() -> int:
    """The peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def post(http: Client, path: str, raw: bytes) -> Any:
    return http.post(path, data=raw, content_type="application/json")


@pytest.fixture(autouse=True)
def still_answers(http: Client) -> Iterator[None]:
    """After each test the service still answers."""
    yield
    assert http.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("raw", "status", "detail"),
    [
        (b"[" * DEEP, 400, "depth"),
        (b'{"a":' * DEEP, 400, "depth"),
        (b'{"metadata":' + b'{"a":' * 100 + b"1" + b"}" * 101, 400, "64 deep"),
        (b'{"dataset_id": "a", "dataset_id": "b", "target": "c"}', 400, "'dataset_id' is repeated"),
        (b'{"dataset_id": "a:", "target": "c", "metadata": {"x": 1, "x": 1}}', 400, "'x' is repeated"),
        (b'{"dataset_id": "a", "target": NaN}', 400, "not JSON"),
        (b'{"dataset_id": "a", "target": "b", "priority": 1e400}', 400, "not JSON"),
        (b'{"dataset_id": "a", "target": "b", "priority": ' + b"9" * 5000 + b"}", 400, "not JSON"),
        (b'{"dataset_id": "a", "target": "b", "priority": 18446744073709551616}', 422, "10"),
        (b'{"dataset_id": "a", "target": "b\\u0000"}', 422, "NUL"),
        (b'{"dataset_id": "a", "target": "\\ud800"}', 400, "surrogate"),
        (b'{"dataset_id": "a", "target": "\xff"}', 400, "UTF-8"),
        (b"\xff\xfe{\x00}\x00", 400, "not JSON"),
        (b"", 400, "not JSON"),
        (b"null", 422, "object"),
    ],
)
def test_ambiguous_or_oversized_json_is_rejected(http: Client, raw: bytes, status: int, detail: str) -> None:
    answer = post(http, "/v1/jobs", raw)
    assert answer.status_code == status, answer.text
    assert detail in answer.json["detail"]


def test_equal_names_in_different_objects_or_in_strings_are_no_duplicates() -> None:
    assert read_json(b'[{"a": ":"}, {"a": {"a": "\\":\\""}}]') == [{"a": ":"}, {"a": {"a": '":"'}}]


def test_a_body_of_millions_of_empty_arrays_takes_little_memory(http: Client) -> None:
    before = memory()
    answer = post(http, "/v1/jobs", b'{"a":[' + b"[]," * 3_000_000 + b"[]]}")
    assert answer.status_code == 413
    assert memory() - before < 60_000_000  # the body itself, a few times


@pytest.mark.parametrize(
    ("network", "training", "detail"),
    [
        ({"hidden": [{"units": 10**9}]}, {}, "1000000"),
        ({"hidden": [{"units": 10**6}] * 2}, {}, "parameters"),
        ({"hidden": [{"units": 1}] * 10**5}, {}, "100"),
        ({}, {"epochs": 10**12}, "2147483648"),
        ({}, {"epochs": 10**9}, "10000000"),
        ({}, {"batch_size": 151}, "150 usable rows"),
        ({}, {"optimizer": {"name": "sgd", "learning_rate": 1e300}}, "1000000"),
        ({}, {"optimizer": {"name": "sgd", "learning_rate": -1}}, "greater than 0"),
        ({}, {"max_seconds": 1e300}, "100000000"),
        ({}, {"seed": 2**64}, "922337203685477"),
    ],
)
def test_an_excessive_spec_is_rejected_with_the_limit(
    http: Client, iris: str, network: Any, training: Any, detail: str
) -> None:
    body = {"dataset_id": iris, "target": "species", "network": network, "training": training}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 422
    assert detail in answer.json["detail"]


def test_a_job_with_a_huge_learning_rate_fails_as_diverged(http: Client, iris: str, work: Any) -> None:
    training = {"optimizer": {"name": "sgd", "learning_rate": 1e6}, "epochs": 50}
    network = {"hidden": [{"units": 4, "activation": "linear"}] * 3}
    job = submit(http, iris, "sepal_length", network=network, training=training)
    work()
    over = read_job(http, job)
    assert (over["status"], over["error"]["code"]) == ("failed", "diverged")


NAMES = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "a" * 10_000,
    "%e2%80%ae",
    "%ff",
    "job_",
    "JOB_1",
    "*",
    "'--",
]


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Client]:
    """The app on each database: they differ in the texts that they can store."""
    url = fresh_database(request.getfixturevalue("postgres")) if request.param == "postgresql" else ""
    with open_app(settings, database_url=url or settings.database_url) as app:
        yield app.test_client()


def test_a_hostile_id_is_not_found(either_database: Client) -> None:
    bodies = {
        "/v1/models/{model_id}/predictions": {"rows": [[1]]},
        "/v1/models/{model_id}/trace": {"rows": [[1]]},
        "/v1/models/{model_id}/gradient-check": {"rows": [[1]], "targets": [1]},
        "/v1/models/{model_id}/homework": {"row": [1], "target": 1, "answers": {"loss": 0}},
    }
    queries = {"/v1/models/{model_id}/export": {"format": "json"}}
    for route in ROUTES:
        if "{" not in route.path:
            continue
        before, _, after = route.path.partition("{")
        for name in NAMES:
            path = before + name + after.partition("}")[2]
            query, body = queries.get(route.path, {}), bodies.get(route.path, {})
            answer = either_database.open(path, method=route.method, query_string=query, json=body)
            assert answer.status_code in (404, 405), (path, answer.text)
            assert len(answer.text) < 400
            assert "\u202e" not in answer.text


def test_a_hostile_query_parameter_is_rejected_or_finds_nothing(either_database: Client) -> None:
    for field in ("dataset_id", "cursor"):
        for value in NAMES:
            assert either_database.get(f"/v1/jobs?{field}={value}").status_code in (200, 422)


@pytest.mark.parametrize("name", ["a\0b", "a\nb", RTL, "", "x" * 201, "\x85"])
def test_a_name_with_invisible_characters_is_rejected(http: Client, name: str) -> None:
    answer = http.post("/v1/datasets", json={"sample": "iris", "name": name})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.csv", RTL, "a\r\nb.csv", "x" * 10_000, "..", "/etc/passwd", "\ud83d.csv"]
)
def test_a_file_name_cannot_become_a_path_or_a_header_line(http: Client, settings: Settings, name: str) -> None:
    boundary = "edge"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode(errors="surrogatepass") + b"a,b\n1,2\n" + f"\r\n--{boundary}--\r\n".encode()
    answer = http.post("/v1/datasets", data=body, content_type=f"multipart/form-data; boundary={boundary}")
    assert answer.status_code in (201, 400, 413, 422), answer.text
    if answer.json and answer.status_code == 201:
        assert answer.json["name"].isprintable()
        assert "/" not in answer.json["name"]
        assert len(answer.json["name"]) <= 200
    outside = [file for file in settings.data_dir.rglob("*") if file.is_file() and "passwd" in file.name]
    assert outside == []


def test_metadata_is_stored_unchanged_or_rejected(either_database: Client) -> None:
    made = either_database.post("/v1/datasets", json={"sample": "iris"}).json
    bad: list[Any] = [{"a": "\0"}, {"\0": 1}, {"a": "x" * 20_000}, {str(n): n for n in range(5000)}]
    good: list[Any] = [{RTL: RTL}, {"a": [[[[1]]]]}, {"a": 2**63}, {"a": 5e19}, {"a": -1e300}, {"": None}]
    for metadata, status in [*((each, 422) for each in bad), *((each, 202) for each in good)]:
        answer = either_database.post(
            "/v1/jobs", json={"dataset_id": made["id"], "target": "species", "metadata": metadata}
        )
        assert answer.status_code == status, metadata
        if status == 202:
            read = either_database.get(f"/v1/jobs/{answer.json['id']}").json
            assert answer.json["metadata"] == read["metadata"] == metadata


@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/v1/jobs/x", "/nowhere", "/healthz", "/readyz", "/docs", "/openapi.json"]
)
def test_every_answer_has_the_security_headers(http: Client, path: str) -> None:
    headers = http.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] in ("no-store", "no-cache")
    assert headers["X-Request-ID"]
    assert headers["Server"] == "backpropd"


def test_a_valid_request_id_is_returned_and_another_is_replaced(http: Client) -> None:
    for given, is_valid in (("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ("é", False)):
        answer = http.get("/v1/jobs", headers={"X-Request-ID": given})
        assert (answer.headers["X-Request-ID"] == given) == is_valid
