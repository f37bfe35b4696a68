"""Models over HTTP as files, and their way back in."""

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from backpropd.export.formats import EXPORT_FORMATS, IMPORTED_FORMATS
from backpropd.learn.imports import METADATA
from tests.service.requests import (
    PLANT,
    PLANTS,
    Work,
    read_model,
    rejected_pointers,
    sample,
    submit,
    train_model,
    upload,
)
from tests.service.validation import Client

ROWS = [PLANT, {"height": None, "potted": "no", "postcode": "none"}]
MEDIA_TYPES = {"safetensors": "application/octet-stream", "json": "application/json"}
ELSEWHERE: dict[str, Any] = {
    "network": {"kind": "feedforward", "hidden": [{"units": 2, "activation": "relu"}], "output_activation": "softmax"},
    "features": ["x", {"column": {"name": "word", "kind": "category"}, "encoder": {"levels": ["a", "b"]}}],
    "target": "y",
    "classes": ["no", "yes"],
    "weights": {
        "layers.0.weight": [[1, 0], [0, 1], [0, -1]],
        "layers.0.bias": [0, 0.5],
        "layers.1.weight": [[1, 0], [0, 1]],
        "layers.1.bias": [0, 0],
    },
}

Export = Callable[[str, str], Any]


def post(http: Client, content: bytes | dict[str, Any], format: str = "json") -> Any:
    """Import a model."""
    data = json.dumps(content).encode() if isinstance(content, dict) else content
    return http.post("/v1/models", data=data, headers={"Content-Type": MEDIA_TYPES[format]})


def neuron(http: Client, work: Work, dataset: str, kind: str) -> str:
    """Train a threshold neuron; gives the model's id."""
    job = submit(http, dataset, "y", network={"kind": kind})
    work()
    return str(read_model(http, job)["id"])


def predictions(http: Client, model_id: str, rows: Any) -> Any:
    return http.post(f"/v1/models/{model_id}/predictions", json={"rows": rows}).json


def elsewhere(**changes: Any) -> dict[str, Any]:
    return {**ELSEWHERE, **changes}


def in_safetensors(description: Any, arrays: dict[str, Any] | None = None) -> bytes:
    """A safetensors file with this description."""
    weights = arrays or {name: np.array(each, np.float32) for name, each in ELSEWHERE["weights"].items()}
    return bytes(save(weights, {METADATA: description if isinstance(description, str) else json.dumps(description)}))


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_every_format_is_a_file_with_its_media_type(http: Client, classifier: str, format: str) -> None:
    for file in EXPORT_FORMATS[format]:
        path = f"/v1/models/{classifier}/export?format={format}"
        answer = http.get(path, headers={"Accept": file.media_type})
        assert answer.status_code == 200, answer.json
        assert answer.content_type == file.media_type
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{classifier}.{file.extension}"'
        assert answer.data


def test_the_card_names_the_data_the_metrics_and_the_request(http: Client, classifier: str) -> None:
    path = f"/v1/models/{classifier}/export?format=card"
    card = http.get(path, headers={"Accept": "application/json"}).json
    assert [feature["name"] for feature in card["features"]] == list(PLANT)
    assert (card["data"]["rows"], len(card["curve"])) == (40, 3)
    again = http.post("/v1/jobs?dry_run=true", json=card["reproduce"])
    assert again.status_code == 200, again.json
    text = http.get(path).text
    assert text.startswith("# ")
    assert all(
        f"\n## {title}\n" in text for title in ("Data", "Metrics", "Learning curve", "Limits", "How to reproduce")
    )
    assert http.get(path, headers={"Accept": "text/markdown"}).text == text
    assert http.get(path, headers={"Accept": "image/png"}).status_code == 406


def test_an_unknown_format_or_model_is_refused(http: Client, classifier: str) -> None:
    assert rejected_pointers(http.get(f"/v1/models/{classifier}/export?format=pickle")) == ["/format"]
    assert rejected_pointers(http.get(f"/v1/models/{classifier}/export")) == ["/format"]
    assert http.get("/v1/models/model_0/export?format=json").status_code == 404


@pytest.mark.parametrize("format", IMPORTED_FORMATS)
def test_an_imported_model_has_the_same_weights_and_predictions(http: Client, classifier: str, format: str) -> None:
    before = http.get(f"/v1/models/{classifier}").json
    content = http.get(f"/v1/models/{classifier}/export?format={format}").data
    answer = post(http, content, format)
    assert answer.status_code == 201, answer.json
    after = answer.json
    assert answer.headers["Location"] == f"/v1/models/{after['id']}"
    assert (after["job_id"], after["report"]) == (None, None)
    same = before.keys() - {"id", "job_id", "created_at", "report"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert predictions(http, after["id"], ROWS) == predictions(http, classifier, ROWS)
    again, content = (http.get(f"/v1/models/{each}/export?format=json").json for each in (after["id"], classifier))
    assert again == content


@pytest.mark.parametrize("kind", ["mcculloch_pitts", "perceptron", "perceptron_network"])
@pytest.mark.parametrize("format", IMPORTED_FORMATS)
def test_a_neuron_is_imported_with_the_same_predictions(http: Client, work: Work, kind: str, format: str) -> None:
    table = sample(http, "and")
    model = train_model(
        http, work, table, "y", network={"kind": kind}, training={"epochs": 5} if "p" in kind[:1] else {}
    )
    imported = post(http, http.get(f"/v1/models/{model}/export?format={format}").data, format)
    assert imported.status_code == 201, imported.json
    assert imported.json["network"] == http.get(f"/v1/models/{model}").json["network"]
    rows = [{"x1": a, "x2": b} for a in (0, 1) for b in (0, 1)]
    assert predictions(http, imported.json["id"], rows) == predictions(http, model, rows)


def test_a_regression_keeps_its_scaling_and_trains_further(http: Client, work: Work) -> None:
    table = upload(http, PLANTS)
    model = train_model(http, work, table, "price", features=["height", "potted"])
    imported = post(http, http.get(f"/v1/models/{model}/export?format=json").data).json["id"]
    rows = [{"height": 3, "potted": "yes"}]
    assert predictions(http, imported, rows) == predictions(http, model, rows)
    further = submit(http, table, "price", training={"epochs": 2, "warm_start_model_id": imported})
    work()
    assert read_model(http, further)["features"] == ["height", "potted"]


def test_npz_is_read_without_pickle(http: Client, classifier: str) -> None:
    archive = http.get(f"/v1/models/{classifier}/export?format=npz").data
    arrays = np.load(io.BytesIO(archive), allow_pickle=False)
    description = json.loads(str(arrays[METADATA]))
    assert [feature["column"]["name"] for feature in description["features"]] == list(PLANT)
    assert arrays["layers.0.weight"].dtype == np.float32


def test_a_network_that_was_trained_elsewhere_predicts(http: Client) -> None:
    answer = post(http, ELSEWHERE)
    assert answer.status_code == 201, answer.json
    found = predictions(http, answer.json["id"], [{"x": 3, "word": "a"}, {"x": 0, "word": "b"}])["predictions"]
    for row, a in zip(found, ([3, 1.5], [0, 0]), strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(np.exp(a) / np.exp(a).sum(), rel=1e-6)


def test_a_trained_model_from_elsewhere_is_traced(http: Client) -> None:
    model = post(http, ELSEWHERE).json["id"]
    body = {"rows": [{"x": 3, "word": "a"}], "targets": ["no"]}
    assert http.post(f"/v1/models/{model}/trace", json=body).status_code == 200


def with_weight(name: str, value: Any) -> dict[str, Any]:
    return elsewhere(weights={**ELSEWHERE["weights"], name: value})


def with_network(**changes: Any) -> dict[str, Any]:
    return elsewhere(network={**ELSEWHERE["network"], **changes})


def with_column(**column: Any) -> dict[str, Any]:
    encoder = {"cycles": []} if column["kind"] == "date" else {}
    return elsewhere(features=["x", {"column": {"name": "d", **column}, "encoder": encoder}])


def with_encoder(kind: str, **encoder: Any) -> dict[str, Any]:
    return elsewhere(features=["x", {"column": {"name": "word", "kind": kind}, "encoder": encoder}])


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (elsewhere(backpropd_model=2), "/backpropd_model"),
        (elsewhere(sha256="0" * 64), "/sha256"),
        (with_weight("layers.0.bias", [0]), "/weights/layers.0.bias"),
        (with_weight("layers.0.bias", [0, "a"]), "/weights/layers.0.bias"),
        (with_weight("layers.0.bias", ["long" * 1000, *[""] * 9]), "/weights/layers.0.bias"),
        (with_weight("layers.0.bias", [0, None]), "/weights/layers.0.bias"),
        (with_weight("layers.0.bias", [[0], 1]), "/weights/layers.0.bias"),
        (with_weight("layers.0.bias", [0, 1e300]), "/weights/layers.0.bias"),
        (with_weight("layers.0.bias", {"a": 1}), "/weights/layers.0.bias"),
        (with_weight("layers.9.bias", [0]), "/weights/layers.9.bias"),
        (elsewhere(weights={}), "/weights/layers.0.bias"),
        (elsewhere(weights=[]), "/weights"),
        (elsewhere(network={"kind": "transformer"}), "/network"),
        (with_network(output_activation="tanh"), "/network/output_activation"),
        (with_network(hidden=[{"units": 10**6, "activation": "relu"}] * 9), "/network"),
        (elsewhere(features=["x", "x"]), "/features"),
        (elsewhere(features=["x", "y"]), "/target"),
        (elsewhere(classes=["no", "no"]), "/classes"),
        (elsewhere(classes=None, task="classification"), "/classes"),
        (elsewhere(classes=["no", "yes"], task="regression"), "/classes"),
        (elsewhere(scaling={"offset": [1, 2], "scale": [1, 1]}, classes=None), "/network/output_activation"),
        (with_encoder("number", std=0), "/features/1/encoder"),
        (with_encoder("number", levels=["a"]), "/features/1/encoder"),
        (with_encoder("date"), "/features/1/encoder"),
        (with_encoder("date", cycles=["clock"]), "/features/1/encoder"),
        (with_encoder("category"), "/features/1/encoder"),
        (with_encoder("category", levels=[]), "/features/1/encoder"),
        (with_encoder("category", levels=["a", "a"]), "/features/1/encoder"),
        (with_encoder("category", levels=["a", "b"], frequencies=[1.0]), "/features/1/encoder"),
        (with_encoder("category", levels=["a", "b"], frequencies=None), "/features/1/encoder"),
        (with_encoder("category", levels=["a", "b"], on=[1, 2]), "/features/1/encoder"),
        (with_column(kind="date", format="%%"), "/features/1/column"),
        (with_column(kind="number", whole=True), "/features/1/column"),
        (elsewhere(unknown=1), "/unknown"),
    ],
)  # fmt: skip
def test_a_model_whose_parts_do_not_fit_is_refused_with_a_pointer(http: Client, content: Any, pointer: str) -> None:
    assert pointer in rejected_pointers(post(http, content))
    assert http.get("/v1/models").json["data"] == []


NO_METADATA = b'{"__metadata__": null}'


def description() -> dict[str, Any]:
    return {name: value for name, value in ELSEWHERE.items() if name != "weights"}


def test_a_safetensors_file_made_elsewhere_is_imported(http: Client) -> None:
    answer = post(http, in_safetensors(description()), "safetensors")
    assert answer.status_code == 201, answer.json
    assert answer.json["sha256"] == post(http, ELSEWHERE).json["sha256"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"\x80\x04pickle", 422),
        (struct.pack("<Q", 2**40) + b"{}", 422),
        (save({"layers.0.weight": np.zeros(3, np.float32)}), 422),
        (struct.pack("<Q", len(NO_METADATA)) + NO_METADATA, 422),
        (struct.pack("<Q", 5_000_000) + b" " * 5_000_000, 413),
        (in_safetensors(description(), {"layers.1.bias": np.array(0, np.float32)}), 422),
        (in_safetensors("no JSON"), 400),
        (in_safetensors("[1]"), 422),
        (in_safetensors(json.dumps(description())[:-1] + ', "target": "z"}'), 400),
        (in_safetensors(description(), {"layers.0.weight": np.full((3, 2), np.nan, np.float32)}), 422),
        (in_safetensors(description(), {"layers.0.weight": np.ones((3, 2), np.bool_)}), 422),
    ],
)
def test_a_broken_safetensors_file_is_refused(http: Client, content: bytes, status: int) -> None:
    answer = post(http, content, "safetensors")
    assert answer.status_code == status, answer.json
    assert answer.json["detail"]


def test_a_repeated_name_among_many_is_found_at_once(http: Client) -> None:
    names = [f"x{number}" for number in range(20_000)]
    assert rejected_pointers(post(http, elsewhere(features=[*names, "x0"]))) == ["/features"]


def test_a_category_of_too_many_words_is_no_table_in_a_file(http: Client) -> None:
    levels = [f"word {number}" for number in range(2001)]
    network = {"kind": "feedforward", "hidden": [], "output_activation": "softmax"}
    column = {"column": {"name": "word", "kind": "category"}, "encoder": {"levels": levels}}
    weights = {"layers.0.weight": [[0, 0]] * len(levels), "layers.0.bias": [0, 0]}
    model = post(http, elsewhere(features=[column], network=network, weights=weights)).json["id"]
    assert rejected_pointers(http.get(f"/v1/models/{model}/export?format=onnx")) == ["/format"]
    assert rejected_pointers(http.get(f"/v1/models/{model}/export?format=python")) == ["/format"]
    assert http.get(f"/v1/models/{model}/export?format=npz").status_code == 200


def test_onnx_has_no_column_that_is_called_like_an_output(http: Client) -> None:
    column = {"column": {"name": "label", "kind": "category"}, "encoder": {"levels": ["a", "b"]}}
    model = post(http, elsewhere(features=["x", column])).json["id"]
    assert rejected_pointers(http.get(f"/v1/models/{model}/export?format=onnx")) == ["/format"]


def test_a_file_that_was_cut_off_is_refused(http: Client, classifier: str) -> None:
    content = http.get(f"/v1/models/{classifier}/export?format=safetensors").data
    assert load(content)
    for length in (4, 100, len(content) - 1):
        assert post(http, content[:length], "safetensors").status_code == 422
