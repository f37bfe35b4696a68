"""The Open Inference Protocol: the same predictions as over the other route, in each form of tensors."""

import gzip
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from tests.service.requests import PLANT, PLANTS, Key, Work, rejected_pointers, train_model, trainer, upload, with_key
from tests.service.validation import Client

HEIGHTS, POTS, POSTCODES = [10.5, 30.25, None], ["yes", "no", "yes"], ["01001", "01002", "nowhere"]
ROWS = [list(row) for row in zip(HEIGHTS, POTS, POSTCODES, strict=True)]
LENGTH = "Inference-Header-Content-Length"

Infer = Callable[..., Any]


def tensor(name: str, datatype: str, data: Any, *shape: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape or (len(data),)), "data": data}


def binary(tensors: list[tuple[str, str, bytes, list[int]]], **more: Any) -> tuple[bytes, int]:
    """The body of a request whose tensors follow its JSON, and the length of that."""
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        for name, datatype, data, shape in tensors
    ]
    json = orjson.dumps({"inputs": inputs, **more})
    return json + b"".join(data for _, _, data, _ in tensors), len(json)


def elements(*words: str) -> bytes:
    return b"".join(struct.pack("<I", len(word.encode())) + word.encode() for word in words)


COLUMNS = [
    tensor("postcode", "BYTES", POSTCODES),
    tensor("height", "FP64", [[each] for each in HEIGHTS], 3, 1),
    tensor("potted", "BOOL", [True, False, True]),
]


@pytest.fixture
def infer(http: Client, classifier: str) -> Infer:
    """A function that sends JSON, or bytes, to the classifier."""

    def send(body: Any, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http.post(f"/v2/models/{classifier}/infer", data=data, headers=named)

    return send


@pytest.fixture
def expected(predict: Callable[..., Any]) -> list[dict[str, Any]]:
    """What the other route predicts for `ROWS`."""
    found: list[dict[str, Any]] = predict({"rows": ROWS}).json["predictions"]
    return found


def check(answer: Any, expected: list[dict[str, Any]]) -> None:
    """Assert that an answer in JSON has the expected predictions."""
    assert answer.status_code == 200, answer.text
    label, probabilities = answer.json["outputs"]
    assert (label["name"], label["datatype"], label["shape"]) == ("label", "BYTES", [len(expected)])
    assert label["data"] == [each["label"] for each in expected]
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP64", [len(expected), 2])
    assert probabilities["data"] == [value for each in expected for value in each["probabilities"].values()]


def test_columns_by_name_are_predicted_as_rows_are(infer: Infer, expected: list[dict[str, Any]]) -> None:
    answer = infer({"id": "7", "inputs": COLUMNS})
    check(answer, expected)
    assert (answer.json["id"], answer.json["model_version"]) == ("7", "1")
    assert "unseen_category" in answer.headers["Prediction-Warnings"]


def test_columns_in_binary_form_are_predicted_as_rows_are(infer: Infer, expected: list[dict[str, Any]]) -> None:
    heights = np.array([10.5, 30.25, np.nan], np.float32).tobytes()
    tensors = [
        ("height", "FP32", heights, [3]),
        ("potted", "BOOL", bytes([1, 0, 1]), [3, 1]),
        ("postcode", "BYTES", elements(*POSTCODES), [3]),
    ]
    body, length = binary(tensors, outputs=[{"name": "probabilities", "parameters": {"binary_data": True}}])
    answer = infer(body, Inference_Header_Content_Length=str(length))
    assert answer.status_code == 200, answer.text
    json = orjson.loads(answer.data[: int(answer.headers[LENGTH])])
    assert [each["name"] for each in json["outputs"]] == ["probabilities"]
    found = np.frombuffer(answer.data[int(answer.headers[LENGTH]) :]).reshape(3, 2)
    assert found.tolist() == [[*each["probabilities"].values()] for each in expected]


def test_binary_output_of_labels_is_length_prefixed(infer: Infer, expected: list[dict[str, Any]]) -> None:
    answer = infer({"inputs": COLUMNS, "parameters": {"binary_data_output": True, "unknown_here": 1}})
    start = int(answer.headers[LENGTH])
    json, data = orjson.loads(answer.data[:start]), answer.data[start:]
    size = json["outputs"][0]["parameters"]["binary_data_size"]
    assert data[:size] == elements(*(each["label"] for each in expected))
    assert len(data) == size + json["outputs"][1]["parameters"]["binary_data_size"]


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "BF16", "INT8", "UINT16", "INT64"])
@pytest.mark.parametrize("name", ["input-0", "sepal_length"])
def test_one_matrix_has_all_features_in_their_order(http: Client, model: str, name: str, datatype: str) -> None:
    rows = [[5, 3, 1, 2], [6, 3, 4, 1], [7, 3, 5, 2]]
    expected = http.post(f"/v1/models/{model}/predictions", json={"rows": rows}).json["predictions"]
    flat = [value for row in rows for value in row]
    kinds = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "INT8": "i1", "UINT16": "<u2", "INT64": "<i8"}
    if datatype == "BF16":
        data = (np.array(flat, np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
    else:
        data = np.array(flat, kinds[datatype]).tobytes()
    body, length = binary([(name, datatype, data, [3, 4])])
    answer = http.post(f"/v2/models/{model}/versions/1/infer", data=body, headers={LENGTH: str(length)})
    assert answer.json["outputs"][0]["data"] == [each["label"] for each in expected]
    for data_form in (rows, flat):
        again = http.post(f"/v2/models/{model}/infer", json={"inputs": [tensor(name, datatype, data_form, 3, 4)]})
        assert again.json["outputs"] == answer.json["outputs"]


ENCODERS = {"gzip": (gzip.compress, gzip.decompress), "deflate": (zlib.compress, zlib.decompress)}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_both_directions_may_be_compressed(infer: Infer, encoding: str) -> None:
    plain, length = binary([("m", "BYTES", elements(*[f"{each}" for row in ROWS for each in row]), [3, 3])])
    compress, decompress = ENCODERS[encoding]
    expected = infer(plain, Inference_Header_Content_Length=str(length))
    assert expected.status_code == 200, expected.text
    headers = {"Content_Encoding": encoding, "Inference_Header_Content_Length": str(length)}
    answer = infer(compress(plain), Accept_Encoding=encoding, **headers)
    assert answer.headers["Content-Encoding"] == encoding
    assert decompress(answer.data) == expected.data
    assert infer(compress(plain)[:-6], **headers).status_code == 400
    assert infer(compress(plain) + b"more", **headers).status_code == 400
    assert infer(plain, **headers).status_code == 400


def test_a_compressed_body_is_limited_in_its_whole_length(http: Client, infer: Infer) -> None:
    limit = http.application.extensions["backpropd"].settings.max_json_bytes
    answer = infer(gzip.compress(bytes(limit + 1)), Content_Encoding="gzip")
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    assert infer(b"{}", Content_Encoding="br").status_code == 415


WRONG = {
    "a type": ({**COLUMNS[1], "data": [1, "2", 3], "shape": [3]}, "/inputs/0/data"),
    "a boolean": ({**COLUMNS[1], "data": [1, True, 3], "shape": [3]}, "/inputs/0/data"),
    "a range": (tensor("height", "INT8", [1, 300, 3]), "/inputs/0/data"),
    "too few": (tensor("height", "FP32", [1, 2], 3), "/inputs/0/data"),
    "no rows": (tensor("height", "FP32", [], 0), "/inputs/0/shape"),
    "a width": (tensor("height", "FP32", [1] * 6, 3, 2), "/inputs/0/shape"),
    "dimensions": (tensor("height", "FP32", [1] * 3, 3, 1, 1), "/inputs/0/shape"),
    "no data": ({"name": "height", "datatype": "FP32", "shape": [3]}, "/inputs/0"),
    "a datatype": (tensor("height", "FP128", [1, 2, 3]), "/inputs/0/datatype"),
    "a word": (tensor("height", "BYTES", ["1", "tall", "3"]), "/inputs/0"),
    "more rows": (tensor("height", "FP32", [1, 2, 3, 4]), "/inputs/1/shape"),
    "a missing column": (tensor("width", "FP32", [1, 2, 3]), "/inputs"),
    "a second": (COLUMNS[0], "/inputs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_tensor_is_rejected_with_its_pointer(infer: Infer, name: str) -> None:
    wrong, pointer = WRONG[name]
    answer = infer({"inputs": [wrong, COLUMNS[0], COLUMNS[2]]})
    assert rejected_pointers(answer) == [pointer]
    assert answer.json["error"] == answer.json["detail"]


BYTES = {
    "too short": (elements("01001", "01002", "01003")[:-1], 0),
    "one more": (elements("01001", "01002", "01003", "01004"), 0),
    "not UTF-8": (b"\1\0\0\0\xff" * 3, 0),
    "a length beyond": (b"\xff\xff\xff\xff", 0),
    "bytes that no input has": (elements("01001", "01002", "01003"), -1),
    "bytes that are not there": (elements("01001", "01002", "01003"), 1),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_do_not_fit_are_rejected(infer: Infer, name: str) -> None:
    data, more = BYTES[name]
    size = {"binary_data_size": len(data) + more}
    inputs = [{"name": "postcode", "datatype": "BYTES", "shape": [3], "parameters": size}, COLUMNS[1], COLUMNS[2]]
    json = orjson.dumps({"inputs": inputs})
    answer = infer(json + data, Inference_Header_Content_Length=str(len(json)))
    assert answer.status_code == 422, answer.text
    assert answer.json["errors"][0]["pointer"].startswith("/inputs")


@pytest.mark.parametrize("length", ["-1", "1e3", "99999", "", "²", "9" * 30])
def test_a_wrong_length_of_the_json_is_rejected(infer: Infer, length: str) -> None:
    answer = infer({"inputs": COLUMNS}, Inference_Header_Content_Length=length)
    assert answer.status_code == 400
    assert answer.json["error"]


def test_unknown_outputs_fields_and_extensions_are_rejected(infer: Infer) -> None:
    assert rejected_pointers(infer({"inputs": COLUMNS, "outputs": [{"name": "y"}]})) == ["/outputs/0/name"]
    assert rejected_pointers(infer({"inputs": COLUMNS, "input": []})) == ["/input"]
    top = [{"name": "label", "parameters": {"classification": 2}}]
    assert rejected_pointers(infer({"inputs": COLUMNS, "outputs": top})) == ["/outputs/0/parameters/classification"]
    assert infer({"inputs": COLUMNS}, Content_Type="text/csv").status_code == 415


def test_metadata_and_readiness_describe_the_model(http: Client, classifier: str) -> None:
    metadata = http.get(f"/v2/models/{classifier}").json
    assert metadata["versions"] == ["1"]
    kinds = {each["name"]: (each["datatype"], each["shape"]) for each in metadata["inputs"]}
    assert kinds == {"height": ("FP64", [-1, 1]), "potted": ("BOOL", [-1, 1]), "postcode": ("BYTES", [-1, 1])}
    assert metadata["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
    ]
    assert http.get(f"/v2/models/{classifier}/versions/1").json == metadata
    for path in (f"/v2/models/{classifier}/ready", f"/v2/models/{classifier}/versions/1/ready"):
        assert http.get(path).json == {"name": classifier, "ready": True}
    assert http.get("/v2").json["extensions"] == ["binary_tensor_data"]
    assert http.get("/v2/health/live").json == {"live": True}
    assert http.get("/v2/health/ready").json == {"ready": True}


@pytest.mark.parametrize(
    ("target", "outputs"),
    [("price", [("value", "FP64", [3])]), (["price", "height"], [("value", "FP64", [3, 2])])],
)
def test_regressions_answer_values(http: Client, work: Work, target: Any, outputs: list[Any]) -> None:
    model = train_model(http, work, upload(http, PLANTS), target, features=["potted"])
    inputs = [tensor("any", "BYTES", POTS, 3, 1)]
    answer = http.post(f"/v2/models/{model}/infer", json={"inputs": inputs}).json
    assert [(each["name"], each["datatype"], each["shape"]) for each in answer["outputs"]] == outputs
    described = http.get(f"/v2/models/{model}").json["outputs"]
    assert described == [{"name": n, "datatype": d, "shape": [-1, *shape[1:]]} for n, d, shape in outputs]


def test_every_error_below_v2_has_the_member_error(http: Client, classifier: str) -> None:
    paths = ("/v2/models/model_1", "/v2/models/model_1/ready", f"/v2/models/{classifier}/versions/2", "/v2/nothing")
    for answer in (*map(http.get, paths), http.get(f"/v2/models/{classifier}/infer")):
        assert answer.status_code in (404, 405)
        assert answer.mimetype == "application/problem+json"
        assert answer.json["error"] == answer.json["detail"]
        assert answer.content_length == len(answer.data)
    assert "error" not in http.get("/v1/nothing").json
    assert "error" not in http.get("/v20").json


def test_keys_and_tenants_apply(locked_http: Client, key: Key) -> None:
    for path in ("/v2", "/v2/models/model_1"):
        answer = locked_http.get(path)
        assert (answer.status_code, answer.json["error"]) == (401, answer.json["detail"])
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert locked_http.get(path).status_code == 200


def test_a_model_of_another_tenant_does_not_exist(locked: Any, key: Key) -> None:
    us, them = with_key(locked, key()), with_key(locked, key(tenant="them"))
    model = train_model(us, trainer(locked), upload(us, PLANTS), "kind", features=list(PLANT))
    body = {"inputs": COLUMNS}
    assert us.post(f"/v2/models/{model}/infer", json=body).status_code == 200
    assert them.post(f"/v2/models/{model}/infer", json=body).status_code == 404
    assert them.get(f"/v2/models/{model}/ready").status_code == 404
    assert with_key(locked, key("read")).post(f"/v2/models/{model}/infer", json=body).status_code == 403
