"""Resolve a request for a threshold neuron: a McCulloch-Pitts neuron, a perceptron, or a network of perceptrons."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backpropd import errors, nn
from backpropd.learn import initial_parameters
from backpropd.learn.network_kinds.threshold import (
    DEFAULT_RATE,
    DTYPE,
    NETWORKS,
    ThresholdNetwork,
    ThresholdSpec,
    ThresholdTraining,
)
from backpropd.learn.request import JobRequest
from backpropd.learn.resolve import columns, snapshots
from backpropd.learn.resolve.columns import Features, WhyNot
from backpropd.learn.resolve.cost import check_size, overhead
from backpropd.learn.resolve.plan import Context, Limits, Plan
from backpropd.learn.resolve.split import resolve_fraction
from backpropd.learn.resolve.task import holds_few_numbers, resolve_task
from backpropd.learn.resolve.training import check_epochs, resolve_seed
from backpropd.learn.tables import TableDescription, is_boolean
from backpropd.tabular import ColumnInfo, derived_in, feature_names, max_width, plan_features

DEFAULT_EPOCHS = 100
SUPPORTED = (
    "optimizer",
    "epochs",
    "max_seconds",
    "seed",
    "validation_fraction",
    "dtype",
    "snapshots",
    "feature_scaling",
)
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
        detail = f"a {network.kind} is a classifier: leave the task out, or use feedforward"
        raise errors.Invalid(detail, pointer="/task")
    target = columns.resolve_target(request.target, table)
    if len(target) > 1:
        raise errors.Invalid(f"a {network.kind} has exactly one target: name one", pointer="/target")
    info = table.columns[target[0]]
    features = (_boolean_columns if network.takes_booleans else _perceptron_columns)(request, info, table)
    rows = table.rows - info.missing
    resolved = network.resolve(request.network, feature_names(features.names), info)
    training = _training(request.given, network, rows, limits)
    spec = ThresholdSpec(target, features.names, "classification", resolved, training)
    plan = _complete(spec, request.given, table, rows, limits)
    warnings = [*columns.missing_targets(target, table), *features.warnings]
    return plan._replace(left_out=features.left_out, warnings=warnings)


def complete_threshold(spec: ThresholdSpec, given: Mapping[str, Any], context: Context) -> Plan:
    """The plan of a spec with another training. Raises `errors.Invalid` and its subclasses."""
    table = context.table
    rows = table.rows - table.columns[spec.target[0]].missing
    training = _training(given, type(spec.network), rows, context.limits)
    return _complete(replace(spec, training=training), given, table, rows, context.limits)


def _complete(
    spec: ThresholdSpec, given: Mapping[str, Any], table: TableDescription, rows: int, limits: Limits
) -> Plan:
    """The plan of a spec but for what follows from sizes: the snapshots and the cost."""
    width = max_width(plan_features(spec.features, table.columns).infos)
    neuron = spec.build(width)
    initial_parameters.check(neuron, spec.network.initial_parameters)
    size = 2 * 8 * neuron.layout.size + overhead(neuron)  # theta and that of the best epoch
    chosen = snapshots.resolve(given.get("snapshots"), spec.training.epochs, size)
    spec = replace(spec, training=replace(spec.training, snapshots=chosen))
    return Plan(spec, _cost(spec, width, rows, limits))


def _boolean_columns(request: JobRequest, target: ColumnInfo, table: TableDescription) -> Features:
    """The features of a kind that takes booleans alone. Raises `errors.Invalid` for other columns."""
    kind = request.network["kind"]
    _check_boolean(f"the target {target.name!r}", target, kind, "/target")
    for index, feature in enumerate(request.features or ()):
        if not isinstance(feature, str):
            detail = f"a {kind} takes booleans alone, and a derived feature is a number: leave it out"
            raise errors.UnusableColumn(f"{detail}, or use a perceptron or feedforward", pointer=f"/features/{index}")
    features = columns.resolve_features(request.features, {target.name: "a target"}, table, _why_no_input)
    for index, name in enumerate(feature_names(features.names)):
        info, pointer = table.columns[name], f"/features/{index}" if request.features else "/features"
        _check_boolean(f"the input {name!r}", info, kind, pointer)
        if info.missing:
            lacks = f"{name!r} has no value in {info.missing} rows"
            raise errors.Invalid(f"{lacks}, and a {kind} needs all: fill them in, or remove the rows", pointer=pointer)
    return features


def _why_no_input(info: ColumnInfo, rows: int) -> WhyNot | None:
    """Why not, as for other networks; but a constant is a boolean like any other."""
    why = columns.why_no_feature(info, rows)
    return None if why is None or why.reason == "constant" else why._replace(error=errors.UnusableColumn)


def _check_boolean(column: str, info: ColumnInfo, kind: str, pointer: str) -> None:
    if not is_boolean(info):
        needs = f"a {kind} takes only 0 and 1, or false and true: choose other columns, or use feedforward"
        raise errors.UnusableColumn(f"{column} holds {_values(info)}, and {needs}", pointer=pointer)


def _values(info: ColumnInfo) -> str:
    """What a column that is not empty or free text holds, for a message."""
    statistics = info.statistics
    if info.kind == "number":
        whole = "" if statistics["whole"] else ", not all whole"
        return f"numbers from {statistics['min']:g} to {statistics['max']:g}{whole}"
    levels = [repr(level["value"]) for level in statistics.get("levels", [])]
    return "words: " + ", ".join(levels[:5]) + (", …" if len(levels) > 5 else "")


def _perceptron_columns(request: JobRequest, target: ColumnInfo, table: TableDescription) -> Features:
    """The features of a perceptron, which are those of a feed-forward network. Raises `errors.Invalid` likewise."""
    features = columns.resolve_features(request.features, {target.name: "a target"}, table)
    if request.task == "auto" and target.kind == "number" and not holds_few_numbers(target):
        needs = "a perceptron is a classifier: choose a target with few different values, or use feedforward"
        raise errors.UnusableColumn(
            f"the target {target.name!r} holds {_values(target)}, and {needs}", pointer="/target"
        )
    resolve_task("classification", [target], table.rows)
    return features


def _training(
    given: Mapping[str, Any], network: type[ThresholdNetwork], rows: int, limits: Limits
) -> ThresholdTraining:
    """From the fields that the client stated: most are not supported here, and some have another default."""
    _check_supported(given, network)
    epochs = check_epochs(given.get("epochs", DEFAULT_EPOCHS), limits)
    fraction = given.get("validation_fraction")
    optimizer = _optimizer(given.get("optimizer", {}), network.kind) if network.iterative else None
    return ThresholdTraining(
        optimizer=optimizer,
        epochs=epochs if network.iterative else 1,
        validation_fraction=0.0 if fraction is None and network.takes_booleans else resolve_fraction(fraction, rows),
        max_seconds=given.get("max_seconds"),
        feature_scaling=_or_standard(given.get("feature_scaling")),
        seed=resolve_seed(given.get("seed")),
        dtype=DTYPE,
    )


def _or_standard(requested: str | None) -> str:
    return "standard" if requested in (None, "auto") else requested


def _check_supported(given: Mapping[str, Any], network: type[ThresholdNetwork]) -> None:
    kind = network.kind
    for name, value in given.items():
        if name in SUPPORTED or value in (None, "auto"):
            continue
        why = WHY_NOT.get(name, f"of training, it takes {', '.join(SUPPORTED)} alone")
        raise errors.Invalid(f"a {kind} has no {name}: {why}. Leave it out", pointer=f"/training/{name}")
    if not network.iterative and given.get("snapshots"):
        detail = f"a {kind} neuron is set by hand or searched for, in one step: it has no snapshots. Leave them out"
        raise errors.Invalid(detail, pointer="/training/snapshots")
    if not network.iterative and "optimizer" in given:
        detail = f"a {kind} neuron has no optimizer: it is set by hand or searched for. Leave it out"
        raise errors.Invalid(detail, pointer="/training/optimizer")
    if given.get("dtype", DTYPE) != DTYPE:
        raise errors.Invalid(f"a {kind} computes in {DTYPE}: leave the dtype out", pointer="/training/dtype")


def _optimizer(given: Mapping[str, Any], kind: str) -> nn.SGD:
    """The perceptron rule as SGD without momentum. Raises `errors.Invalid` for any other optimizer."""
    if given.get("name", "sgd") != "sgd":
        detail = f"a {kind} learns by the perceptron rule, which is sgd: name it, or leave the optimizer out"
        raise errors.Invalid(detail, pointer="/training/optimizer/name")
    for name, value in given.items():
        if name not in ("name", "learning_rate") and value:
            detail = f"the perceptron rule has only a learning_rate, no {name}: leave it out"
            raise errors.Invalid(detail, pointer=f"/training/optimizer/{name}")
    return nn.SGD(given.get("learning_rate", DEFAULT_RATE))


def _cost(spec: ThresholdSpec, width: int, rows: int, limits: Limits) -> dict[str, Any]:
    """Parameters, memory and steps. Raises `errors.TooLargeForMemory` with the numbers."""
    parameters, outputs = spec.build(width).parameters, spec.network.outputs
    # per row: the raw columns; the encoded ones whole, split, and in the neuron; the answers. Theta three times.
    memory = (
        8 * rows * (len(spec.columns) + 1 + 4 * bool(derived_in(spec.features)) + 3 * width + 3 * outputs)
        + 3 * 8 * parameters
    )
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
