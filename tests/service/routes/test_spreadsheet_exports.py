"""Models as spreadsheets over HTTP: they answer as the service does, or are refused with advice."""

import json
from typing import Any

import pytest

from tests.export.recalculation import Recalculated
from tests.service.requests import PLANT, rejected_pointers
from tests.service.validation import Client


def export(http: Client, model: str) -> Any:
    return http.get(f"/v1/models/{model}/export?format=xlsx")


def test_a_spreadsheet_answers_as_the_service_for_what_is_typed(http: Client, classifier: str) -> None:
    book = Recalculated(export(http, classifier).data)
    classes = http.get(f"/v1/models/{classifier}").json["classes"]
    assert [book.cell("output", 2, 3 + index) for index in range(len(classes))] == classes
    for row in (PLANT, {"height": None, "potted": "no", "postcode": "none"}, {**PLANT, "height": 1e6}):
        for name, value in row.items():
            book.change("input", 2, book.find("input", name), value)
        (known,) = http.post(f"/v1/models/{classifier}/predictions", json={"rows": [row]}).json["predictions"]
        found = [book.cell("output", 3, 3 + index) for index in range(len(classes))]
        assert found == pytest.approx(list(known["probabilities"].values()), abs=1e-6)
        assert book.cell("output", 3, 2) == known["label"]


@pytest.mark.parametrize(
    ("column", "inputs"),
    [
        (
            {"column": {"name": "w", "kind": "category"}, "encoder": {"levels": [f"word {n}" for n in range(17_000)]}},
            17_000,
        ),
        ({"column": {"name": "x", "kind": "number"}, "encoder": {"mean": 0, "std": 1e-310}}, 1),
    ],
    ids=["many levels", "a tiny deviation"],
)
def test_a_model_that_a_spreadsheet_cannot_hold_is_refused_with_advice(http: Client, column: Any, inputs: int) -> None:
    content = {
        "network": {"kind": "feedforward", "hidden": [], "output_activation": "softmax"},
        "features": [column],
        "target": "y",
        "classes": ["no", "yes"],
        "weights": {"layers.0.weight": [[0, 0]] * inputs, "layers.0.bias": [0, 0]},
    }
    made = http.post("/v1/models", data=json.dumps(content), headers={"Content-Type": "application/json"}).json
    answer = export(http, made["id"])
    assert rejected_pointers(answer) == ["/format"]
    assert "request onnx, python or safetensors" in answer.json["errors"][0]["detail"]
