"""Explanations of models over HTTP."""

from typing import Any

import pytest

from tests.service.requests import Work, rejected_pointers, sample, train_model, upload
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
    assert chosen[0]["baseline"] == chosen[0]["output"]
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
