"""Derived features over HTTP: jobs, models, predictions, exports and imports that have them."""

from typing import Any

import pytest

from tests.service.requests import Work, fork, read_model, rejected_pointers, submit, upload
from tests.service.validation import Client

TABLE = "x1,x2,word,y\n" + "".join(f"{n},{n % 7 - 2},{'abc'[n % 3]},{n * (n % 7)}\n" for n in range(1, 60))
FEATURES: list[Any] = [{"product": ["x2", "x1"]}, "word", {"log": "x1"}, {"square": "x1"}]
TRAINING = {"epochs": 3, "seed": 0}


def request(http: Client, features: list[Any] = FEATURES) -> dict[str, Any]:
    return {"dataset_id": upload(http, TABLE), "target": "y", "features": features, "training": TRAINING}


def test_a_dry_run_repeats_the_features_and_counts_their_inputs(http: Client) -> None:
    plan = http.post("/v1/jobs?dry_run=true", json=request(http, [*FEATURES, {"log": "x2"}])).json
    assert plan["features"] == [*FEATURES, {"log": "x2"}]
    assert plan["cost"]["encoded_features"] == 3 + 3 + 2
    assert [(each["code"], each["pointer"]) for each in plan["warnings"]] == [("missing_logarithm", "/features/4")]


@pytest.mark.parametrize(
    ("feature", "pointer"),
    [
        ({"cube": "x1"}, "/features/0/cube"),
        ({}, "/features/0"),
        ({"sin": "x1", "log": "x1"}, "/features/0"),
        ({"sin": ["x1"]}, "/features/0/sin"),
        ({"product": "x1"}, "/features/0/product"),
        ({"product": ["x1", "x2", "y"]}, "/features/0/product"),
        ({"sin": None}, "/features/0"),
        ({"sin": "x9"}, "/features/0"),
        ({"sin": "word"}, "/features/0"),
        ({"square": "y"}, "/features/0"),
        (3, "/features/0"),
    ],
)
def test_a_feature_that_cannot_be_derived_is_rejected(http: Client, feature: Any, pointer: str) -> None:
    answer = http.post("/v1/jobs?dry_run=true", json=request(http, [feature]))
    assert answer.status_code == 422
    assert rejected_pointers(answer) == [pointer]


@pytest.fixture
def derived(http: Client, work: Work) -> dict[str, Any]:
    """A model with derived features."""
    job = submit(http, upload(http, TABLE), "y", features=FEATURES, training=TRAINING)
    assert job["features"] == FEATURES
    work()
    return read_model(http, job)


def post(http: Client, model: dict[str, Any], route: str, body: Any) -> Any:
    answer = http.post(f"/v1/models/{model['id']}/{route}", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_a_model_shows_its_features_and_the_columns_that_it_takes(http: Client, derived: dict[str, Any]) -> None:
    assert (derived["features"], derived["input_columns"]) == (FEATURES, ["x2", "x1", "word"])
    by_name = [{"x1": 3, "x2": 4, "word": "a"}, {"x1": 5, "x2": 0, "word": "b"}]
    found = [post(http, derived, "predictions", {"rows": rows}) for rows in (by_name, [[4, 3, "a"], [0, 5, "b"]])]
    assert found[0] == found[1]
    assert found[0]["warnings"] == []
    lacking = http.post(f"/v1/models/{derived['id']}/predictions", json={"rows": [{"x1": 3, "word": "a"}]})
    assert (lacking.status_code, "'x2'" in lacking.json["detail"]) == (422, True)


def test_a_missing_logarithm_is_a_missing_value(http: Client, derived: dict[str, Any]) -> None:
    warnings = post(http, derived, "predictions", {"rows": [[1, 2, "a"], [1, 0, "a"]]})["warnings"]
    assert [(each["code"], each["column"], each["rows"]) for each in warnings] == [("missing_value", "log(x1)", [1])]


def test_predictions_of_a_stored_table_are_those_of_its_rows(http: Client, derived: dict[str, Any]) -> None:
    rows = [[n % 7 - 2, n, "abc"[n % 3]] for n in range(1, 60)]
    stored = post(http, derived, "predictions", {"dataset_id": upload(http, TABLE)})
    assert stored["predictions"] == post(http, derived, "predictions", {"rows": rows})["predictions"]


def test_explanations_are_of_raw_columns(http: Client, derived: dict[str, Any]) -> None:
    (found,) = post(http, derived, "explain", {"rows": [[4, 3, "a"]]})["explanations"]
    assert list(found["attributions"]) == ["x2", "x1", "word"]
    assert sum(found["attributions"].values()) == pytest.approx(found["output"] - found["baseline"], rel=1e-3)
    importance = post(http, derived, "importance", {"repeats": 2})["importance"]
    assert {each["column"] for each in importance} == {"x2", "x1", "word"}
    curves = post(http, derived, "partial-dependence", {"feature": "x1", "points": 3, "rows": 5})
    assert curves["values"] == [1, 30, 59]


def test_a_trace_takes_raw_columns(http: Client, derived: dict[str, Any]) -> None:
    trace = post(http, derived, "trace", {"rows": [{"x1": 3, "x2": 4, "word": "a"}], "targets": [7]})
    assert len(trace["input"][0]) == 6


def test_a_fork_has_the_features_of_its_parent(http: Client, work: Work) -> None:
    training = {"epochs": 4, "seed": 0, "snapshots": {"every": 2}}
    job = submit(http, upload(http, TABLE), "y", features=FEATURES, training=training)
    work()
    made = fork(http, job, {"epoch": 2}).json
    assert made["features"] == FEATURES
    work()
    assert read_model(http, made)["sha256"] == read_model(http, job)["sha256"]


def test_initial_parameters_are_in_the_order_of_the_features(http: Client, work: Work) -> None:
    network = {"hidden": [], "initial_parameters": {"layers.0.weight": [[1], [10], [100]], "layers.0.bias": [0.5]}}
    features = [{"square": "x1"}, {"product": ["x1", "x2"]}, "x2"]
    training = {"feature_scaling": "none", "target_scaling": "none", "snapshots": {"every": 1}, "epochs": 1, "seed": 0}
    training |= {"dtype": "float64", "optimizer": {"name": "sgd", "learning_rate": 1e-12}}
    job = submit(http, upload(http, TABLE), "y", features=features, network=network, training=training)
    work()
    (found,) = post(http, read_model(http, job), "predictions", {"rows": [[3, 2]]})["predictions"]
    assert found["value"] == pytest.approx(9 + 60 + 200 + 0.5, rel=1e-4)


@pytest.mark.parametrize("format", ["json", "safetensors"])
def test_an_exported_model_comes_back(http: Client, derived: dict[str, Any], format: str) -> None:
    content = http.get(f"/v1/models/{derived['id']}/export?format={format}").data
    headers = {"Content-Type": "application/json" if format == "json" else "application/octet-stream"}
    answer = http.post("/v1/models", data=content, headers=headers)
    assert answer.status_code == 201, answer.json
    again = answer.json
    names = ("features", "input_columns", "sha256")
    assert [again[name] for name in names] == [derived[name] for name in names]
    rows = {"rows": [[4, 3, "a"], [-1, 1e200, "c"], [None, 0, "b"]]}
    assert post(http, again, "predictions", rows) == post(http, derived, "predictions", rows)


def test_other_exports_name_the_derived_inputs(http: Client, derived: dict[str, Any]) -> None:
    card = http.get(f"/v1/models/{derived['id']}/export?format=card").text
    assert "product\\(x2, x1\\)" in card or "product(x2, x1)" in card
    assert "product(x2, x1)" in http.get(f"/v1/models/{derived['id']}/export?format=python").text
    for format in ("onnx", "xlsx", "npz"):
        assert http.get(f"/v1/models/{derived['id']}/export?format={format}").status_code == 200


def test_the_inference_protocol_takes_raw_columns(http: Client, derived: dict[str, Any]) -> None:
    metadata = http.get(f"/v2/models/{derived['id']}").json
    assert [each["name"] for each in metadata["inputs"]] == ["x2", "x1", "word"]


IMPORTED: dict[str, Any] = {
    "network": {"kind": "feedforward", "hidden": [], "output_activation": "linear"},
    "features": [{"square": "x"}, {"product": ["x", "z"]}, "z"],
    "target": "y",
    "weights": {"layers.0.weight": [[1], [10], [100]], "layers.0.bias": [0.5]},
}


def test_a_model_made_elsewhere_may_have_derived_features(http: Client) -> None:
    made = http.post("/v1/models", json=IMPORTED).json
    assert (made["features"], made["input_columns"]) == (IMPORTED["features"], ["x", "z"])
    (found,) = post(http, made, "predictions", {"rows": [[3, 2]]})["predictions"]
    assert found["value"] == 9 + 60 + 200 + 0.5
    (explained,) = post(http, made, "explain", {"rows": [[3, 2]], "baseline": [0, 0]})["explanations"]
    assert explained["attributions"] == {"x": pytest.approx(9 + 30), "z": pytest.approx(200 + 30)}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"features": [{"product": ["x", "x"]}]}, "/features/0"),
        ({"features": [{"cube": "x"}]}, "/features/0/cube"),
        ({"features": [{"square": "x"}, {"square": "x"}, "z"]}, "/features"),
        ({"features": [{"square": "y"}]}, "/target"),
        ({"features": [{"square": "x"}], "sources": [{"column": {"name": "z", "kind": "number"}}]}, "/sources"),
        (
            {
                "features": [{"square": "x"}],
                "sources": [{"column": {"name": "x", "kind": "boolean"}}],
            },
            "/features/0",
        ),
        (
            {"features": [{"derived": {"square": "x"}, "column": {"name": "other", "kind": "number"}}]},
            "/features/0/column",
        ),
    ],
)
def test_a_wrong_description_of_derived_features_is_rejected(http: Client, changes: Any, pointer: str) -> None:
    assert rejected_pointers(http.post("/v1/models", json={**IMPORTED, **changes}))[0] == pointer
