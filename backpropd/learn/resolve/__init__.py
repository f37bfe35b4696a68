"""Resolve a request against a table's description: every `auto` becomes a choice, and what cannot work is refused.

The choices are listed in docs/choices.md. Each file here resolves one part of a spec: `columns` what is learned from
what, `validation` which rows are held out, `network` the layers and the loss, `training` how it is learned,
`warm_start` what an earlier model has fixed; and `cost` says what all of it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backpropd import errors, nn
from backpropd.learn.build import network_spec
from backpropd.learn.resolve import columns, cost, network, training, validation, warm_start
from backpropd.learn.resolve.columns import TableInfo
from backpropd.learn.resolve.cost import Limits

__all__ = ["Limits", "Plan", "TableInfo", "resolve"]


@dataclass(frozen=True)
class Plan:
    """A resolved spec, and what training it would cost."""

    spec: dict[str, Any]
    cost: dict[str, Any]


def resolve(
    wanted: Mapping[str, Any],
    described: Sequence[Mapping[str, Any]],
    rows: int,
    limits: Limits,
    *,
    validation_table: TableInfo | None = None,
    model: Mapping[str, Any] | None = None,
) -> Plan:
    """The whole spec of a job on a table with these columns, as `described` by the store, and so many rows.

    `wanted` has `target, features, task, network, training` as they were asked for; what is None or not there was not.
    `validation_table` is the dataset that `training.validation_dataset_id` names, `model` (`task, network, features,
    target, classes, encoders`) the one that `training.warm_start_model_id` names.

    Raises `errors.Invalid` and its kin, each with the pointer of what is wrong in the request.
    """
    if rows == 0:
        raise errors.EmptyDataset("the dataset has no rows: upload one that has", pointer="/dataset_id")
    if model is not None:
        wanted = warm_start.filled_in(wanted, model)
    table, asked = TableInfo(described, rows), wanted["training"]
    infos = table.infos
    target = columns.resolve_target(wanted["target"], infos, rows)
    targets = [infos[name] for name in target]
    columns.check_sample_weight(asked.get("sample_weight"), infos, target)
    features = columns.resolve_features(wanted["features"], columns.taken(target, asked), infos, rows)
    task = columns.resolve_task(wanted["task"], targets)
    outputs = warm_start.outputs_of(model) if model else columns.outputs_of(task, targets)
    usable = rows - max(info.missing for info in targets)
    parts = validation.resolve_parts(asked, table, target, usable, validation_table)
    spec: dict[str, Any] = {"target": target, "features": features, "task": task}
    spec["network"], loss = network.resolve_network(wanted["network"], asked["loss"], task, target, outputs)
    spec["training"] = training.resolve_training(asked, loss, parts, limits)
    network.refuse_negative_counts(spec, targets)
    training.refuse_what_means_nothing(spec)
    training.check_class_weight(spec, targets, model["classes"] if model else None)
    if validation_table is not None:
        columns.check_other_table(spec, infos, validation_table.infos)
    if model is not None:
        warm_start.check(spec, infos, model)
    width = warm_start.width_of(model) if model else columns.width_of(infos, features)
    nn.Network(network_spec(spec, width))  # refuses what cannot mean anything
    training.check_lbfgs({**spec, "training": {**spec["training"], "metrics_every": 1}}, width, parts)
    if spec["training"]["metrics_every"] == "auto":
        spec["training"]["metrics_every"] = cost.metrics_every(spec, width, parts)
    return Plan(spec, cost.of(spec, width, parts, rows, limits))
