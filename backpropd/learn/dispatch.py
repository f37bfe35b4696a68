"""Which code a network's kind is learned by: the neurons with a threshold, or the feed-forward network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.learn.data import Source
from backpropd.learn.model import Model
from backpropd.learn.neuron_model import NeuronModel
from backpropd.learn.neuron_run import NeuronRun
from backpropd.learn.neurons import resolve_neuron
from backpropd.learn.resolve import Limits, Plan, TableInfo
from backpropd.learn.resolve import resolve as resolve_feedforward
from backpropd.learn.run import Run

AnyRun: TypeAlias = Run | NeuronRun


def resolve(
    wanted: Mapping[str, Any],
    columns: Sequence[Mapping[str, Any]],
    rows: int,
    limits: Limits,
    *,
    validation_table: TableInfo | None = None,
    model: Mapping[str, Any] | None = None,
) -> Plan:
    """The whole spec of a job: `wanted` has `target, features, task, network, training` as they were asked for.

    For the neurons `training` has only the fields that were given; they know no other table and no earlier model.
    Raises `errors.Invalid` and its kin, each with the pointer of what is wrong in the request.
    """
    if wanted["network"] is not None and wanted["network"]["kind"] in nn.NEURONS:
        return resolve_neuron(wanted, columns, rows, limits)
    return resolve_feedforward(wanted, columns, rows, limits, validation_table=validation_table, model=model)


def start_run(
    spec: Mapping[str, Any],
    columns: Sequence[Mapping[str, Any]],
    path: Path,
    checkpoint: bytes | None,
    interrupt: NDArray[np.int8],
    *,
    validation: Source | None = None,
    warm_start: Mapping[str, Any] | None = None,
) -> AnyRun:
    """The run of a resolved spec, from its checkpoint where there is one."""
    if spec["network"]["kind"] in nn.NEURONS:
        return NeuronRun(spec, columns, path, checkpoint, interrupt)
    return Run(spec, columns, path, checkpoint, interrupt, validation=validation, warm_start=warm_start)


def load_model(encoders: Mapping[str, Any], weights: bytes) -> Model:
    """The model whose `to_json()` and `weights()` these are."""
    model_kind = NeuronModel if encoders["spec"]["network"]["kind"] in nn.NEURONS else Model
    return model_kind.load(encoders, weights)
