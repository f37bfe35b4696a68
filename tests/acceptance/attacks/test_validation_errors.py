"""Attacks by requests with a million mistakes: validation stops after the first few, in linear time."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from service.limits.memory_limit import MAX_JSON_BYTES
from tests.acceptance.attacks.api import JSON, Api
from tests.acceptance.attacks.observer import MIB

pytestmark = pytest.mark.acceptance

MILLION = 1_000_000
UNKNOWN = "/v1/models/model_1k86dw4hjn3dbakw4sq9qgi3p"
LONG = "x" * 20_000_000
Make = Callable[[], Any]  # a large value, made when a test needs it


def numbered(count: int, prefix: str = "a") -> list[str]:
    """Different names."""
    return [f"{prefix}{number}" for number in range(count)]


def nested(depth: int) -> Any:
    """An array in an array in an array …"""
    return [nested(depth - 1)] if depth else 0


def post(api: Api, path: str, body: bytes | Any, *statuses: int, key: str | None = None) -> str:
    """Post JSON under observation, which costs little and gets a short answer of one of these statuses."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    with api.http(key) as http, api.observed() as seen:
        answer = http.post(path, content=raw, headers=JSON)
    assert answer.status_code in statuses, answer.text[:1000]
    assert len(answer.content) < 150_000
    seen.check(seconds=4, mib=MAX_JSON_BYTES / MIB)  # of 26 and more before; what SECURITY.md says that a body may take
    return answer.text


@pytest.fixture(scope="module")
def model(api: Api) -> str:
    """The path of a classifier of iris."""
    with api.http() as http:
        dataset = http.post("/v1/datasets", json={"sample": "iris"}).json()["id"]
    return f"/v1/models/{api.train(dataset_id=dataset, target='species', training={'epochs': 1})}"


@pytest.fixture(scope="module")
def wide(api: Api) -> str:
    """The id of a table of 20,000 columns and four rows."""
    rows = ["\n".join(",".join(str(n % 5 + row) for n in range(20_000)) for row in range(1, 5))]
    return api.upload("\n".join([",".join(numbered(20_000)), *rows]))


BODIES: dict[str, Make] = {
    "zeros": lambda: {"rows": [0] * MILLION},
    "a list of zeros": lambda: [0] * MILLION,
    "empty rows": lambda: {"rows": [[]] * 90_000},
    "empty objects": lambda: {"rows": [{}] * 90_000},
    "rows of words": lambda: {"rows": [["word"] * 4] * 90_000},
    "rows of arrays": lambda: {"rows": [[[], [], [], []]] * 90_000},
    "one row of a million numbers": lambda: {"rows": [[0] * MILLION]},
    "one row of many names": lambda: {"rows": [dict.fromkeys(numbered(300_000), 0)]},
    "many rows that lack a name": lambda: {"rows": [{"a": 0}, *[{"b": 0}] * 90_000]},
    "unknown fields": lambda: {"rows": [[0] * 4], **dict.fromkeys(numbered(300_000), 0)},
    "columns of 100,000 names": lambda: {"columns": numbered(100_000), "rows": [[0] * 100_000]},
    "columns of long names": lambda: {"columns": ["y" * 1_000_000 + str(n) for n in range(20)], "rows": [[0]] * 1000},
    "a long name": lambda: {"rows": [{LONG: 0}]},
    "a long cell": lambda: {"rows": [[LONG, 0, 0, 0]]},
    "long digits": lambda: {"rows": [["1" * 20_000_000, 0, 0, 0]]},
    "nested arrays": lambda: {"rows": [[nested(50)] * 4] * 5000},
    "a dataset beside a million fields": lambda: {"dataset_id": "ds_1", **dict.fromkeys(numbered(300_000), 0)},
    "a long dataset": lambda: {"dataset_id": LONG},
}


@pytest.mark.parametrize("name", BODIES)
def test_rows_to_predict_with_many_mistakes_are_cheap(api: Api, model: str, name: str) -> None:
    post(api, f"{model}/predictions", BODIES[name](), 404, 413, 422)


@pytest.mark.parametrize("name", ["zeros", "unknown fields", "many rows that lack a name"])
def test_rows_for_a_model_that_does_not_exist_are_not_validated(api: Api, name: str) -> None:
    post(api, f"{UNKNOWN}/predictions", BODIES[name](), 404)
    post(api, f"{UNKNOWN}/trace", BODIES[name](), 404)


@pytest.mark.parametrize("name", ["zeros", "rows of words", "one row of a million numbers", "unknown fields"])
def test_rows_to_trace_with_many_mistakes_are_cheap(api: Api, model: str, name: str) -> None:
    post(api, f"{model}/trace", BODIES[name](), 422)


def test_targets_to_trace_with_many_mistakes_are_cheap(api: Api, model: str) -> None:
    for targets in ([0] * MILLION, [[0] * MILLION], [dict.fromkeys(numbered(300_000), 0)], [[[]]] * 100):
        post(api, f"{model}/trace", {"rows": [[0] * 4], "targets": targets}, 422)


NAMES, MANY = numbered(40_000), 240_000  # values of a request without rows
JOBS: dict[str, Make] = {
    "unknown fields": lambda: dict.fromkeys(numbered(MANY), 0),
    "a million features": lambda: {"features": ["a"] * MANY},
    "features of zeros": lambda: {"features": [0] * MANY},
    "features of lists": lambda: {"features": [[]] * MANY},
    "features that are no columns": lambda: {"features": NAMES},
    "a million targets": lambda: {"target": ["a"] * MANY},
    "targets of zeros": lambda: {"target": [0] * MANY},
    "kinds of many names": lambda: {"kinds": dict.fromkeys(NAMES, "text")},
    "kinds that are none": lambda: {"kinds": dict.fromkeys(numbered(MANY), 0)},
    "many inhibitory inputs": lambda: {"network": {"kind": "mcculloch_pitts", "inhibitory": ["a"] * MANY}},
    "inhibitory zeros": lambda: {"network": {"kind": "mcculloch_pitts", "inhibitory": [0] * MANY}},
    "weights of many classes": lambda: {"training": {"class_weight": dict.fromkeys(numbered(MANY), 1)}},
    "weights of words": lambda: {"training": {"class_weight": dict.fromkeys(numbered(MANY), "a")}},
    "layers of zeros": lambda: {"network": {"hidden": [0] * MANY}},
    "a million zeros": lambda: {"features": [0] * MILLION},
    "layers with unknown fields": lambda: {"network": {"hidden": [dict.fromkeys(numbered(2600), 0)] * 90}},
    "an optimizer of many fields": lambda: {
        "training": {"optimizer": {"name": "sgd", **dict.fromkeys(numbered(MANY), 0)}}
    },
    "an optimizer of a long name": lambda: {"training": {"optimizer": {"name": LONG}}},
    "a long name": lambda: {LONG: 0},
    "a long target": lambda: {"target": LONG},
    "a long dataset": lambda: {"dataset_id": LONG},
    "large metadata": lambda: {"metadata": {"a": [[0] * 1000] * 200}},
    "long metadata": lambda: {"metadata": {"a": LONG}},
    "nested metadata": lambda: {"metadata": {"a": [nested(50)] * 5000}},
}


@pytest.mark.parametrize("name", JOBS)
def test_jobs_with_many_mistakes_are_cheap(api: Api, model: str, name: str) -> None:
    post(api, "/v1/jobs", {"dataset_id": "ds_1", "target": "species", **JOBS[name]()}, 404, 413, 422)


@pytest.mark.parametrize("role", ["features", "target"])
def test_twenty_thousand_features_or_targets_are_resolved_in_linear_time(api: Api, wide: str, role: str) -> None:
    others = {"features": {"target": "a19999"}, "target": {"features": ["a19999"]}}[role]
    names = [*numbered(19_999), "a19998"]  # the last is repeated
    text = post(api, "/v1/jobs?dry_run=true", {"dataset_id": wide, "task": "regression", **others, role: names}, 422)
    assert f"/{role}/19999" in text


def test_duplicate_names_are_found_in_linear_time(api: Api) -> None:
    members = b",".join(b'"%s": 0' % name.encode() for name in (*numbered(240_000), "z", "z"))
    text = post(api, "/v1/jobs", b"{" + members + b"}", 400)
    assert "'z' is repeated" in text


HOSTILE_JSON: dict[str, Make] = {
    "objects in an array": lambda: b"[" + b'{"a":0,"a":0},' * 900_000 + b"0]",
    "deep objects": lambda: b'{"a":' * 60 + b'{"a":[' + b'":",' * MILLION + b"0]}" + b"}" * 60,
    "a NUL behind a long name": lambda: b'{"%s": [%s "\\u0000"]}' % (LONG.encode(), b"0," * MILLION),
    "a NUL in a name behind many values": lambda: b'{"a": [%s 0], "\\u0000": 0}' % (b'"a",' * MILLION),
    "empty arrays": lambda: b"[" + b"[]," * MILLION + b"[]]",
    "commas": lambda: b"[" + b"0," * 8_000_000 + b"0]",
    "a long number": lambda: b'{"a": 0.' + b"1" * 25_000_000 + b', ":": 0}',
    "a long exponent": lambda: b'{"a": 1e' + b"0" * 25_000_000 + b'1, ":": 0}',
    "escapes": lambda: b'{"a": "' + b"\\u00e9" * 4_000_000 + b'"}',
    "wide characters": lambda: '{{"a": "{}:😀"}}'.format("a" * 25_000_000).encode(),
    "colons": lambda: b'{"a": "' + b":" * 25_000_000 + b'"}',
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json_is_cheap(api: Api, name: str) -> None:
    post(api, "/v1/jobs", HOSTILE_JSON[name](), 400, 413, 422)


def test_many_query_parameters_are_cheap(api: Api, model: str) -> None:
    for query in ("&".join(numbered(8000)), "&".join(["a"] * 20_000), "keep=" + ",".join(numbered(8000))):
        post(api, f"{model}/predictions?{query}", {"rows": [[0] * 4]}, 414, 422)


def test_a_read_key_is_refused_before_the_body_is_parsed(api: Api, model: str) -> None:
    post(api, f"{model}/predictions", BODIES["zeros"](), 403, key=api.read)
    post(api, "/v1/keys", {"scopes": ["read"] * MILLION}, 403)
