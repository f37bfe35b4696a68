"""Resolve a request against a table's description: every `auto` becomes a choice, and what cannot work is refused.

The choices, in one place:

- `task`: classification for a category or boolean target, and for whole numbers with at most 20 different values;
  regression for other numbers.
- `features`: every column but the target that can be learned from: free text, columns without values and columns with
  one value are left out.
- `output_activation`: logistic for two classes, softmax for more, linear for regression.
- `loss`: binary_cross_entropy with logistic, cross_entropy with softmax, squared_error for regression.
- `initializer`: he_uniform before relu, glorot_uniform elsewhere.
- `validation_fraction`: a fifth; none for fewer than 20 rows. `batch_size`: 32, or all rows if they are fewer.
- early stopping monitors the validation loss where there is one. `seed`: drawn. `engine`: numpy.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from backpropd import errors, nn, tabular
from backpropd.errors import Problem
from backpropd.tabular import ColumnInfo

MOST_CLASS_NUMBERS = 20
MOST_CLASSES = 1000
FEWEST_ROWS_TO_VALIDATE = 20
DEFAULT_BATCH = 32


@dataclass(frozen=True)
class Limits:
    """What a job may ask for at most."""

    epochs: int
    parameters: int
    memory_bytes: int


@dataclass(frozen=True)
class Plan:
    """A resolved spec, and what training it would cost."""

    spec: dict[str, Any]
    cost: dict[str, Any]


def resolve(wanted: Mapping[str, Any], columns: Sequence[Mapping[str, Any]], rows: int, limits: Limits) -> Plan:
    """The whole spec of a job: `wanted` has `target, features, task, network, training` as they were asked for.

    Raises `errors.Invalid` and its kin, each with the pointer of what is wrong in the request.
    """
    infos = {column["name"]: ColumnInfo.from_json(column) for column in columns}
    if rows == 0:
        raise errors.EmptyDataset("the dataset has no rows: upload one that has", pointer="/dataset_id")
    target = _target(wanted["target"], infos, rows)
    features = _features(wanted["features"], target, infos, rows)
    task = _task(wanted["task"], [infos[name] for name in target])
    usable = rows - max(infos[name].missing for name in target)
    training = _training(wanted["training"], usable, limits)
    outputs = _outputs(task, [infos[name] for name in target])
    network, training["loss"] = _network(wanted["network"], training["loss"], task, outputs)
    width = tabular.width_of([infos[name] for name in features])
    cost = _cost(network, training, width, usable, limits)
    spec = {"target": target, "features": features, "task": task, "network": network, "training": training}
    nn.Network(network_spec(spec, width))  # refuses what cannot mean anything
    return Plan(spec, cost)


def network_spec(spec: Mapping[str, Any], width: int) -> nn.Spec:
    """The mathematics' spec of a resolved network over `width` encoded inputs."""
    network, training = spec["network"], spec["training"]
    hidden = [nn.LayerSpec(each["units"], each["activation"], each["initializer"]) for each in network["hidden"]]
    output = nn.LayerSpec(network["outputs"], network["output_activation"], network["output_initializer"])
    return nn.Spec(width, (*hidden, output), training["loss"], training["dtype"])


def _target(wanted: str | list[str], infos: Mapping[str, ColumnInfo], rows: int) -> list[str]:
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for index, name in enumerate(names):
        pointer = "/target" if isinstance(wanted, str) else f"/target/{index}"
        _refuse_unknown(name, infos, pointer)
        if names.index(name) != index:
            raise errors.Invalid(f"the target {name!r} is listed twice: name it once", pointer=pointer)
        if infos[name].missing == rows:
            raise errors.AllMissing(f"the target {name!r} has no values: choose another", pointer=pointer)
        if infos[name].kind == "text":
            raise errors.UnusableColumn(
                f"the target {name!r} is free text (nearly every row has its own): choose a column with numbers, or "
                "with few different values",
                pointer=pointer,
            )
    return names


def _refuse_unknown(name: str, infos: Mapping[str, ColumnInfo], pointer: str) -> None:
    if name not in infos:
        listed = ", ".join(list(infos)[:50]) + (", …" if len(infos) > 50 else "")
        raise errors.UnknownColumn(f"there is no column {name!r}; the columns are: {listed}", pointer=pointer)


def _features(wanted: list[str] | None, target: list[str], infos: Mapping[str, ColumnInfo], rows: int) -> list[str]:
    if wanted is None:
        found = [name for name in infos if name not in target and _why_useless(infos[name], rows) is None]
        if not found:
            raise errors.UnusableColumn(
                "no column is left to learn from: each is a target, free text, empty or constant", pointer="/features"
            )
        return found
    for index, name in enumerate(wanted):
        pointer = f"/features/{index}"
        _refuse_unknown(name, infos, pointer)
        if name in target or wanted.index(name) != index:
            raise errors.Invalid(f"{name!r} is a target or listed before: leave it out here", pointer=pointer)
        if why := _why_useless(infos[name], rows):
            raise why[0](f"the feature {name!r} {why[1]}: leave it out", problems=[Problem(pointer, why[1])])
    return wanted


def _why_useless(info: ColumnInfo, rows: int) -> tuple[type[errors.Invalid], str] | None:
    if info.missing == rows:
        return errors.AllMissing, "has no values"
    if info.kind == "text":
        return errors.UnusableColumn, "is free text"
    if info.distinct == 1 and info.missing == 0:
        return errors.ConstantColumn, "has the same value in every row"
    return None


def _task(wanted: str, targets: Sequence[ColumnInfo]) -> str:
    if wanted == "auto":
        wanted = "classification" if len(targets) == 1 and _looks_like_classes(targets[0]) else "regression"
    if wanted == "classification":
        _refuse_classes(targets)
        return wanted
    for info in targets:
        if info.kind != "number":
            raise errors.UnusableColumn(
                f"the target {info.name!r} is of kind {info.kind}, and regression needs numbers: choose another, or "
                'ask for "task": "classification"',
                pointer="/target",
            )
        if info.distinct == 1:
            raise errors.ConstantColumn(
                f"the target {info.name!r} has the same value in every row: nothing to learn", pointer="/target"
            )
    return wanted


def _looks_like_classes(info: ColumnInfo) -> bool:
    if info.kind != "number":
        return True
    few = info.distinct is not None and info.distinct <= MOST_CLASS_NUMBERS
    return few and bool(info.statistics.get("whole"))


def _refuse_classes(targets: Sequence[ColumnInfo]) -> None:
    if len(targets) > 1:
        raise errors.Invalid("classification takes one target: several targets are for regression", pointer="/target")
    (info,) = targets
    if info.distinct == 1:
        raise errors.OneClass(
            f"the target {info.name!r} has one class only: there is nothing to tell apart", pointer="/target"
        )
    if info.distinct is None or info.distinct > MOST_CLASSES:
        raise errors.UnusableColumn(
            f"the target {info.name!r} has more than {MOST_CLASSES} values: ask for regression, or group them",
            pointer="/target",
        )


def _outputs(task: str, targets: Sequence[ColumnInfo]) -> int:
    """How many numbers the answer has: classes for classification, targets for regression."""
    return targets[0].distinct or 0 if task == "classification" else len(targets)


def _network(wanted: Mapping[str, Any], loss: str, task: str, outputs: int) -> tuple[dict[str, Any], str]:
    activation = wanted["output_activation"]
    if activation == "auto":
        activation = _output_activation(task, outputs, loss)
    allowed = ("logistic", "softmax") if task == "classification" else ("linear", "logistic", "tanh", "relu")
    if activation not in allowed:
        raise errors.Invalid(
            f"{task} answers with {' or '.join(allowed)}: use one of them, or auto",
            pointer="/network/output_activation",
        )
    loss = _loss(loss, task, activation)
    units = 1 if task == "classification" and outputs == 2 and activation == "logistic" else outputs
    initializer = wanted["initializer"]
    hidden = [
        {
            "units": layer["units"],
            "activation": layer["activation"],
            "initializer": _initializer(layer["initializer"], initializer, layer["activation"]),
        }
        for layer in wanted["hidden"]
    ]
    network = {
        "kind": wanted["kind"],
        "hidden": hidden,
        "output_activation": activation,
        "outputs": units,
        "initializer": initializer,
        "output_initializer": _initializer("auto", initializer, activation),
    }
    return network, loss


def _output_activation(task: str, outputs: int, loss: str) -> str:
    if task == "regression":
        return "linear"
    if loss in ("cross_entropy", "binary_cross_entropy"):
        return "softmax" if loss == "cross_entropy" else "logistic"
    return "logistic" if outputs == 2 else "softmax"


def _loss(wanted: str, task: str, activation: str) -> str:
    fitting = {"softmax": "cross_entropy", "logistic": "binary_cross_entropy"}
    own = "squared_error" if task == "regression" else fitting[activation]
    if wanted == "auto":
        return own
    if wanted not in (own, "squared_error"):
        raise errors.Invalid(
            f"{wanted} does not go with {task} and a {activation} output: use {own} or squared_error, or auto",
            pointer="/training/loss",
        )
    return wanted


def _initializer(own: str, general: str, activation: str) -> str:
    for wanted in (own, general):
        if wanted != "auto":
            return wanted
    return "he_uniform" if activation == "relu" else "glorot_uniform"


def _training(wanted: Mapping[str, Any], rows: int, limits: Limits) -> dict[str, Any]:
    if wanted["epochs"] > limits.epochs:
        raise errors.Invalid(f"at most {limits.epochs} epochs are trained here", pointer="/training/epochs")
    if wanted["engine"] == "numba":
        raise errors.Invalid(
            "this version trains with the numpy engine only: use numpy or auto", pointer="/training/engine"
        )
    fraction = wanted["validation_fraction"]
    if fraction is None:
        fraction = 0.2 if rows >= FEWEST_ROWS_TO_VALIDATE else 0.0
    if rows < 2 and fraction > 0:
        raise errors.EmptyDataset(
            "one row cannot be split for validation: add rows", pointer="/training/validation_fraction"
        )
    return {
        "loss": wanted["loss"],
        "optimizer": dict(wanted["optimizer"]),
        "epochs": wanted["epochs"],
        "batch_size": _batch_size(wanted["batch_size"], rows, fraction),
        "validation_fraction": fraction,
        "early_stopping": _early_stopping(wanted["early_stopping"], fraction),
        "seed": secrets.randbelow(2**31) if wanted["seed"] is None else wanted["seed"],
        "dtype": wanted["dtype"],
        "engine": "numpy",
    }


def _batch_size(wanted: int | str | None, rows: int, fraction: float) -> int | str:
    if wanted == "full":
        return wanted
    if wanted is None:
        return min(DEFAULT_BATCH, rows)
    size = int(wanted)
    if size > rows:
        raise errors.Invalid(
            f'a batch of {size} is larger than the {rows} rows that can be used: lower it, or say "full"',
            pointer="/training/batch_size",
        )
    return size


def _early_stopping(wanted: Mapping[str, Any] | None, fraction: float) -> dict[str, Any] | None:
    if wanted is None:
        return None
    monitor = wanted["monitor"] or ("validation_loss" if fraction > 0 else "loss")
    if monitor == "validation_loss" and fraction == 0:
        raise errors.Invalid(
            "there are no validation rows to monitor: set validation_fraction, or monitor the loss",
            pointer="/training/early_stopping/monitor",
        )
    return {**wanted, "monitor": monitor}


def _cost(
    network: Mapping[str, Any], training: Mapping[str, Any], width: int, rows: int, limits: Limits
) -> dict[str, Any]:
    """Parameters, memory and steps. Raises `errors.TooLargeForMemory` with the numbers."""
    units = [width, *(layer["units"] for layer in network["hidden"]), network["outputs"]]
    parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(units))
    train_rows = rows - round(rows * training["validation_fraction"])
    batch = train_rows if training["batch_size"] == "full" else min(training["batch_size"], train_rows)
    size = 8 if training["dtype"] == "float64" else 4
    # the raw columns as float64, the encoded table twice (whole and split), theta with its gradient, optimizer, best
    # and mark, and the activations of one batch forwards and backwards
    memory = 8 * rows * width + 2 * size * rows * width + 8 * size * parameters + 2 * size * batch * sum(units)
    if parameters > limits.parameters or memory > limits.memory_bytes:
        raise errors.TooLargeForMemory(
            f"{parameters} parameters over {rows} rows of {width} inputs need about {memory} bytes; a worker has "
            f"{limits.memory_bytes} and takes {limits.parameters} parameters: use fewer features, rows or units",
            pointer="/network" if parameters > limits.parameters else "/features",
        )
    return {
        "parameters": parameters,
        "encoded_features": width,
        "memory_bytes": memory,
        "training_rows": train_rows,
        "validation_rows": rows - train_rows,
        "steps_per_epoch": max(1, -(-train_rows // max(batch, 1))),
    }
