"""What a request for a neuron with a threshold becomes: the three kinds of the lecture, and what each refuses.

The choices, in one place:

- `task` is classification. `training`: 100 epochs, of which a McCulloch-Pitts neuron needs one; the learning rate is
  1.0; `dtype` is float64; `seed` is drawn.
- `mcculloch_pitts` and `perceptron_network` take inputs and targets of 0 and 1, or false and true, as they are, a
  column or a target that never changes included. `features`: every other column but free text and those without
  values. `validation_fraction`: none, for a truth table is learned whole.
- `perceptron` takes what a feed-forward network takes, and encodes it in the same way, but for columns of 0 and 1,
  which stay as they are.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from backpropd import errors, nn, tabular
from backpropd.learn.resolve import Limits, Plan
from backpropd.learn.resolve.columns import (
    is_truth,
    looks_like_classes,
    refuse_unknown,
    resolve_features,
    resolve_target,
    resolve_task,
)
from backpropd.learn.resolve.validation import FEWEST_ROWS_TO_VALIDATE
from backpropd.nn.neurons.perceptron_network import LARGEST_INPUTS
from backpropd.tabular import ColumnInfo

BOOLEAN_KINDS = ("mcculloch_pitts", "perceptron_network")
DTYPE = "float64"
TAKEN = ("optimizer", "epochs", "seed", "validation_fraction", "dtype")
WHY_NOT = {
    "loss": "its loss is the share of rows answered wrongly",
    "batch_size": "it learns row by row",
    "early_stopping": "it stops at the first epoch without a mistake, and keeps the best weights it met",
    "engine": "both engines make the same bytes here",
}


def resolve_neuron(wanted: Mapping[str, Any], columns: Sequence[Mapping[str, Any]], rows: int, limits: Limits) -> Plan:
    """As `resolve`, but `wanted["training"]` has only the fields that were asked for."""
    infos = {column["name"]: ColumnInfo.from_json(column) for column in columns}
    if rows == 0:
        raise errors.EmptyDataset("the dataset has no rows: upload one that has", pointer="/dataset_id")
    kind = wanted["network"]["kind"]
    if wanted["task"] == "regression":
        raise errors.Invalid(f"a {kind} tells classes apart: leave the task out, or use feedforward", pointer="/task")
    target = resolve_target(wanted["target"], infos, rows)
    if len(target) > 1:
        raise errors.Invalid(f"a {kind} learns one target: name one", pointer="/target")
    columns_of = _boolean_columns if kind in BOOLEAN_KINDS else _perceptron_columns
    features = columns_of(wanted, target, infos, rows)
    usable = rows - infos[target[0]].missing
    spec = {
        "target": target,
        "features": features,
        "task": "classification",
        "network": _network(wanted["network"], features, infos[target[0]]),
        "training": _training(wanted["training"], kind, usable, limits),
    }
    return Plan(spec, _cost(spec, tabular.max_width([infos[name] for name in features]), usable, limits))


def neuron_of(spec: Mapping[str, Any], width: int) -> nn.Neuron:
    """The neuron of a resolved spec over `width` encoded inputs."""
    network, training = spec["network"], spec["training"]
    if network["kind"] == "mcculloch_pitts":
        return _mcculloch_pitts(network, spec["features"])
    rate = training["optimizer"]["learning_rate"]
    if network["kind"] == "perceptron_network":
        return nn.PerceptronNetwork(width, rate, DTYPE)
    return nn.Perceptron(width, max(network["outputs"], 2), rate, DTYPE)


def _mcculloch_pitts(network: Mapping[str, Any], features: Sequence[str]) -> nn.McCullochPitts:
    inhibitory, threshold = network["inhibitory"], network["threshold"]
    return nn.McCullochPitts(
        len(features),
        None if inhibitory == "search" else tuple(features.index(name) for name in inhibitory),
        None if threshold == "search" else threshold,
        DTYPE,
        tuple(features),
    )


# ── the columns ──────────────────────────────────────────────────────────────────────────────────────────────────


def _boolean_columns(
    wanted: Mapping[str, Any], target: list[str], infos: Mapping[str, ColumnInfo], rows: int
) -> list[str]:
    """The features of a kind that takes booleans alone. Raises `errors.Invalid` for other columns."""
    kind, chosen = wanted["network"]["kind"], wanted["features"]
    _refuse_other_values(f"the target {target[0]!r}", infos[target[0]], kind, "/target")
    features = chosen or [name for name, info in infos.items() if name not in target and _can_be_input(info, rows)]
    if not features:
        raise errors.UnusableColumn(
            "no column is left as an input: each is a target, free text or empty", pointer="/features"
        )
    for index, name in enumerate(features):
        pointer = f"/features/{index}" if chosen else "/features"
        refuse_unknown(name, infos, pointer)
        if name in target or features.index(name) != index:
            raise errors.Invalid(f"{name!r} is a target or listed before: leave it out here", pointer=pointer)
        _refuse_other_values(f"the input {name!r}", infos[name], kind, pointer)
        _refuse_missing(infos[name], kind, pointer)
    return features


def _can_be_input(info: ColumnInfo, rows: int) -> bool:
    return info.kind != "text" and info.missing < rows


def _refuse_other_values(column: str, info: ColumnInfo, kind: str, pointer: str) -> None:
    if not is_truth(info):
        raise errors.UnusableColumn(
            f"{column} holds {_holding(info)}, and a {kind} takes 0 and 1, or false and true, alone: map its values "
            "to these two, choose other columns, or use a perceptron or feedforward",
            pointer=pointer,
        )


def _holding(info: ColumnInfo) -> str:
    figures = info.statistics
    if info.kind == "number" and figures["min"] is None:
        return "no values"
    if info.kind == "number":
        whole = "" if figures["whole"] else ", not all whole"
        return f"numbers from {figures['min']:g} to {figures['max']:g}{whole}"
    if info.kind == "text":
        return "free text"
    levels = [repr(level["value"]) for level in figures["levels"]]
    return "words: " + ", ".join(levels[:5]) + (", …" if len(levels) > 5 else "")


def _refuse_missing(info: ColumnInfo, kind: str, pointer: str) -> None:
    if info.missing:
        raise errors.Invalid(
            f"the input {info.name!r} lacks a value in {info.missing} rows, and a {kind} needs every one: fill them "
            "in, or leave these rows out",
            pointer=pointer,
        )


def _perceptron_columns(
    wanted: Mapping[str, Any], target: list[str], infos: Mapping[str, ColumnInfo], rows: int
) -> list[str]:
    """The features of a perceptron: those of a feed-forward network. Raises as `resolve` does."""
    features = resolve_features(wanted["features"], dict.fromkeys(target, "a target"), infos, rows)
    info = infos[target[0]]
    if wanted["task"] == "auto" and not looks_like_classes([info]):
        raise errors.UnusableColumn(
            f"the target {info.name!r} holds {_holding(info)}, and a perceptron tells classes apart: choose a target "
            "with few different values, or use feedforward",
            pointer="/target",
        )
    resolve_task("classification", [infos[name] for name in target])
    return features


# ── the network, its training, their cost ────────────────────────────────────────────────────────────────────────


def _network(wanted: Mapping[str, Any], features: list[str], target: ColumnInfo) -> dict[str, Any]:
    kind = wanted["kind"]
    if kind == "perceptron":
        return {"kind": kind, "outputs": 1 if target.distinct == 2 else target.distinct}
    if kind == "mcculloch_pitts":
        _refuse_strangers(wanted["inhibitory"], features)
        return {"kind": kind, "inhibitory": wanted["inhibitory"], "threshold": wanted["threshold"]}
    if len(features) > LARGEST_INPUTS:
        raise errors.Invalid(
            f"{len(features)} inputs would need 2^{len(features)} hidden perceptrons: a perceptron_network has at most "
            f"{LARGEST_INPUTS} inputs; name fewer features",
            pointer="/features",
        )
    return {"kind": kind, "hidden_units": 2 ** len(features), "outputs": 1}


def _refuse_strangers(inhibitory: list[str] | str, features: list[str]) -> None:
    if inhibitory == "search":
        return
    for index, name in enumerate(inhibitory):
        pointer = f"/network/inhibitory/{index}"
        if name not in features:
            raise errors.UnknownColumn(f"{name!r} is no input; the inputs are: {', '.join(features)}", pointer=pointer)
        if inhibitory.index(name) != index:
            raise errors.Invalid(f"{name!r} is listed twice: name it once", pointer=pointer)


def _training(given: Mapping[str, Any], kind: str, rows: int, limits: Limits) -> dict[str, Any]:
    _refuse_what_means_nothing(given, kind)
    epochs = given.get("epochs", 100)
    if epochs > limits.epochs:
        raise errors.Invalid(f"at most {limits.epochs} epochs are trained here", pointer="/training/epochs")
    learned = kind != "mcculloch_pitts"  # set or found in one go
    seed = given.get("seed")
    return {
        **({"optimizer": _optimizer(given.get("optimizer", {}), kind)} if learned else {}),
        "epochs": epochs if learned else 1,
        "validation_fraction": _validation_fraction(given.get("validation_fraction"), kind, rows),
        "seed": secrets.randbelow(2**31) if seed is None else seed,
        "dtype": DTYPE,
    }


def _refuse_what_means_nothing(given: Mapping[str, Any], kind: str) -> None:
    for name, value in given.items():
        if name in TAKEN or value in (None, "auto"):
            continue
        why = WHY_NOT.get(name, "of training, it takes the learning rate, epochs, seed and validation_fraction alone")
        raise errors.Invalid(f"a {kind} has no {name}: {why}. Leave it out", pointer=f"/training/{name}")
    if kind == "mcculloch_pitts" and "optimizer" in given:
        raise errors.Invalid(
            "a mcculloch_pitts neuron has no optimizer: it is set by hand or searched for. Leave it out",
            pointer="/training/optimizer",
        )
    if given.get("dtype", DTYPE) != DTYPE:
        raise errors.Invalid(f"a {kind} computes in {DTYPE}: leave the dtype out", pointer="/training/dtype")


def _optimizer(given: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The learning rate of the perceptron rule, which is stochastic gradient descent in its plainest form."""
    if given.get("name", "sgd") != "sgd":
        raise errors.Invalid(
            f"a {kind} learns by the perceptron rule, which is sgd: name it, or leave the optimizer out",
            pointer="/training/optimizer/name",
        )
    for name, value in given.items():
        if name not in ("name", "learning_rate") and value:
            raise errors.Invalid(
                f"the perceptron rule knows no {name}: it has a learning_rate alone",
                pointer=f"/training/optimizer/{name}",
            )
    return {"name": "sgd", "learning_rate": given.get("learning_rate", 1.0)}


def _validation_fraction(given: float | None, kind: str, rows: int) -> float:
    if given is None:
        return 0.0 if kind in BOOLEAN_KINDS or rows < FEWEST_ROWS_TO_VALIDATE else 0.2
    if rows < 2 and given > 0:
        raise errors.EmptyDataset(
            "one row cannot be split for validation: add rows", pointer="/training/validation_fraction"
        )
    return given


def _cost(spec: Mapping[str, Any], width: int, rows: int, limits: Limits) -> dict[str, Any]:
    """Parameters, memory and steps. Raises `errors.TooLargeForMemory` with the numbers."""
    neuron = neuron_of(spec, width)
    parameters = neuron.layout.size
    # per row in float64: the raw columns, the encoded ones whole, split and as the neuron takes them, and what it
    # answers; theta with its best and its mark
    memory = 8 * rows * (len(spec["features"]) + 1 + 3 * width + 3 * neuron.outputs) + 3 * 8 * parameters
    if parameters > limits.parameters or memory > limits.memory_bytes:
        raise errors.TooLargeForMemory(
            f"{parameters} parameters over {rows} rows of {width} inputs need about {memory} bytes; a worker has "
            f"{limits.memory_bytes} and takes {limits.parameters} parameters: use fewer features or rows",
            pointer="/features",
        )
    held_out = round(rows * spec["training"]["validation_fraction"])
    return {
        "parameters": parameters,
        "encoded_features": width,
        "memory_bytes": memory,
        "training_rows": rows - held_out,
        "validation_rows": held_out,
        "steps_per_epoch": rows - held_out if neuron.iterative else 1,
    }
