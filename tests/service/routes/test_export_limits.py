"""What an export or an import may take is known before it is taken."""

import json
from typing import Any

import pytest
from flask import Flask

from backpropd.export.formats import EXPORT_FORMATS
from backpropd.learn import imports
from service.limits.memory_limit import MemoryLimit
from tests.service.requests import rejected_pointers
from tests.service.validation import Client

FEATURES = 3000
MANY: dict[str, Any] = {
    "network": {"kind": "feedforward", "hidden": [], "output_activation": "softmax"},
    "features": [f"x{n}" for n in range(FEATURES)],
    "target": "y",
    "classes": ["no", "yes"],
    "weights": {"layers.0.weight": [[0.5, 1.0]] * FEATURES, "layers.0.bias": [0, 0]},
}


def post(http: Client) -> Any:
    return http.post("/v1/models", data=json.dumps(MANY), headers={"Content-Type": "application/json"})


def test_a_format_that_takes_more_memory_than_there_is_is_refused(
    monkeypatch: pytest.MonkeyPatch, http: Client, model: str
) -> None:
    size = http.get(f"/v1/models/{model}").json["bytes"]
    monkeypatch.setattr(MemoryLimit, "most", property(lambda _: 8 * size - 1))
    refused = http.get(f"/v1/models/{model}/export?format=onnx")
    assert (rejected_pointers(refused), "safetensors" in refused.json["detail"]) == (["/format"], True)
    assert http.get(f"/v1/models/{model}/export?format=safetensors").status_code == 200


def test_a_spreadsheet_has_a_limit_of_parameters_and_needs_some_memory_for_any_model(
    monkeypatch: pytest.MonkeyPatch, http: Client, model: str
) -> None:
    (file,) = EXPORT_FORMATS["xlsx"]
    parameters = http.get(f"/v1/models/{model}").json["parameters"]
    path = f"/v1/models/{model}/export?format=xlsx"
    monkeypatch.setitem(EXPORT_FORMATS, "xlsx", (file._replace(most_parameters=parameters - 1),))
    refused = http.get(path)
    assert rejected_pointers(refused) == ["/format"]
    assert f"{parameters} parameters, and in xlsx the limit is {parameters - 1}" in refused.json["detail"]
    monkeypatch.setitem(EXPORT_FORMATS, "xlsx", (file._replace(most_parameters=parameters),))
    assert http.get(path).status_code == 200
    monkeypatch.setattr(MemoryLimit, "most", property(lambda _: file.least - 1))
    assert rejected_pointers(http.get(path)) == ["/format"]


def test_columns_of_the_same_description_are_tried_once(monkeypatch: pytest.MonkeyPatch, http: Client) -> None:
    tried = []

    def convert(cells: Any, column: Any) -> Any:
        tried.append(column)
        return real(cells, column)

    real = imports.convert_column
    monkeypatch.setattr(imports, "convert_column", convert)
    assert post(http).status_code == 201
    assert len(tried) == 1


def test_features_are_as_many_as_columns_at_most(app: Flask, http: Client) -> None:
    services = app.extensions["backpropd"]
    services.settings = services.settings.model_copy(update={"max_columns": FEATURES - 1})
    assert rejected_pointers(post(http)) == ["/features"]
