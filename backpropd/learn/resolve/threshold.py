"""Resolve a request for a threshold neuron: a McCulloch-Pitts neuron, a perceptron, or a network of perceptrons.

The choices:

- `task` is classification. `training`: 100 epochs, of which a McCulloch-Pitts neuron needs one; the learning rate is
  1.0; `dtype` is float64; `seed` is drawn.
- `mcculloch_pitts` and `perceptron_network` take inputs and targets of 0 and 1, or false and true, as they are, a
  column or a target that never changes included. `features`: every other column but free text and those without
  values. `validation_fraction`: 0, because a truth table is learned whole.
- `perceptron` takes what a feed-forward network takes, and encodes it in the same way, except for columns of 0 and 1,
  which stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backpropd import errors, nn
from backpropd.learn.kinds.threshold import DTYPE, NETWORKS, ThresholdNetwork, ThresholdSpec, ThresholdTraining
from backpropd.learn.request import JobRequest, TrainingRequest
from backpropd.learn.resolve.columns import (
    check_known,
    looks_like_classes,
    max_width,
    resolve_features,
    resolve_target,
    resolve_task,
)
from backpropd.learn.resolve.cost import check_size
from backpropd.learn.resolve.plan import Context, Limits, Plan
from backpropd.learn.resolve.split import resolve_fraction
from backpropd.learn.resolve.training import check_epochs, resolve_seed
from backpropd.learn.tables import TableDescription, is_boolean
from backpropd.tabular import ColumnInfo

DEFAULT_RATE = 1.0
SUPPORTED = ("optimizer", "epochs", "seed", "validation_fraction", "dtype")
WHY_NOT = {
    "loss": "its loss is the share of rows answered wrongly",
    "batch_size": "it learns row by row",
    "early_stopping": "it stops at the first epoch without a mistake, and stores the best weights of all epochs",
    "engine": "both engines make the same bytes here",
}


def resolve_threshold(request: JobRequest, context: Context) -> Plan:
    """Raises `errors.Invalid` and its subclasses, each with the pointer of what is wrong in the request."""
    table, limits = context.table, context.limits
    network = NETWORKS[request.network["kind"]]
    if request.task == "regression":
        detail = f"a {network.kind} separates classes: leave the task out, or use feedforward"
        raise errors.Invalid(detail, pointer="/task")
    target = resolve_target(request.target, table)
    if len(target) > 1:
        raise errors.Invalid(f"a {network.kind} learns one target: name one", pointer="/target")
    info = table.columns[target[0]]
    if network.takes_booleans:
        features = _boolean_columns(request.features, network.kind, info, table)
    else:
        features = _perceptron_columns(request, info, table)
    rows = table.rows - info.missing
    resolved = network.resolve(request.network, features, info)
    training = _training(request.given, network, rows, limits)
    spec = ThresholdSpec(target, features, "classification", resolved, training)
    return Plan(spec, _cost(spec, max_width(table.columns, features), rows, limits))


# ── the columns ──────────────────────────────────────────────────────────────────────────────────────────────────


def _boolean_columns(
    requested: Sequence[str] | None, kind: str, target: ColumnInfo, table: TableDescription
) -> list[str]:
    """The features of a kind that takes booleans alone. Raises `errors.Invalid` for other columns."""
    columns = table.columns
    _check_boolean(f"the target {target.name!r}", target, kind, "/target")
    usable = [name for name, info in columns.items() if info.kind != "text" and info.missing < table.rows]
    features = list(requested or (name for name in usable if name != target.name))
    if not features:
        raise errors.UnusableColumn(
            "no column is left as an input: each is a target, free text or empty", pointer="/features"
        )
    for index, name in enumerate(features):
        pointer = f"/features/{index}" if requested else "/features"
        check_known(name, columns, pointer)
        if name == target.name or features.index(name) != index:
            raise errors.Invalid(f"{name!r} is a target or listed before: leave it out here", pointer=pointer)
        _check_boolean(f"the input {name!r}", columns[name], kind, pointer)
        _check_complete(columns[name], kind, pointer)
    return features


def _check_boolean(column: str, info: ColumnInfo, kind: str, pointer: str) -> None:
    if not is_boolean(info):
        raise errors.UnusableColumn(
            f"{column} holds {_values(info)}, and a {kind} takes 0 and 1, or false and true, alone: map its values "
            "to these two, choose other columns, or use a perceptron or feedforward",
            pointer=pointer,
        )


def _check_complete(info: ColumnInfo, kind: str, pointer: str) -> None:
    if info.missing:
        raise errors.Invalid(
            f"the input {info.name!r} lacks a value in {info.missing} rows, and a {kind} needs every one: fill them "
            "in, or leave these rows out",
            pointer=pointer,
        )


def _values(info: ColumnInfo) -> str:
    """What a column holds, for a message."""
    statistics = info.statistics
    if info.kind == "number" and statistics["min"] is None:
        return "no values"
    if info.kind == "number":
        whole = "" if statistics["whole"] else ", not all whole"
        return f"numbers from {statistics['min']:g} to {statistics['max']:g}{whole}"
    if info.kind == "text":
        return "free text"
    levels = [repr(level["value"]) for level in statistics["levels"]]
    return "words: " + ", ".join(levels[:5]) + (", …" if len(levels) > 5 else "")


def _perceptron_columns(request: JobRequest, target: ColumnInfo, table: TableDescription) -> list[str]:
    """The features of a perceptron, which are those of a feed-forward network. Raises `errors.Invalid` likewise."""
    features = resolve_features(request.features, {target.name: "a target"}, table)
    if request.task == "auto" and not looks_like_classes([target]):
        raise errors.UnusableColumn(
            f"the target {target.name!r} holds {_values(target)}, and a perceptron separates classes: choose a target "
            "with few different values, or use feedforward",
            pointer="/target",
        )
    resolve_task("classification", [target])
    return features


# ── training and its cost ────────────────────────────────────────────────────────────────────────────────────────


def _training(
    given: Mapping[str, Any], network: type[ThresholdNetwork], rows: int, limits: Limits
) -> ThresholdTraining:
    """From the fields that were given alone: most have no meaning here, and some have another default."""
    _check_supported(given, network)
    epochs = check_epochs(given.get("epochs", TrainingRequest.epochs), limits)
    fraction = given.get("validation_fraction")
    optimizer = _optimizer(given.get("optimizer", {}), network.kind) if network.iterative else None
    return ThresholdTraining(
        optimizer=optimizer,
        epochs=epochs if network.iterative else 1,
        validation_fraction=0.0 if fraction is None and network.takes_booleans else resolve_fraction(fraction, rows),
        seed=resolve_seed(given.get("seed")),
        dtype=DTYPE,
    )


def _check_supported(given: Mapping[str, Any], network: type[ThresholdNetwork]) -> None:
    kind = network.kind
    for name, value in given.items():
        if name in SUPPORTED or value in (None, "auto"):
            continue
        why = WHY_NOT.get(name, "of training, it takes the learning rate, epochs, seed and validation_fraction alone")
        raise errors.Invalid(f"a {kind} has no {name}: {why}. Leave it out", pointer=f"/training/{name}")
    if not network.iterative and "optimizer" in given:
        raise errors.Invalid(
            f"a {kind} neuron has no optimizer: it is set by hand or searched for. Leave it out",
            pointer="/training/optimizer",
        )
    if given.get("dtype", DTYPE) != DTYPE:
        raise errors.Invalid(f"a {kind} computes in {DTYPE}: leave the dtype out", pointer="/training/dtype")


def _optimizer(given: Mapping[str, Any], kind: str) -> nn.SGD:
    """The perceptron rule, which is stochastic gradient descent in its plainest form."""
    if given.get("name", "sgd") != "sgd":
        raise errors.Invalid(
            f"a {kind} learns by the perceptron rule, which is sgd: name it, or leave the optimizer out",
            pointer="/training/optimizer/name",
        )
    for name, value in given.items():
        if name not in ("name", "learning_rate") and value:
            raise errors.Invalid(
                f"the perceptron rule has a learning_rate alone, and no {name}: leave it out",
                pointer=f"/training/optimizer/{name}",
            )
    return nn.SGD(given.get("learning_rate", DEFAULT_RATE))


def _cost(spec: ThresholdSpec, width: int, rows: int, limits: Limits) -> dict[str, Any]:
    """Parameters, memory and steps. Raises `errors.TooLargeForMemory` with the numbers."""
    parameters, outputs = spec.build(width).parameters, spec.network.outputs
    # per row in float64: the raw columns; the encoded ones whole, split, and as the neuron takes them; the answers.
    # And theta with its best and its snapshot.
    memory = 8 * rows * (len(spec.features) + 1 + 3 * width + 3 * outputs) + 3 * 8 * parameters
    check_size(parameters, memory, f"{rows} rows of {width} inputs", limits, "/features")
    validation = round(rows * (spec.training.validation_fraction or 0.0))
    return {
        "parameters": parameters,
        "encoded_features": width,
        "memory_bytes": memory,
        "training_rows": rows - validation,
        "validation_rows": validation,
        "steps_per_epoch": rows - validation if spec.network.iterative else 1,
    }
