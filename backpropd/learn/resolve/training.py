"""How a network is trained: what is left out is decided, and what a combination cannot mean is refused."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from backpropd import errors, nn
from backpropd.errors import Problem, pointer
from backpropd.learn.build import loss_name, network_spec, optimizer_of, schedule_of, training_of
from backpropd.learn.resolve.columns import labels_of
from backpropd.learn.resolve.cost import Limits
from backpropd.learn.resolve.validation import Parts
from backpropd.nn.training.validation import check_full_batch
from backpropd.tabular import ColumnInfo
from backpropd.tabular.table import class_label

DEFAULT_BATCH = 32

LEFT_OUT: Mapping[str, Any] = {
    "label_smoothing": 0.0,
    "class_weight": None,
    "sample_weight": None,
    "warmup_epochs": 0,
    "l1": 0.0,
    "l2": 0.0,
    "max_norm": None,
    "gradient_clip_norm": None,
    "gradient_clip_value": None,
    "max_seconds": None,
    "target_loss": None,
    "metrics_every": "auto",
    "keep_path": False,
    "keep_optimizer_state": False,
    "warm_start_model_id": None,
}
"""What is off unless it is asked for."""


def resolve_training(wanted: Mapping[str, Any], loss: Any, parts: Parts, limits: Limits) -> dict[str, Any]:
    """Every field of training, decided. Raises `errors.Invalid` for what the rows or the limits do not allow."""
    if wanted["epochs"] > limits.epochs:
        raise errors.Invalid(f"at most {limits.epochs} epochs are trained here", pointer="/training/epochs")
    asked = {name: wanted[name] for name in LEFT_OUT if wanted.get(name) is not None}
    optimizer, schedule = wanted["optimizer"], wanted.get("schedule") or {"name": "constant"}
    full_batch = nn.OPTIMIZERS[optimizer["name"]].full_batch
    return {
        "loss": loss,
        **LEFT_OUT,
        **asked,
        "optimizer": {"name": optimizer["name"], **vars(optimizer_of({"optimizer": optimizer}))},
        "schedule": {"name": schedule["name"], **_fields(schedule)},
        "weight_decay": _weight_decay(wanted.get("weight_decay"), optimizer["name"]),
        "epochs": wanted["epochs"],
        "batch_size": _batch_size(wanted["batch_size"] or ("full" if full_batch else None), parts),
        **parts.fields(),
        "early_stopping": _early_stopping(wanted["early_stopping"], parts),
        "seed": secrets.randbelow(2**31) if wanted["seed"] is None else wanted["seed"],
        "dtype": wanted["dtype"],
        "engine": ("numpy" if full_batch else "numba") if wanted["engine"] == "auto" else wanted["engine"],
    }


def _fields(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule's own fields: the warmup goes with any, and stands beside it."""
    fields = vars(schedule_of({"schedule": schedule}))
    return {name: value for name, value in fields.items() if name != "warmup_epochs"}


def _weight_decay(wanted: float | None, optimizer: str) -> float:
    if wanted is None:
        return float(nn.OPTIMIZERS[optimizer].default_weight_decay)
    return wanted


def _batch_size(wanted: int | str | None, parts: Parts) -> int | str:
    rows = parts.training + (parts.held_out if parts.validation_dataset_id is None else 0)
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


def _early_stopping(wanted: Mapping[str, Any] | None, parts: Parts) -> dict[str, Any] | None:
    if wanted is None:
        return None
    monitor = wanted.get("monitor") or ("validation_loss" if parts.held_out else "loss")
    if monitor == "validation_loss" and not parts.held_out:
        raise errors.Invalid(
            "there are no validation rows to monitor: set validation_fraction, or monitor the loss",
            pointer="/training/early_stopping/monitor",
        )
    return {"restore_best": True, "start_epoch": 1, **wanted, "monitor": monitor}


def check_lbfgs(spec: Mapping[str, Any], width: int, parts: Parts) -> None:
    """Raises `errors.Invalid` for what L-BFGS does not go with."""
    training = training_of(spec["training"], parts.training)
    try:
        check_full_batch(network_spec(spec, width), training, parts.training)
    except errors.Invalid as refusal:
        raise errors.Invalid(refusal.detail, pointer="/training/optimizer") from refusal


def check_class_weight(spec: Mapping[str, Any], targets: Sequence[ColumnInfo], learned: Collection[str] | None) -> None:
    """Raises `errors.Invalid` for labels that are no classes: not those that a model has `learned` before.

    Without such a model the classes are what the table's description tells of them. The values of a column of numbers
    are not in it: there a label is refused that cannot be one of them, and the run refuses what is left.
    """
    wanted = spec["training"]["class_weight"]
    if not isinstance(wanted, Mapping):
        return
    classes = labels_of(targets[0]) if learned is None else learned
    problems = [
        Problem(pointer("training", "class_weight", label), f"{label!r} is no class: {why}")
        for label in wanted
        if (why := _why_no_number(label, targets[0]) if classes is None else _why_no_word(label, classes))
    ]
    if problems:
        raise errors.Invalid.from_problems(problems)


def _why_no_word(label: str, classes: Collection[str]) -> str | None:
    return None if label in classes else f"they are {', '.join(sorted(classes)[:20])}"


def _why_no_number(label: str, info: ColumnInfo) -> str | None:
    """Why a label cannot be one of a column's numbers; None if it can."""
    try:
        value = float(label)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return f"the target {info.name!r} holds numbers"
    if label != class_label(value):
        return f"this number is written {class_label(value)!r} here"
    low, high = info.statistics["min"], info.statistics["max"]
    if not low <= value <= high:
        return f"the target {info.name!r} lies between {class_label(low)} and {class_label(high)}"
    if info.statistics["whole"] and not value.is_integer():
        return f"the target {info.name!r} holds whole numbers"
    return None


class Rule(NamedTuple):
    """A combination that means nothing: where it stands, how to know it in a resolved spec, and why."""

    pointer: str
    broken: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]  # (training, spec)
    why: str


SMOOTHING_LOSSES = [name for name, loss in nn.LOSSES.items() if "label_smoothing" in nn.hyperparameters(loss)]


def _rate(training: Mapping[str, Any]) -> float:
    return float(training["optimizer"].get("learning_rate", 1.0))  # L-BFGS looks for its own step


def _normalized(spec: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [layer for layer in spec["network"]["hidden"] if layer["normalization"] == kind]


def _all_zeros(spec: Mapping[str, Any]) -> bool:
    layers = [layer["initializer"] for layer in spec["network"]["hidden"]]
    return bool(layers) and {*map(str, layers), str(spec["network"]["output_initializer"])} == {"zeros"}


RULES = (
    Rule(
        "/training/label_smoothing",
        lambda training, spec: training["label_smoothing"] and loss_name(training) not in SMOOTHING_LOSSES,
        f"only {' and '.join(SMOOTHING_LOSSES)} smooth labels: use one of these losses, or leave label_smoothing out",
    ),
    Rule(
        "/training/class_weight",
        lambda training, spec: training["class_weight"] is not None and spec["task"] == "regression",
        "regression has no classes to weigh: use sample_weight",
    ),
    Rule(
        "/training/class_weight",
        lambda training, spec: (
            training["class_weight"] is not None and spec["task"] == "classification" and len(spec["target"]) > 1
        ),
        "a row has several labels here, and no class that could weigh: use sample_weight",
    ),
    Rule(
        "/training/class_weight",
        lambda training, spec: (
            isinstance(training["class_weight"], Mapping)
            and training["class_weight"]
            and not any(training["class_weight"].values())
        ),
        "every class named here weighs 0: one must weigh something",
    ),
    Rule(
        "/training/optimizer/nesterov",
        lambda training, spec: training["optimizer"].get("nesterov") and not training["optimizer"]["momentum"],
        "Nesterov's momentum is a way to use momentum: set momentum above 0, or leave nesterov out",
    ),
    Rule(
        "/training/weight_decay",
        lambda training, spec: training["weight_decay"] * _rate(training) >= 1,
        "learning_rate times weight_decay is what a step takes off every weight: keep it below 1",
    ),
    Rule(
        "/training/schedule/period",
        lambda training, spec: (
            (training["schedule"].get("period") or 0) > training["epochs"] - training["warmup_epochs"]
        ),
        "the period is longer than the epochs behind the warmup: shorten it, or leave it out for one period over all",
    ),
    Rule(
        "/training/schedule/restart_multiplier",
        lambda training, spec: (
            training["schedule"].get("restart_multiplier", 1) > 1 and training["schedule"]["period"] is None
        ),
        "without a period there is no restart: give a period",
    ),
    Rule(
        "/training/schedule/every",
        lambda training, spec: (
            training["schedule"].get("every", 0) > max(training["epochs"] - training["warmup_epochs"] - 1, 0)
        ),
        "the first step would come after the last epoch: lower every, or train for more epochs",
    ),
    Rule(
        "/training/schedule/patience",
        lambda training, spec: training["schedule"].get("patience", 0) >= training["epochs"],
        "the run is over before patience is: lower it, or train for more epochs",
    ),
    Rule(
        "/training/schedule/minimum_rate",
        lambda training, spec: training["schedule"].get("minimum_rate", 0) > _rate(training),
        "the rate starts below it: lower minimum_rate, or raise the optimizer's learning_rate",
    ),
    Rule(
        "/training/warmup_epochs",
        lambda training, spec: training["warmup_epochs"] >= training["epochs"],
        "the warmup must leave an epoch: lower it, or train for more epochs",
    ),
    Rule(
        "/training/early_stopping/start_epoch",
        lambda training, spec: (training["early_stopping"] or {}).get("start_epoch", 1) > training["epochs"],
        "no epoch would be looked at: lower start_epoch",
    ),
    Rule(
        "/network/hidden",
        lambda training, spec: training["batch_size"] == 1 and _normalized(spec, "batch"),
        "a batch of one row has no variance to normalize by: raise batch_size, or normalize by layer",
    ),
    Rule(
        "/network/hidden",
        lambda training, spec: any(layer["units"] == 1 for layer in _normalized(spec, "layer")),
        "over one unit alone the normalized value is always 0: give the layer more units, or normalize by batch",
    ),
    Rule(
        "/network/initializer",
        lambda training, spec: _all_zeros(spec),
        "where all weights start at 0 the hidden units stay alike for ever: choose another initializer for one layer",
    ),
)


def refuse_what_means_nothing(spec: Mapping[str, Any]) -> None:
    """Raises `errors.Invalid`, which names every rule of `RULES` that a resolved spec breaks."""
    broken = [Problem(rule.pointer, rule.why) for rule in RULES if rule.broken(spec["training"], spec)]
    if broken:
        raise errors.Invalid(f"{broken[0].pointer}: {broken[0].detail}", problems=broken)
