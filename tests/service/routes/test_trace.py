"""Traces of backpropagation over HTTP."""

from typing import Any

import numpy as np
import pytest

from backpropd.config import Settings
from tests.service.requests import Work, rejected_pointers, sample, train_model, upload
from tests.service.validation import Client

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def trace(http: Client, model_id: str, **body: Any) -> dict[str, Any]:
    answer = http.post(f"/v1/models/{model_id}/trace", json=body)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_a_trace_has_the_fields_of_the_contract(http: Client, model: str) -> None:
    found = trace(http, model, rows=[FLOWER, FLOWER], targets=["setosa", "virginica"])
    assert list(found) == ["loss", "input", "layers", "update", "formulas"]
    assert [(layer["name"], layer["activation"]) for layer in found["layers"]] == [
        ("layers.0", "tanh"),
        ("layers.1", "softmax"),
    ]
    hidden, output = found["layers"]
    assert list(hidden) == ["name", "activation", "a", "h", "gradients", "formulas"]
    assert list(hidden["gradients"]) == ["h", "a", "weight", "bias"]
    assert np.shape(found["input"]) == (2, 4)
    assert np.shape(hidden["a"]) == np.shape(hidden["gradients"]["h"]) == (2, 16)
    assert np.shape(output["gradients"]["weight"]) == (16, 3)
    assert list(found["update"]) == [
        "learning_rate", "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
    ]  # fmt: skip


def test_a_trace_follows_from_the_exported_weights(http: Client, model: str) -> None:
    found = trace(http, model, rows=[FLOWER, FLOWER], targets=["setosa", "virginica"], learning_rate=0.5)
    lists = http.get(f"/v1/models/{model}/weights?format=json").json or {}
    weights = {name: np.array(each) for name, each in lists.items()}
    x, y = np.array(found["input"]), np.eye(3)[[0, 2]]
    h = np.tanh(x @ weights["layers.0.weight"] + weights["layers.0.bias"])
    exponentials = np.exp(h @ weights["layers.1.weight"] + weights["layers.1.bias"])
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    hidden, output = (layer["gradients"] for layer in found["layers"])
    at_a = (p - y) / 2
    at_h = at_a @ weights["layers.1.weight"].T
    expected = [
        (found["loss"], -np.log(p[[0, 1], [0, 2]]).mean()),
        (output["h"], -y / p / 2),
        (output["a"], at_a),
        (output["weight"], h.T @ at_a),
        (hidden["h"], at_h),
        (hidden["a"], at_h * (1 - h**2)),
        (hidden["weight"], x.T @ (at_h * (1 - h**2))),
        (found["update"]["layers.1.bias"], -0.5 * at_a.sum(axis=0)),
        (found["update"]["layers.0.weight"], -0.5 * x.T @ (at_h * (1 - h**2))),
    ]
    for actual, value in expected:
        np.testing.assert_allclose(actual, value, rtol=1e-9, atol=1e-12)
    predicted = http.post(f"/v1/models/{model}/predictions", json={"rows": [FLOWER]}).json
    probabilities = [*predicted["predictions"][0]["probabilities"].values()]
    np.testing.assert_allclose(found["layers"][1]["h"][0], probabilities, atol=1e-6)


def test_the_update_uses_the_jobs_learning_rate_unless_another_is_given(http: Client, model: str) -> None:
    own, given = (
        trace(http, model, rows=[FLOWER], targets=["setosa"], **rate)["update"] for rate in ({}, {"learning_rate": 1})
    )
    assert (own["learning_rate"], given["learning_rate"]) == (0.01, 1)
    np.testing.assert_allclose(own["layers.0.bias"], 0.01 * np.array(given["layers.0.bias"]), atol=1e-15)


def test_a_trace_without_targets_is_a_forward_pass(http: Client, model: str) -> None:
    found = trace(http, model, rows=[[5.1, 3.5, 1.4, 0.2]])
    assert (found["loss"], found["update"]) == (None, None)
    assert [layer["gradients"] for layer in found["layers"]] == [None, None]
    assert [layer["formulas"]["gradients"] for layer in found["layers"]] == [None, None]
    assert found["formulas"] == {"input": "h^{(0)} = x", "loss": None, "update": None}
    assert found["layers"] == [
        {**layer, "gradients": None, "formulas": {**layer["formulas"], "gradients": None}}
        for layer in trace(http, model, rows=[FLOWER], targets=["setosa"])["layers"]
    ]


def test_every_value_has_its_formula_in_latex(http: Client, model: str) -> None:
    found = trace(http, model, rows=[FLOWER], targets=["setosa"])
    hidden, output = found["layers"]
    assert hidden["formulas"]["a"] == "a^{(1)} = h^{(0)} W^{(1)} + b^{(1)}"
    assert hidden["formulas"]["h"] == r"h^{(1)} = \tanh(a^{(1)})"
    assert hidden["formulas"]["gradients"] == {
        "h": r"\frac{\partial L}{\partial h^{(1)}} = \frac{\partial L}{\partial a^{(2)}} (W^{(2)})^\top",
        "a": r"\frac{\partial L}{\partial a^{(1)}} = \frac{\partial L}{\partial h^{(1)}} \odot (1 - (h^{(1)})^2)",
        "weight": r"\frac{\partial L}{\partial W^{(1)}} = (h^{(0)})^\top \frac{\partial L}{\partial a^{(1)}}",
        "bias": r"\frac{\partial L}{\partial b^{(1)}} = \sum_i \frac{\partial L}{\partial a^{(1)}}_{i}",
    }
    fused = r"\frac{\partial L}{\partial a^{(2)}} = \frac{1}{n} (h^{(2)} - y)"
    assert output["formulas"]["gradients"]["a"] == fused
    assert found["formulas"]["loss"] == r"L = -\frac{1}{n} \sum_{i,k} y_{ik} \ln h^{(2)}_{ik}"
    assert found["formulas"]["update"].keys() == found["update"].keys() - {"learning_rate"}
    update = r"\Delta b^{(2)} = -\eta\, \frac{\partial L}{\partial b^{(2)}}"
    assert found["formulas"]["update"]["layers.1.bias"] == update


NUMBERS = "x,late,u,v\n" + "".join(f"{n},{'yes' if n % 3 else 'no'},{n * 2},{50 - n}\n" for n in range(40))


def test_targets_have_the_units_of_the_table_and_several_come_as_objects_or_arrays(http: Client, work: Work) -> None:
    model = train_model(http, work, upload(http, NUMBERS), ["u", "v"], features=["x", "late"])
    row = {"x": 3, "late": "yes"}
    (value,) = http.post(f"/v1/models/{model}/predictions", json={"rows": [row]}).json["predictions"]
    by_name = trace(http, model, rows=[row], targets=[value["value"]])
    assert by_name["loss"] == pytest.approx(0, abs=1e-9)
    by_order = trace(http, model, rows=[row], targets=[[value["value"]["u"], value["value"]["v"]]])
    assert by_order == by_name
    assert trace(http, model, rows=[row], targets=[[100, 7]])["loss"] > 0.1
    for scalar in (1, "12", None):
        answer = http.post(f"/v1/models/{model}/trace", json={"rows": [row], "targets": [scalar]})
        assert rejected_pointers(answer) == ["/targets/0"]


def test_a_boolean_target_is_accepted_in_every_form_of_a_table(http: Client, work: Work) -> None:
    model = train_model(http, work, upload(http, NUMBERS), "late", features=["x"])
    found = [trace(http, model, rows=[[3]], targets=[target]) for target in (True, "true", "Yes", 1)]
    assert found == [found[0]] * 4
    assert found[0]["loss"] != trace(http, model, rows=[[3]], targets=[False])["loss"]


def test_several_boolean_targets_come_as_objects_or_arrays(http: Client, work: Work) -> None:
    table = "x,a,b\n" + "".join(f"{n},{n % 2},{n % 3 == 0}\n" for n in range(40))
    model = train_model(http, work, upload(http, table), ["a", "b"], task="classification")
    by_name = trace(http, model, rows=[[3]], targets=[{"a": 1, "b": True}])
    assert by_name == trace(http, model, rows=[[3]], targets=[[True, 1]])
    h = np.array(by_name["layers"][-1]["h"])
    assert by_name["loss"] == pytest.approx(-np.log(h).mean())
    answer = http.post(f"/v1/models/{model}/trace", json={"rows": [[3]], "targets": [{"a": 1, "b": 2}]})
    assert rejected_pointers(answer) == ["/targets/0/b"]


def test_a_normalized_layer_has_z_too_and_dropout_is_off(http: Client, work: Work, iris: str) -> None:
    network = {"hidden": [{"units": 4, "normalization": "batch", "dropout": 0.5}]}
    model = train_model(http, work, iris, "species", network=network)
    found = trace(http, model, rows=[FLOWER], targets=["setosa"])
    hidden = found["layers"][0]
    assert list(hidden) == ["name", "activation", "z", "a", "h", "gradients", "formulas"]
    assert list(hidden["gradients"]) == ["h", "a", "weight", "bias", "z", "scale", "shift"]
    np.testing.assert_allclose(hidden["h"], np.tanh(hidden["a"]))
    predicted = http.post(f"/v1/models/{model}/predictions", json={"rows": [FLOWER]}).json
    probabilities = [*predicted["predictions"][0]["probabilities"].values()]
    np.testing.assert_allclose(found["layers"][1]["h"][0], probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"rows": [{**FLOWER, "petal_width": "wide"}]}, "/rows/0/petal_width", "not a number"),
        ({"rows": [FLOWER], "targets": ["setosa", "setosa"]}, "/targets", "got 2 targets for 1 rows"),
        ({"rows": [FLOWER] * 2, "targets": ["setosa", "rose"]}, "/targets/1", "setosa, versicolor, virginica"),
        ({"rows": [FLOWER] * 2, "targets": [None, "setosa"]}, "/targets/0", "one of the labels"),
        ({"rows": [FLOWER], "targets": [{"species": "rose"}]}, "/targets/0/species", "no label 'rose'"),
        ({"rows": [FLOWER], "targets": [{"colour": "blue"}]}, "/targets/0/colour", "no column 'colour'"),
        ({"rows": [FLOWER], "targets": [["setosa", 1]]}, "/targets/0", "2 values"),
        ({"rows": [FLOWER], "targets": ["setosa"], "learning_rate": 0}, "/learning_rate", "greater than 0"),
        ({"rows": [FLOWER] * 101}, "/rows", "the limit is 100"),
        ({"rows": []}, "/rows", "at least 1"),
    ],
)
def test_an_invalid_trace_request_is_rejected_with_its_pointer(
    http: Client, model: str, body: dict[str, Any], pointer: str, detail: str
) -> None:
    answer = http.post(f"/v1/models/{model}/trace", json=body)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    problems = {each["pointer"]: each["detail"] for each in answer.json["errors"]}
    assert pointer in problems
    assert detail in problems[pointer]


def test_a_target_that_is_no_number_is_rejected_with_its_pointer(http: Client, work: Work) -> None:
    model = train_model(http, work, upload(http, NUMBERS), ["u", "v"], features=["x", "late"])
    for target, pointer in (({"u": 1, "v": "much"}, "/targets/0/v"), ([None, 1], "/targets/0/0")):
        answer = http.post(f"/v1/models/{model}/trace", json={"rows": [[1, "yes"]], "targets": [target]})
        assert rejected_pointers(answer) == [pointer]


@pytest.mark.parametrize("kind", ["perceptron", "perceptron_network", "mcculloch_pitts"])
def test_a_threshold_neuron_is_traced_by_its_own_rule(http: Client, work: Work, kind: str) -> None:
    network = {"kind": kind, **({"inhibitory": [], "threshold": 2} if kind == "mcculloch_pitts" else {})}
    model = train_model(http, work, sample(http, "and"), "y", network=network, training={"epochs": 100})
    found = trace(http, model, rows=[[1, 1]], targets=[1])
    assert (found["loss"], found["input"]) == (0, [[1, 1]])
    assert found["layers"][-1]["h"] == [[1]]
    assert {(layer["activation"], layer["gradients"]) for layer in found["layers"]} == {("step", None)}
    wrong = trace(http, model, rows=[[1, 1]], targets=[0])
    assert wrong["loss"] == 1
    if kind == "mcculloch_pitts":
        assert wrong["update"] is None
    else:
        last = f"layers.{len(wrong['layers']) - 1}.bias"
        assert (wrong["update"][last], found["update"][last]) == ([-1], [0])
        rate = trace(http, model, rows=[[1, 1]], targets=[0], learning_rate=0.5)["update"]
        assert (rate["learning_rate"], rate[last]) == (0.5, [-0.5])
    rejected = http.post(f"/v1/models/{model}/trace", json={"rows": [[1, 2]]})
    if kind != "perceptron":
        assert rejected_pointers(rejected) == ["/rows/0/1"]
    surface = http.get(f"/v1/models/{model}/surface")
    assert (surface.status_code, surface.json["code"]) == (409, "conflict")


def test_a_trace_of_a_large_network_is_rejected_with_the_limit(http: Client, work: Work, iris: str) -> None:
    network = {"hidden": [{"units": 1000}, {"units": 1000}]}
    model = train_model(http, work, iris, "species", network=network, training={"epochs": 1})
    answer = http.post(f"/v1/models/{model}/trace", json={"rows": [FLOWER]})
    assert answer.status_code == 422
    assert str(Settings().max_trace_numbers) in answer.json["detail"]
    assert "train a model to trace with fewer features" in answer.json["detail"]
