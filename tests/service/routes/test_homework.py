"""Homework over HTTP."""

from typing import Any

import pytest

from tests.service.requests import Work, rejected_pointers, sample, train_model
from tests.service.routes.test_trace import FLOWER, trace
from tests.service.validation import Client


def send(http: Client, model_id: str, answers: Any, **options: Any) -> Any:
    body = {"row": FLOWER, "target": "setosa", "answers": answers, **options}
    return http.post(f"/v1/models/{model_id}/homework", json=body)


def test_a_trace_that_is_sent_back_is_right(http: Client, model: str) -> None:
    answers = trace(http, model, rows=[FLOWER], targets=["setosa"])
    answer = send(http, model, answers)
    assert answer.status_code == 200, answer.json
    assert answer.json == {"correct": True, "checked": 18, "first_wrong": None}


def test_the_first_wrong_step_has_its_rule_and_on_request_its_numbers(http: Client, model: str) -> None:
    answers = trace(http, model, rows=[FLOWER], targets=["setosa"])
    right = answers["layers"][0]["gradients"]["h"]
    answers["layers"][0]["gradients"]["h"] = [[number + 0.1 for number in right[0]]]
    answers["update"]["layers.0.bias"][0] += 1
    wrong = {
        "step": "layers.0.gradients.h",
        "pointer": "/answers/layers/0/gradients/h/0/0",
        "rule": "the gradient at an activation is ∂L/∂h = ∂L/∂a Wᵀ, with a and W of the layer above",
        "formula": r"\frac{\partial L}{\partial h^{(1)}} = \frac{\partial L}{\partial a^{(2)}} (W^{(2)})^\top",
    }
    assert send(http, model, answers).json == {"correct": False, "checked": 18, "first_wrong": wrong}
    revealed = send(http, model, answers, reveal=True).json
    assert revealed["first_wrong"] == {**wrong, "expected": right}
    assert send(http, model, answers, tolerance=0.2).json["first_wrong"]["step"] == "update.layers.0.bias"


def test_xor_by_hand_with_four_digits_is_right(http: Client, work: Work) -> None:
    network = {"hidden": [{"units": 2, "activation": "logistic"}]}
    training = {"epochs": 1, "batch_size": "full", "optimizer": {"name": "sgd", "learning_rate": 0.5}}
    model = train_model(http, work, sample(http, "xor"), "y", network=network, training=training)
    found = trace(http, model, rows=[[0, 1]], targets=[1])
    (hidden,), ((output,),) = found["layers"][0]["h"], found["layers"][1]["h"]
    by_hand = {
        "layers": [
            {"h": [[round(h, 4) for h in hidden]]},
            {"gradients": {"a": [[round(output - 1, 4)]], "weight": [[round(h * (output - 1), 4)] for h in hidden]}},
        ],
        "update": {"layers.1.bias": [round(0.5 * (1 - output), 4)]},
    }
    body = {"row": [0, 1], "target": 1, "answers": by_hand}
    assert http.post(f"/v1/models/{model}/homework", json=body).json["correct"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"row": FLOWER, "target": "setosa"}, "/answers"),
        ({"row": FLOWER, "answers": {"loss": 1}}, "/target"),
        ({"target": "setosa", "answers": {"loss": 1}}, "/row"),
        ({"row": FLOWER, "target": "setosa", "answers": [1]}, "/answers"),
        ({"row": 1, "target": "setosa", "answers": {"loss": 1}}, "/row"),
        ({"row": FLOWER, "target": "rose", "answers": {"loss": 1}}, "/target"),
        ({"row": FLOWER, "target": "setosa", "answers": {"loss": 1}, "tolerance": 0}, "/tolerance"),
        ({"row": FLOWER, "target": "setosa", "answers": {"loss": 1}, "learning_rate": 0}, "/learning_rate"),
        ({"row": FLOWER, "target": "setosa", "answers": {"loss": [1]}}, "/answers/loss"),
    ],
)
def test_invalid_homework_is_rejected_with_its_pointer(
    http: Client, model: str, body: dict[str, Any], pointer: str
) -> None:
    assert rejected_pointers(http.post(f"/v1/models/{model}/homework", json=body)) == [pointer]
