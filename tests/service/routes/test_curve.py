"""Response curves over HTTP: a model's output against one of its features."""

import json
from typing import Any

import numpy as np
import pytest
from flask import Flask

from backpropd.store.sql.schema import Model
from tests.service.requests import Work, rejected_pointers, train_model, upload
from tests.service.validation import Client

LINE = "x,y\n" + "".join(f"{n / 10},{int(n > 0)}\n" for n in range(-20, 21))
MIXED = "size,big,colour,bit,label\n" + "".join(
    f"{n},{'true' if n > 9 else 'false'},{'red' if n % 3 else 'blue'},{int(n % 4 == 0)},{'ab'[n > 9]}\n"
    for n in range(20)
)
MIXED_FEATURES = ["size", "big", "colour", "bit"]  # named, because the sizes count up as row numbers do
SIGMOID = {"kind": "feedforward", "hidden": []}


def trained(http: Client, work: Work, text: str, target: str, network: dict[str, Any], **spec: Any) -> str:
    """Train a model, by default for 100 epochs; gives the path of its curve."""
    spec["training"] = {"epochs": 100, **spec.get("training", {})}
    return f"/v1/models/{train_model(http, work, upload(http, text), target, network=network, **spec)}/curve"


def read(http: Client, path: str, **query: Any) -> dict[str, Any]:
    answer = http.get(path, query_string=query)
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def test_the_curves_of_a_perceptron_and_a_sigmoid_neuron(http: Client, work: Work) -> None:
    step = read(http, trained(http, work, LINE, "y", {"kind": "perceptron"}, training={"seed": 1}))
    sigmoid = read(http, trained(http, work, LINE, "y", SIGMOID, training={"seed": 1}))
    assert step["x"] == sigmoid["x"] == np.linspace(-2, 2, 101).tolist()
    (stepped,), (smooth,) = step["outputs"], sigmoid["outputs"]
    assert (stepped["label"], smooth["label"]) == ("1", "1")
    assert set(stepped["h"]) == {0, 1}
    assert stepped["h"] == sorted(stepped["h"])
    assert abs(np.diff(stepped["h"]).argmax() - 50) <= 2  # the step is at the boundary
    slopes = np.diff(smooth["h"])
    assert slopes.min() > 0
    assert slopes.argmax() not in (0, 99)  # steepest in between: an S
    assert (step["feature"], step["held"]) == ("x", {})


def test_a_curve_agrees_with_predictions(http: Client, work: Work) -> None:
    path = trained(http, work, MIXED, "label", SIGMOID, features=MIXED_FEATURES, training={"epochs": 5})
    curve = read(http, path, feature="size", points=3, to=40, hold=json.dumps({"colour": "blue", "big": True}))
    assert (curve["x"], curve["held"]) == ([0, 20, 40], {"big": True, "colour": "blue", "bit": 0})
    rows = [[x, True, "blue", 0] for x in curve["x"]]
    answers = http.post(path.replace("curve", "predictions"), json={"rows": rows}).json["predictions"]
    assert curve["outputs"] == [{"label": "b", "h": [answer["probabilities"]["b"] for answer in answers]}]


def test_other_features_have_their_typical_values(http: Client, work: Work) -> None:
    path = trained(
        http, work, MIXED, "label", SIGMOID, features=MIXED_FEATURES, training={"epochs": 1, "validation_fraction": 0.0}
    )
    curve = read(http, path, feature="colour")
    assert curve["x"] == ["blue", "red"]
    assert curve["held"] == {"size": 9.5, "big": "false", "bit": 0}
    assert read(http, path, feature="big")["x"] == [0, 1]
    assert read(http, path, feature="big")["held"]["colour"] == "red"


def test_each_of_three_classes_and_each_target_of_a_regression_has_a_curve(http: Client, work: Work, iris: str) -> None:
    rows = http.get(f"/v1/datasets/{iris}/rows?limit=150").json["data"]
    text = "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)])
    three = read(http, trained(http, work, text, "species", {"kind": "feedforward"}), feature="petal_width")
    assert [output["label"] for output in three["outputs"]] == ["setosa", "versicolor", "virginica"]
    assert np.sum([output["h"] for output in three["outputs"]], axis=0) == pytest.approx(np.ones(101))
    path = trained(http, work, LINE, "y", SIGMOID, task="regression", training={"epochs": 1})
    (value,) = read(http, path)["outputs"]
    assert (value["name"], len(value["h"])) == ("y", 101)


def test_a_boolean_feature_has_two_points(http: Client, work: Work) -> None:
    text = "x1,x2,y\n0,0,0\n0,1,0\n1,0,1\n1,1,0\n"
    path = trained(http, work, text, "y", {"kind": "mcculloch_pitts"})
    assert read(http, path, feature="x1") == {
        "feature": "x1", "x": [0, 1], "outputs": [{"label": "1", "h": [0, 1]}], "held": {"x2": 0}
    }  # fmt: skip
    vetoed = read(http, path, feature="x1", hold='{"x2": 1}')
    assert vetoed["outputs"][0]["h"] == [0, 0]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({}, "/feature"),
        ({"feature": "weight"}, "/feature"),
        ({"feature": "size", "points": 1}, "/points"),
        ({"feature": "size", "from": 3, "to": 3}, "/from"),
        ({"feature": "size", "to": -1}, "/to"),
        ({"feature": "size", "from": "nan"}, "/from"),
        ({"feature": "size", "rows": 3}, "/rows"),
        ({"feature": "colour", "from": 0}, "/from"),
        ({"feature": "big", "to": 1}, "/to"),
        ({"feature": "size", "hold": "{"}, "/hold"),
        ({"feature": "size", "hold": '{"size": 1}'}, "/hold/size"),
        ({"feature": "size", "hold": '{"a/b": 1}'}, "/hold/a~1b"),
        ({"feature": "size", "hold": '{"bit": "many"}'}, "/hold/bit"),
    ],
)
def test_an_invalid_curve_request_is_rejected_with_its_pointer(
    http: Client, work: Work, query: dict[str, Any], pointer: str
) -> None:
    path = trained(http, work, MIXED, "label", SIGMOID, features=MIXED_FEATURES, training={"epochs": 1})
    assert rejected_pointers(http.get(path, query_string=query)) == [pointer]


def test_a_held_value_that_is_no_boolean_is_rejected(http: Client, work: Work) -> None:
    path = trained(http, work, "x1,x2,y\n0,0,0\n1,0,1\n0,1,1\n", "y", {"kind": "perceptron_network"})
    answer = http.get(path, query_string={"feature": "x1", "hold": '{"x2": 0.5}'})
    assert rejected_pointers(answer) == ["/hold/x2"]
    assert answer.json["detail"].startswith("/hold/x2: ")


def test_a_curve_over_huge_values_is_finite(http: Client, work: Work) -> None:
    path = trained(http, work, LINE, "y", SIGMOID, task="regression", training={"epochs": 1})
    answer = http.get(path, query_string={"from": -1e300, "to": 1e300, "points": 3})
    assert answer.status_code == 200
    assert all(h is not None and abs(h) < 1e300 for h in answer.json["outputs"][0]["h"])


def test_a_model_without_stored_statistics_still_has_a_curve(app: Flask, http: Client, work: Work) -> None:
    path = trained(
        http, work, MIXED, "label", SIGMOID, features=MIXED_FEATURES, training={"epochs": 1, "validation_fraction": 0.0}
    )
    with app.extensions["backpropd"].database.write() as session:
        model = session.get(Model, path.split("/")[3])
        encoders = json.loads(json.dumps(model.encoders))
        for each in encoders["features"]["columns"]:
            each["column"] = {name: each["column"][name] for name in ("name", "kind")}
        model.encoders = encoders
    held = {"big": True, "colour": "red"}
    curve = read(http, path, feature="size", hold=json.dumps(held))
    deviation = 3 * np.std(np.arange(20))
    assert (curve["x"][0], curve["x"][-1]) == pytest.approx((9.5 - deviation, 9.5 + deviation))
    assert curve["held"] == {**held, "bit": 0.25}
    assert rejected_pointers(http.get(path, query_string={"feature": "size"}))[0] == "/hold/big"


def test_numbers_as_a_category_are_held_at_a_value_that_must_be_given_if_the_most_frequent_is_not_known(
    http: Client, work: Work
) -> None:
    text = "code,x,y\n" + "".join(f"{n % 60},{n * n % 7},{'ab'[n % 2]}\n" for n in range(120))
    path = trained(http, work, text, "y", SIGMOID, kinds={"code": "category"}, training={"epochs": 1})
    answer = http.get(path, query_string={"feature": "x"})
    assert rejected_pointers(answer) == ["/hold/code"]
    assert "most frequent value of 'code' is not known" in answer.json["detail"]


def test_a_date_has_a_curve_and_is_held_at_its_mean(http: Client, work: Work) -> None:
    rows = "".join(f"2020-01-{day:02},{day % 5},{day}\n" for day in range(1, 32))
    path = trained(http, work, "day,x,y\n" + rows, "y", SIGMOID, features=["day", "x"])
    curve = read(http, path, feature="day", points=3)
    assert curve["x"] == ["2020-01-01T00:00:00", "2020-01-16T00:00:00", "2020-01-31T00:00:00"]
    assert read(http, path, feature="x")["held"].keys() == {"day"}
    assert rejected_pointers(http.get(path, query_string={"feature": "day", "from": 3})) == ["/from"]
