"""A network trained on the digits by the service, the rows that are predicted, and the network as an ONNX file."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from backpropd.client import Client

TARGET = "digit"
UNITS = 64
ROWS = 1000
MAX_DEVIATIONS = 1e12  # the service's encoders keep numbers this close to the mean
OPSET, IR_VERSION = 17, 8


class Digits(NamedTuple):
    """The id of the model, its description as exported, its parameters by name, and the inputs and labels of rows."""

    model: str
    description: Mapping[str, Any]
    parameters: Mapping[str, NDArray[np.float32]]
    rows: Sequence[Sequence[float]]
    labels: Sequence[Any]


def train(client: Client) -> Digits:
    """Train 61 inputs, 64 hidden units and 10 classes: three of the 64 pixels are 0 in all images, and are left out."""
    dataset = client.datasets.sample("digits")
    network, training = {"hidden": [{"units": UNITS, "activation": "relu"}]}, {"epochs": 50, "seed": 0}
    job = client.jobs.create(dataset["id"], TARGET, network=network, training=training)
    model = str(client.jobs.wait(job["id"])["model_id"])
    with client.models.export(model, "json") as chunks:
        description = json.loads(b"".join(chunks))
    parameters = dict(np.load(io.BytesIO(client.models.weights(model, "npz"))))
    rows = client.datasets.rows(dataset["id"], ROWS)
    names = [feature["column"]["name"] for feature in description["features"]]
    inputs = [[row[name] for name in names] for row in rows]
    return Digits(model, description, parameters, inputs, [row[TARGET] for row in rows])


def onnx_file(digits: Digits) -> bytes:
    """The network with its scaling: `x` (rows, features) float32 to probabilities; `classes` in the metadata."""
    encoders = [feature["encoder"] for feature in digits.description["features"]]
    assert not any(encoder["indicator"] or encoder["smooth"] for encoder in encoders)
    arrays = {
        "mean": np.array([encoder["mean"] for encoder in encoders], np.float32),
        "std": np.array([encoder["std"] for encoder in encoders], np.float32),
        "low": np.array(-MAX_DEVIATIONS, np.float32),
        "high": np.array(MAX_DEVIATIONS, np.float32),
        **digits.parameters,
    }
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["inputs"]),
        helper.make_node("Gemm", ["inputs", "layers.0.weight", "layers.0.bias"], ["a"]),
        helper.make_node("Relu", ["a"], ["h"]),
        helper.make_node("Gemm", ["h", "layers.1.weight", "layers.1.bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(encoders)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(digits.description["classes"])])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, {"classes": json.dumps(digits.description["classes"])})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
