"""Models as data that other programs read and write: the description beside the weights, and its checked reading."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from backpropd import errors, nn
from backpropd.errors import Problem, pointer
from backpropd.learn.imported_columns import read_features
from backpropd.learn.model import Model
from backpropd.learn.network_kinds.base import ResolvedSpec
from backpropd.learn.network_kinds.feedforward import FeedforwardNetwork
from backpropd.learn.network_kinds.registry import spec_from_json
from backpropd.nn.layout import Array
from backpropd.nn.neurons.perceptron_network import MAX_INPUTS
from backpropd.tabular import Feature, FeatureEncoder, TargetEncoder
from backpropd.tabular.column_names import first_repeated
from backpropd.tabular.inputs.conversion import Cells, convert_column
from backpropd.tabular.table import Column

VERSION = 1
MAX_DIMENSIONS = 2  # of a parameter
METADATA = "backpropd_model"
"""The name of the description in files that hold the weights as arrays."""
PROBES = pa.array([None, "", "0", "1", "-2.5", "true", "2020-02-29", "word"], pa.string())


def describe(model: Model) -> dict[str, Any]:
    """Everything but the weights: `read_model` makes the same model of it."""
    spec, target, encoders = model.spec.to_json(), model.target.to_json(), model.encoder.to_json()
    scaling = {name: target[name] for name in ("offset", "scale", "bounds") if name in target}
    return {
        METADATA: VERSION,
        **{name: spec[name] for name in ("task", "network", "training", "kinds")},
        "features": encoders["columns"],
        **({"sources": encoders["sources"]} if "sources" in encoders else {}),
        "target": spec["target"],
        "classes": model.classes,
        "scaling": None if target["labels"] is not None else scaling,
        "columns": model.columns,
    }


def read_model(data: Mapping[str, Any], weights: Mapping[str, Any], max_parameters: int) -> Model:
    """The model of a description, whose fields have the right types, with parameters by name, arrays or nested lists.

    Raises `errors.Invalid` with pointers where parts do not fit each other.
    """
    if data.get(METADATA, VERSION) != VERSION:
        detail = f"this is version {data[METADATA]} of the description, and this service reads version {VERSION}"
        raise errors.Invalid(f"{detail}: export the model again, or update the service", pointer=f"/{METADATA}")
    infos, encoders, derived, sources = read_features(data["features"], data.get("sources") or ())
    target = [data["target"]] if isinstance(data["target"], str) else list(data["target"])
    names = [info.name for info in infos]
    _check_names([*names, *(info.name for info, _ in sources)], target)
    features = FeatureEncoder(infos, encoders, np.dtype("float64"), derived, sources).features
    spec = _spec(data, features, target, weights)
    encoder = FeatureEncoder(infos, encoders, np.dtype(spec.training.dtype), derived, sources)
    columns = list(dict.fromkeys([*data.get("columns", ()), *spec.columns, *target]))
    model = Model(spec, encoder, _target_encoder(data, spec), columns, {})
    layout = _layout(model, max_parameters)
    _check_usable(model)
    theta = _parameters(layout, weights, spec.training.dtype)
    model = Model(spec, encoder, model.target, columns, theta)
    if data.get("sha256") is not None and data["sha256"] != _sha256(model.weights()):
        detail = "the weights are not those that were exported with this sha256: export again, or leave it out"
        raise errors.Invalid(detail, pointer="/sha256")
    return model


def _sha256(weights: bytes) -> str:
    return hashlib.sha256(weights).hexdigest()


def record_of(model: Model, metrics: Mapping[str, float]) -> dict[str, Any]:
    """The model as the store has it; its metrics are those that its file names."""
    network, weights = model.network, model.weights()
    return {
        "task": model.spec.task,
        "network": model.spec.network.describe(model.flat_theta(network.layout), model.spec.feature_names),
        "features": model.spec.features,
        "target": model.spec.target,
        "classes": model.classes,
        "parameters": network.parameters,
        "metrics": dict(metrics),
        "encoders": model.to_json(),
        "weights": weights,
        "size": len(weights),
        "sha256": _sha256(weights),
    }


def _check_names(features: Sequence[str], target: Sequence[str]) -> None:
    for where, names in (("/features", features), ("/target", target)):
        if (repeated := first_repeated(names)) is not None:
            raise errors.Invalid(f"{repeated!r} appears twice: name each column once", pointer=where)
    if both := set(features) & set(target):
        raise errors.Invalid(f"{min(both)!r} is a feature, too: a target is no feature", pointer="/target")


def _spec(
    data: Mapping[str, Any], features: Sequence[Feature], target: Sequence[str], weights: Mapping[str, Any]
) -> ResolvedSpec:
    classes, network = data.get("classes"), dict(data["network"])
    task = data.get("task") or ("regression" if classes is None else "classification")
    is_feedforward = network["kind"] == FeedforwardNetwork.kind
    last = len(network["hidden"]) if is_feedforward else int(network["kind"] == "perceptron_network")
    network |= {"outputs": _outputs(task, classes, target, weights, last)}
    if is_feedforward:
        network = {"initializer": "auto", "output_initializer": "glorot_uniform", **network}
        default = _default_training(task, network, weights)
    elif task == "regression" or len(target) > 1:
        raise errors.Invalid(f"a {network['kind']} answers with one of its classes: list them", pointer="/classes")
    else:
        network["hidden_units"] = 2 ** len(features[:MAX_INPUTS])
        default = {"epochs": 1, "seed": 0, "dtype": "float64", "validation_fraction": 0.0}
    given = {name: value for name, value in (data.get("training") or {}).items() if value not in (None, "auto")}
    spec = {"target": [*target], "features": [*features], "task": task, "network": network}
    return spec_from_json({**spec, "training": {**default, **given}, "kinds": data.get("kinds", {})})


def _outputs(
    task: str, classes: Sequence[str] | None, target: Sequence[str], weights: Mapping[str, Any], last: int
) -> int:
    """The number of outputs: that of the classes or targets; two classes may have one."""
    if task == "regression" or len(target) > 1:
        if task == "regression" and classes is not None:
            raise errors.Invalid("a regression has no classes: leave them out", pointer="/classes")
        if classes is not None and list(classes) != list(target):
            detail = "with several targets each is true or false by itself: leave the classes out"
            raise errors.Invalid(detail, pointer="/classes")
        return len(target)
    if classes is None or len(classes) < 2 or len(set(classes)) < len(classes):
        raise errors.Invalid("list the labels, two or more different ones", pointer="/classes")
    bias = weights.get(f"layers.{last}.bias")
    has_one = (isinstance(bias, list) and len(bias) == 1) or (isinstance(bias, np.ndarray) and bias.shape == (1,))
    return 1 if len(classes) == 2 and has_one else len(classes)


def _default_training(task: str, network: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    """That of a network that was trained elsewhere: what a trace and further training start from."""
    activation = network["output_activation"]
    kind = "multi_label" if task == "classification" and network["outputs"] > 1 and activation != "softmax" else task
    if kind not in nn.ACTIVATIONS[activation].tasks:
        detail = f"{activation} does not give the outputs of a {task}: choose another output activation"
        raise errors.Invalid(detail, pointer="/network/output_activation")
    fits = (loss for loss in nn.LOSSES.values() if kind in loss.tasks and loss.fused_with in (None, activation))
    is_double = any(getattr(array, "dtype", None) == np.float64 for array in weights.values())
    return {
        "loss": next(loss.name for loss in fits),
        "optimizer": {"name": "adam"},
        "dtype": "float64" if is_double else "float32",
        "epochs": 1,
        "seed": 0,
        "validation_fraction": 0.0,
        "batch_size": 32,
        "engine": "numba",
    }


def _target_encoder(data: Mapping[str, Any], spec: ResolvedSpec) -> TargetEncoder:
    if spec.task == "classification" and not spec.is_multi_label:
        return TargetEncoder(spec.target, list(data["classes"]), [], [])
    scaling, count = data.get("scaling") or {}, len(spec.target)
    offset, scale = scaling.get("offset", [0.0] * count), scaling.get("scale", [1.0] * count)
    bounds = scaling.get("bounds")
    if any(len(each) != count for each in (offset, scale, *(bounds or ()))):
        raise errors.Invalid(f"there are {count} targets: give a number for each", pointer="/scaling")
    if any(each <= 0 for each in scale):
        detail = "targets are divided by their scale: give numbers above 0, 1 for a target that is not scaled"
        raise errors.Invalid(detail, pointer="/scaling/scale")
    if bounds and any(low > high for low, high in zip(*bounds, strict=True)):
        detail = "a lowest value is above the highest: give the lowest values first, then the highest"
        raise errors.Invalid(detail, pointer="/scaling/bounds")
    return TargetEncoder(spec.target, None, offset, scale, bounds)


def _layout(model: Model, max_parameters: int) -> nn.Layout:
    """The layout of the network. Raises `errors.Invalid` for an invalid or too large one."""
    if model.spec.network.takes_booleans and model.encoder.derived:
        raise errors.Invalid("this neuron takes booleans alone, and no derived feature", pointer="/features")
    if model.spec.network.takes_booleans and model.encoder.width != len(model.spec.features):
        raise errors.Invalid("this neuron takes one input of each feature: encode them so", pointer="/features")
    try:
        network = model.network
    except errors.Invalid as error:
        raise errors.Invalid(error.detail, pointer="/network") from error
    if network.parameters > max_parameters:
        detail = f"the network has {network.parameters} parameters, and the limit is {max_parameters}"
        raise errors.Invalid(detail, pointer="/network")
    return network.layout


def _parameters(layout: nn.Layout, weights: Mapping[str, Any], dtype: str) -> dict[str, Array]:
    """The parameters by name, in the layout's order. Raises `errors.Invalid` with all problems."""
    found: dict[str, Array] = {}
    problems = [
        Problem(pointer("weights", name), "there is no such parameter") for name in weights.keys() - layout.shapes
    ]
    for name, shape in layout.shapes.items():
        array, detail = _array(weights.get(name), shape, dtype)
        if detail:
            problems.append(Problem(pointer("weights", name), detail))
        found[name] = array
    if problems:
        raise errors.Invalid.from_problems(sorted(problems, key=lambda problem: problem.pointer))
    return found


def _array(value: Any, shape: tuple[int, ...], dtype: str) -> tuple[Array, str]:
    """The value as an array of this shape, and what is wrong with it."""
    nothing: Array = np.empty(0)
    if value is None:
        return nothing, f"this parameter is missing: its shape is {shape}"
    if not _are_numbers(value, MAX_DIMENSIONS):
        return nothing, "these are not numbers"
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        return nothing, "the lists are of different lengths"
    if array.dtype.kind not in "iuf":
        return nothing, "these are not numbers"
    if array.shape != shape:
        return nothing, f"the shape is {array.shape}, and the network needs {shape}"
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, dtype)
    return array, "" if np.isfinite(array).all() else f"a number is not finite in {dtype}"


def _are_numbers(value: Any, dimensions: int) -> bool:
    """Whether nested lists hold numbers alone: of a text, NumPy would make all elements as long as the longest one."""
    if isinstance(value, list):
        return dimensions > 0 and all(_are_numbers(each, dimensions - 1) for each in value)
    return isinstance(value, np.ndarray) or type(value) in (int, float)


def _check_usable(model: Model) -> None:
    """Raise `errors.Invalid` for a description of a column that cells cannot be read by."""
    converted: dict[str, Column] = {}  # by the description: most columns have the same
    places = {info.name: f"/features/{index}/column" for index, info in enumerate(model.encoder.infos)}
    for name, column in model.known_columns.items():
        try:
            description = repr(replace(column.info, name=""))
            if description not in converted:
                converted[description] = convert_column(Cells(PROBES), column).values
            values = converted[description]
            model.encoder.of(name).findings(values)
            x = np.empty((len(PROBES), model.encoder.of(name).width))
            model.encoder.of(name).write(values, x)
        except Exception as error:  # whatever a wrong description leads to
            detail = f"cells of {name!r} cannot be read by this description: leave out all but its name and kind"
            raise errors.Invalid(detail, pointer=places.get(name, "/sources")) from error
