"""Explanations of models over HTTP."""

from typing import Any

import pytest
from flask import Flask

from tests.service.requests import Key, Work, rejected_pointers, sample, train_model, trainer, upload, with_key
from tests.service.validation import Client

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def explain(http: Client, model_id: str, **body: Any) -> list[dict[str, Any]]:
    answer = http.post(f"/v1/models/{model_id}/explain", json=body)
    assert answer.status_code == 200, answer.json
    found: list[dict[str, Any]] = answer.json["explanations"]
    return found


def test_an_explanation_has_the_fields_of_the_contract_and_is_complete(http: Client, model: str) -> None:
    found = explain(http, model, rows=[FLOWER, {**FLOWER, "petal_length": 5.5, "petal_width": 2.0}])
    predictions = http.post(f"/v1/models/{model}/predictions", json={"rows": [FLOWER]}).json["predictions"]
    assert [list(each) for each in found] == [["class", "baseline", "output", "attributions", "error"]] * 2
    assert found[0]["class"] == predictions[0]["label"]
    for each in found:
        assert list(each["attributions"]) == list(FLOWER)
        assert sum(each["attributions"].values()) == pytest.approx(each["output"] - each["baseline"], abs=1e-6)
        assert 0 <= each["error"] < 1e-6
    chosen = explain(http, model, rows=[FLOWER], **{"class": "virginica", "baseline": FLOWER})
    assert chosen[0]["class"] == "virginica"
    assert chosen[0]["baseline"] == pytest.approx(chosen[0]["output"], rel=1e-12)
    assert set(chosen[0]["attributions"].values()) == {0}


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"rows": [{**FLOWER, "petal_width": "wide"}]}, "/rows/0/petal_width", "not a number"),
        ({"rows": [FLOWER], "class": "rose"}, "/class", "setosa, versicolor, virginica"),
        ({"rows": [FLOWER], "baseline": {**FLOWER, "petal_width": "wide"}}, "/baseline/petal_width", "not a number"),
        ({"rows": [FLOWER], "baseline": [1, 2]}, "/baseline", "2 values"),
        ({"rows": [FLOWER], "baseline": "median"}, "/baseline", 'send "mean"'),
        ({"rows": [FLOWER] * 101}, "/rows", "the limit is 100"),
        ({"rows": []}, "/rows", "at least 1"),
        ({"rows": [FLOWER], "label": "setosa"}, "/label", "no such field"),
    ],
)
def test_an_invalid_request_is_rejected_with_its_pointer(
    http: Client, model: str, body: dict[str, Any], pointer: str, detail: str
) -> None:
    answer = http.post(f"/v1/models/{model}/explain", json=body)
    assert rejected_pointers(answer) == [pointer]
    assert detail in answer.json["errors"][0]["detail"]


@pytest.mark.parametrize("kind", ["perceptron", "mcculloch_pitts"])
def test_a_threshold_neuron_is_not_explained_by_gradients(http: Client, work: Work, kind: str) -> None:
    network = {"kind": kind, **({"inhibitory": [], "threshold": 2} if kind == "mcculloch_pitts" else {})}
    model = train_model(http, work, sample(http, "and"), "y", network=network)
    answer = http.post(f"/v1/models/{model}/explain", json={"rows": [[1, 1]]})
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "no gradient" in answer.json["detail"]


def test_a_class_that_is_a_number_is_named_by_it(http: Client, work: Work) -> None:
    table = "x,y\n" + "".join(f"{n},{n // 20}\n" for n in range(60))
    model = train_model(http, work, upload(http, table), "y", task="classification")
    (by_text,), (by_number,) = (explain(http, model, rows=[[3]], **{"class": label}) for label in ("2", 2))
    assert by_text == by_number
    assert by_text["class"] == "2"


def test_the_inputs_along_the_path_are_reserved(http: Client, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reserved = list[int]()
    monkeypatch.setattr("service.routes.explanations.hold_memory", reserved.append)
    explain(http, model, rows=[FLOWER] * 3)
    parameters = http.get(f"/v1/models/{model}").json["parameters"]
    assert reserved == [8 * (parameters + (3 + 40) * 4) + 128 * 3 * 4]


def post(http: Client, model_id: str, path: str, **body: Any) -> dict[str, Any]:
    answer = http.post(f"/v1/models/{model_id}/{path}", json=body)
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def test_importance_has_the_fields_of_the_contract_the_largest_first(http: Client, work: Work, iris: str) -> None:
    model = train_model(http, work, iris, "species", training={"epochs": 100})
    found = post(http, model, "importance")
    assert list(found) == ["metric", "importance"]
    assert found["metric"] == "accuracy"
    assert [list(each) for each in found["importance"]] == [["column", "mean", "deviation"]] * 4
    assert {each["column"] for each in found["importance"]} == set(FLOWER)
    means = [each["mean"] for each in found["importance"]]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.1
    assert found == post(http, model, "importance", dataset_id=iris, repeats=5, seed=0)
    assert found != post(http, model, "importance", seed=1)


def test_partial_dependence_has_the_fields_of_the_contract(http: Client, work: Work, iris: str) -> None:
    model = train_model(http, work, iris, "species", training={"epochs": 100})
    found = post(http, model, "partial-dependence", feature="petal_length")
    assert list(found) == ["class", "values", "mean", "curves"]
    assert found["class"] == "virginica"
    assert (len(found["values"]), len(found["mean"]), len(found["curves"])) == (50, 50, 50)
    assert (found["values"][0], found["values"][-1]) == (1.0, 6.9)
    assert {len(curve) for curve in found["curves"]} == {50}
    assert found["mean"][0] < found["mean"][-1]
    setosa = post(
        http,
        model,
        "partial-dependence",
        feature="petal_length",
        points=3,
        rows=2,
        dataset_id=iris,
        **{"class": "setosa"},
    )
    assert len(setosa["curves"]) == 2
    assert setosa["mean"][0] > setosa["mean"][-1]


@pytest.mark.parametrize(
    ("path", "body", "pointer", "detail"),
    [
        ("importance", {"repeats": 0}, "/repeats", "greater than or equal to 1"),
        ("importance", {"repeats": 101}, "/repeats", "less than or equal to 100"),
        ("importance", {"seed": -1}, "/seed", "greater than or equal to 0"),
        ("importance", {"rows": 5}, "/rows", "no such field"),
        ("partial-dependence", {}, "/feature", "required"),
        ("partial-dependence", {"feature": "colour"}, "/feature", "sepal_length, sepal_width"),
        ("partial-dependence", {"feature": "petal_width", "points": 1002}, "/points", "less than or equal to 1001"),
        ("partial-dependence", {"feature": "petal_width", "rows": 1001}, "/rows", "less than or equal to 1000"),
        ("partial-dependence", {"feature": "petal_width", "class": "rose"}, "/class", "setosa, versicolor"),
    ],
)
def test_an_invalid_request_about_a_table_is_rejected_with_its_pointer(
    http: Client, model: str, path: str, body: dict[str, Any], pointer: str, detail: str
) -> None:
    answer = http.post(f"/v1/models/{model}/{path}", json=body)
    assert rejected_pointers(answer) == [pointer]
    assert detail in answer.json["errors"][0]["detail"]


@pytest.mark.parametrize(("path", "body"), [("importance", {}), ("partial-dependence", {"feature": "petal_width"})])
def test_a_dataset_that_is_gone_or_does_not_fit_is_named(
    http: Client, model: str, iris: str, path: str, body: dict[str, Any]
) -> None:
    unknown = http.post(f"/v1/models/{model}/{path}", json={**body, "dataset_id": "ds_none"})
    assert (unknown.status_code, unknown.json["errors"][0]["pointer"]) == (404, "/dataset_id")
    other = http.post(f"/v1/models/{model}/{path}", json={**body, "dataset_id": sample(http, "wine")})
    assert set(rejected_pointers(other)) == {"/dataset_id"}
    again = sample(http, "iris")
    assert http.delete(f"/v1/datasets/{iris}").status_code == 204
    gone = http.post(f"/v1/models/{model}/{path}", json=body)
    assert (gone.status_code, gone.json["code"]) == (409, "conflict")
    assert "dataset_id" in gone.json["detail"]
    assert post(http, model, path, **body, dataset_id=again)


def test_an_imported_model_is_explained_and_needs_the_name_of_a_dataset(http: Client, model: str, iris: str) -> None:
    content = http.get(f"/v1/models/{model}/export?format=safetensors").data
    headers = {"Content-Type": "application/octet-stream"}
    imported = str(http.post("/v1/models", data=content, headers=headers).json["id"])
    assert explain(http, imported, rows=[FLOWER]) == explain(http, model, rows=[FLOWER])
    for path, body in (("importance", {}), ("partial-dependence", {"feature": "petal_width"})):
        answer = http.post(f"/v1/models/{imported}/{path}", json=body)
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")
        named = {**body, "dataset_id": iris}
        assert post(http, imported, path, **named) == post(http, model, path, **named)


def test_an_imported_description_may_have_other_words_and_no_range(http: Client) -> None:
    levels = [{"value": "maybe", "count": 1}, {"value": "yes", "count": 0}]
    features = [
        {"column": {"name": "flag", "kind": "boolean", "levels": levels}},
        {"column": {"name": "when", "kind": "date"}, "encoder": {"mean": 19000.0, "std": 10.0, "cycles": []}},
        "x",
    ]
    network = {"kind": "feedforward", "hidden": [], "output_activation": "linear"}
    weights = {"layers.0.weight": [[1.0], [2.0], [3.0]], "layers.0.bias": [0.0]}
    body = {"features": features, "target": "y", "network": network, "weights": weights}
    model = str(http.post("/v1/models", json=body).json["id"])
    dataset = upload(http, "flag,when,x,y\n" + "".join(f"yes,2024-01-{n},{n},{n}\nno,,,1\n" for n in range(10, 30)))
    (found,) = explain(http, model, rows=[[True, "2024-01-01", 2.0]])
    assert (found["attributions"]["flag"], found["attributions"]["x"]) == (1, 6)
    shown = {
        name: post(http, model, "partial-dependence", feature=name, points=2, dataset_id=dataset)["values"]
        for name in ("flag", "when", "x")
    }
    assert shown == {"flag": [0, 1], "when": ["2024-01-10T00:00:00", "2024-01-29T00:00:00"], "x": [10, 29]}
    curve = http.get(f"/v1/models/{model}/curve?feature=when&points=2")
    assert curve.json["x"] == ["2021-12-09T00:00:00", "2022-02-07T00:00:00"]


def test_the_kinds_of_the_job_apply_to_another_dataset_too(http: Client, work: Work) -> None:
    table = "code,x,y\n" + "".join(f"{n % 3},{n},{n % 3 * 5 + n / 40}\n" for n in range(60))
    dataset = upload(http, table)
    model = train_model(http, work, dataset, "y", kinds={"code": "category"}, training={"epochs": 50})
    shown = post(http, model, "partial-dependence", feature="code", dataset_id=upload(http, table + "2,99,1\n"))
    assert shown["values"] == ["0", "1", "2"]
    assert post(http, model, "importance", dataset_id=dataset)["metric"] == "r2"
    words = upload(http, table.replace("code", "other"))
    answer = http.post(f"/v1/models/{model}/importance", json={"dataset_id": words})
    assert rejected_pointers(answer) == ["/dataset_id"]


def test_the_limit_of_operations_applies_to_every_explanation(app: Flask, http: Client, model: str) -> None:
    services = app.extensions["backpropd"]
    services.settings = services.settings.model_copy(update={"max_surface_operations": 1000})
    for path, body in (
        ("explain", {"rows": [FLOWER]}),
        ("importance", {}),
        ("partial-dependence", {"feature": "petal_width"}),
    ):
        answer = http.post(f"/v1/models/{model}/{path}", json=body)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid")
        assert "operations" in answer.json["detail"]


def test_models_of_other_tenants_and_their_datasets_do_not_exist(locked: Flask, key: Key) -> None:
    ours, theirs = with_key(locked, key("admin")), with_key(locked, key("admin", tenant="them"))
    foreign = sample(theirs, "iris")
    model = train_model(ours, trainer(locked), sample(ours, "iris"), "species")
    for path, body in (
        ("explain", {"rows": [FLOWER]}),
        ("importance", {}),
        ("partial-dependence", {"feature": "petal_width"}),
    ):
        assert theirs.post(f"/v1/models/{model}/{path}", json=body).status_code == 404
        if path != "explain":
            assert ours.post(f"/v1/models/{model}/{path}", json={**body, "dataset_id": foreign}).status_code == 404
