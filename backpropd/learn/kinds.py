"""Which code a network's kind is learned by: the neurons with a threshold, or the feed-forward network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.learn.model import Model
from backpropd.learn.neuron_model import NeuronModel
from backpropd.learn.neuron_run import NeuronRun
from backpropd.learn.neurons import resolve_neuron
from backpropd.learn.resolve import Limits, Plan
from backpropd.learn.resolve import resolve as resolve_feedforward
from backpropd.learn.run import Run

AnyRun: TypeAlias = Run | NeuronRun


def resolve(wanted: Mapping[str, Any], columns: Sequence[Mapping[str, Any]], rows: int, limits: Limits) -> Plan:
    """The whole spec of a job: `wanted` has `target, features, task, network, training` as they were asked for.

    For the neurons `training` has only the fields that were given. Raises `errors.Invalid` and its kin, each with the
    pointer of what is wrong in the request.
    """
    resolve_kind = resolve_neuron if wanted["network"]["kind"] in nn.NEURONS else resolve_feedforward
    return resolve_kind(wanted, columns, rows, limits)


def start_run(
    spec: Mapping[str, Any],
    columns: Sequence[Mapping[str, Any]],
    path: Path,
    checkpoint: bytes | None,
    interrupt: NDArray[np.int8],
) -> AnyRun:
    """The run of a resolved spec, from its checkpoint where there is one."""
    run_kind = NeuronRun if spec["network"]["kind"] in nn.NEURONS else Run
    return run_kind(spec, columns, path, checkpoint, interrupt)


def load_model(encoders: Mapping[str, Any], weights: bytes) -> Model:
    """The model whose `to_json()` and `weights()` these are."""
    model_kind = NeuronModel if encoders["spec"]["network"]["kind"] in nn.NEURONS else Model
    return model_kind.load(encoders, weights)
