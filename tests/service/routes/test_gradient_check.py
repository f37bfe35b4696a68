"""Gradient checks over HTTP."""

from typing import Any

import numpy as np
import pytest
from flask import Flask

from tests.service.requests import Work, sample, train_model
from tests.service.routes.test_trace import FLOWER
from tests.service.validation import Client


def test_a_gradient_check_has_both_gradients_of_each_parameter(http: Client, model: str) -> None:
    body = {"rows": [FLOWER, FLOWER], "targets": ["setosa", "virginica"]}
    answer = http.post(f"/v1/models/{model}/gradient-check", json=body)
    assert answer.status_code == 200, answer.json
    found = answer.json
    assert found["epsilon"] == 1e-5
    assert found["relative_error"] < 1e-8
    weights = http.get(f"/v1/models/{model}/weights?format=json").json
    assert found["parameters"].keys() == weights.keys()
    for name, each in found["parameters"].items():
        assert list(each) == ["analytic", "numeric", "relative_error"]
        assert {np.shape(value) for value in each.values()} == {np.shape(weights[name])}
        assert np.max(each["relative_error"]) < 1e-4


def test_a_larger_epsilon_has_a_larger_error(http: Client, model: str) -> None:
    small, large = (
        http.post(
            f"/v1/models/{model}/gradient-check", json={"rows": [FLOWER], "targets": ["virginica"], "epsilon": epsilon}
        ).json["relative_error"]
        for epsilon in (1e-5, 0.1)
    )
    assert large > 1000 * small


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"rows": [FLOWER]}, "/targets", "required"),
        ({"rows": [FLOWER], "targets": None}, "/targets", "JSON array"),
        ({"rows": [FLOWER], "targets": ["rose"]}, "/targets/0", "the labels are"),
        ({"rows": [FLOWER], "targets": ["setosa"], "epsilon": 0}, "/epsilon", "greater than or equal"),
        ({"rows": [FLOWER] * 101, "targets": ["setosa"] * 101}, "/rows", "the limit is 100"),
        ({"rows": [{**FLOWER, "petal_width": "wide"}], "targets": ["setosa"]}, "/rows/0/petal_width", "not a number"),
    ],
)
def test_an_invalid_gradient_check_is_rejected_with_its_pointer(
    http: Client, model: str, body: dict[str, Any], pointer: str, detail: str
) -> None:
    answer = http.post(f"/v1/models/{model}/gradient-check", json=body)
    assert answer.status_code == 422
    problems = {each["pointer"]: each["detail"] for each in answer.json["errors"]}
    assert detail in problems[pointer]


def test_a_model_with_too_many_parameters_is_rejected_with_the_limit(app: Flask, http: Client, model: str) -> None:
    services = app.extensions["backpropd"]
    services.settings = services.settings.model_copy(update={"max_gradient_check_parameters": 100})
    answer = http.post(f"/v1/models/{model}/gradient-check", json={"rows": [FLOWER], "targets": ["setosa"]})
    assert answer.status_code == 422
    assert "131 parameters, and the limit of a gradient check is 100" in answer.json["detail"]


def test_a_threshold_neuron_has_no_gradient_to_check(http: Client, work: Work) -> None:
    model = train_model(http, work, sample(http, "and"), "y", network={"kind": "perceptron"}, training={"epochs": 9})
    answer = http.post(f"/v1/models/{model}/gradient-check", json={"rows": [[1, 1]], "targets": [1]})
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
