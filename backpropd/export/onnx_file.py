"""A whole model as an ONNX file: one input for each column, encoders and network, labels or values."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, checker, helper
from onnx.reference import ReferenceEvaluator

from backpropd import errors
from backpropd.export.exported_model import ExportedModel
from backpropd.export.network_layers import layers_of
from backpropd.export.onnx_columns import encode_column, encode_derived, is_number
from backpropd.export.onnx_graph import INTERNAL, ML_DOMAIN, Graph
from backpropd.export.onnx_network import NetworkGraph
from backpropd.export.probe_rows import Probes, probe_rows
from backpropd.learn import Model
from backpropd.learn.imports import METADATA
from backpropd.learn.predictions import probabilities
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo

OUTPUTS = ("label", "probabilities", "value")
OPSET, ML_OPSET, IR_VERSION = 20, 2, 9
DIFFERENCE = "max_difference"
"""The metadata with the largest difference from the service in probe rows, relative to max(1, |value|)."""


def write(exported: ExportedModel) -> bytes:
    """The checked file; its metadata has the description and the difference."""
    model = exported.model
    made = build(model)
    difference = max_difference(model, made, probe_rows(model))
    metadata = {METADATA: json.dumps(exported.description()), DIFFERENCE: repr(difference)}
    helper.set_model_props(made, metadata)
    checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())


def build(model: Model) -> ModelProto:
    """The graph: raw columns [None, 1] to `label` and `probabilities`, or `value`."""
    _check_names(model.encoder.column_infos)
    graph, dtype = Graph(), model.spec.training.dtype
    inputs, encoded = [], []
    for info in model.encoder.column_infos:
        kind = TensorProto.FLOAT if is_number(info) else TensorProto.STRING
        inputs.append(helper.make_tensor_value_info(info.name, kind, [None, 1]))
    columns, derived = {info.name: info for info in model.encoder.column_infos}, model.encoder.derived
    for info, encoder in zip(model.encoder.infos, model.encoder.column_encoders, strict=True):
        if info.name in derived:
            encoded.append(encode_derived(graph, derived[info.name], columns, encoder))
        else:
            encoded.append(encode_column(graph, info.name, info, encoder))
    h = graph.cast(graph.add("Concat", *encoded, axis=1), dtype)
    network = NetworkGraph(graph, dtype)
    for layer in layers_of(model):
        h = network.layer(layer, h)
    outputs = _outputs(graph, model, graph.cast(h, np.float64))
    made = helper.make_graph(graph.nodes, "backpropd", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
    return helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="backpropd")


def _check_names(infos: Sequence[ColumnInfo]) -> None:
    """Raise `errors.Invalid` for a column whose name an output or a node has: inputs and they share their names."""
    for info in infos:
        if info.name in OUTPUTS or info.name.startswith(INTERNAL):
            detail = f"ONNX has no two values of one name, and {info.name!r} is that of another one in the file"
            raise errors.Invalid(f"{detail}: request another format, or rename the column", pointer="/format")


def _outputs(graph: Graph, model: Model, h: str) -> list[ValueInfoProto]:
    add, numbers = graph.add, np.dtype(model.spec.training.dtype)
    kind, count = helper.np_dtype_to_tensor_dtype(numbers), len(model.classes or model.spec.target)
    if model.spec.is_multi_label:
        labels = add("GreaterOrEqual", h, graph.constant(0.5))
        graph.cast(labels, np.int64, "label")
        graph.cast(h, numbers, "probabilities")
        label = helper.make_tensor_value_info("label", TensorProto.INT64, [None, count])
        return [label, helper.make_tensor_value_info("probabilities", kind, [None, count])]
    if model.target.labels is None:
        value = add("Add", add("Mul", h, graph.constant(model.target.scale)), graph.constant(model.target.offset))
        if model.target.bounds is not None:
            low, high = model.target.bounds
            value = add("Min", add("Max", value, graph.constant(low)), graph.constant(high))
        graph.cast(value, numbers, "value")
        return [helper.make_tensor_value_info("value", kind, [None, count])]
    by_class = _probabilities(graph, h, one_output=model.spec.network.outputs == 1)
    best = add("ArgMax", by_class, axis=1, keepdims=0)
    add("Gather", graph.constant(model.target.labels, str), best, name="label", axis=0)
    graph.cast(by_class, numbers, "probabilities")
    label = helper.make_tensor_value_info("label", TensorProto.STRING, [None])
    return [label, helper.make_tensor_value_info("probabilities", kind, [None, count])]


def _probabilities(graph: Graph, h: str, *, one_output: bool) -> str:
    """As the service has them: both of one output, else h divided by its sum, or equal where that is 0."""
    add = graph.add
    if one_output:
        return add("Concat", add("Sub", graph.constant(1.0), h), h, axis=1)
    total = add("ReduceSum", h, graph.constant([1], np.int64), keepdims=1)
    is_zero = graph.cast(add("LessOrEqual", total, graph.constant(0.0)), np.float64)
    raised = add("Add", h, is_zero)
    return add("Div", raised, add("ReduceSum", raised, graph.constant([1], np.int64), keepdims=1))


def max_difference(model: Model, made: ModelProto, probes: Probes) -> float:
    """The largest difference of the file, as ONNX's reference computes it, from the model."""
    inputs = {name: cells.reshape(-1, 1) for name, cells in probes.cells.items()}
    with np.errstate(all="ignore"):
        found: Any = ReferenceEvaluator(made).run(None, inputs)
    return difference(expected(model, probes), found[-1])


def expected(model: Model, probes: Probes) -> Array:
    """The probabilities or values (n, outputs) of the probe rows, as the service has them."""
    h = model.network.predict(model.flat_theta(model.network.layout), probes.encoded(model))
    if model.target.labels is not None:
        return probabilities(h)
    return h.astype(np.float64) if model.spec.is_multi_label else model.target.decode(h)


def difference(expected: Array, found: Array) -> float:
    """The largest difference relative to max(1, |expected|)."""
    return float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected)), initial=0.0))
