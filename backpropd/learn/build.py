"""A resolved spec as what the mathematics takes: the network's `nn.Spec` and its `nn.Training`.

Specs live as long as jobs and models do: what older ones do not have is what was always done before it could be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backpropd import errors, nn
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.schedules import Schedule

MOST_SNAPSHOTS = 200

Resolved = Mapping[str, Any]


def is_multi_label(spec: Resolved) -> bool:
    """Whether the answer is a truth for each of several targets."""
    return spec["task"] == "classification" and len(spec["target"]) > 1


def loss_name(training: Resolved) -> str:
    """The loss without its parameters."""
    loss = training["loss"]
    name: str = loss if isinstance(loss, str) else loss["name"]
    return name


def network_spec(spec: Resolved, width: int) -> nn.Spec:
    """The mathematics' spec of a resolved network over `width` encoded inputs."""
    network, training = spec["network"], spec["training"]
    hidden = [nn.LayerSpec(**layer) for layer in network["hidden"]]
    output = nn.LayerSpec(network["outputs"], network["output_activation"], network["output_initializer"])
    loss = training["loss"]
    parameters = {} if isinstance(loss, str) else {key: value for key, value in loss.items() if key != "name"}
    if smoothing := training.get("label_smoothing"):
        parameters["label_smoothing"] = smoothing
    return nn.Spec(width, (*hidden, output), loss_name(training), training["dtype"], parameters)


def training_of(training: Resolved, rows: int) -> nn.Training:
    """How to train on so many rows. Raises `errors.EmptyDataset` where there are none."""
    if rows == 0:
        raise errors.EmptyDataset("no row is left to train on: every one lacks its target, or is held out")
    stopping, size = training["early_stopping"], training["batch_size"]
    return nn.Training(
        optimizer=optimizer_of(training),
        epochs=training["epochs"],
        batch_size=rows if size == "full" else min(size, rows),
        early_stopping=nn.EarlyStopping(**stopping) if stopping else None,
        schedule=schedule_of(training),
        regularization=nn.Regularization(
            l1=training.get("l1", 0.0),
            l2=training.get("l2", 0.0),
            weight_decay=training.get("weight_decay", 0.0),
            max_norm=training.get("max_norm"),
            clip_norm=training.get("gradient_clip_norm"),
            clip_value=training.get("gradient_clip_value"),
        ),
        target_loss=training.get("target_loss"),
        max_seconds=training.get("max_seconds"),
        metrics_every=training.get("metrics_every", 1),
        path_every=path_every(training),
        engine=training["engine"],
    )


def path_every(training: Resolved) -> int | None:
    """Every how many epochs theta is kept, so that there are at most 200 of them; None if none is."""
    return -(-training["epochs"] // MOST_SNAPSHOTS) if training.get("keep_path") else None


def optimizer_of(training: Resolved) -> Optimizer:
    """The optimizer with its settings."""
    optimizer: Optimizer = _made(nn.OPTIMIZERS, training["optimizer"])
    return optimizer


def schedule_of(training: Resolved) -> Schedule:
    """The schedule with its settings and its warmup."""
    wanted = training.get("schedule") or {"name": "constant"}
    schedule: Schedule = _made(nn.SCHEDULES, {**wanted, "warmup_epochs": training.get("warmup_epochs", 0)})
    return schedule


def _made(known: Mapping[str, type[Any]], wanted: Resolved) -> Any:
    settings = dict(wanted)
    return known[settings.pop("name")](**settings)
