"""What training takes: parameters, memory, steps, and how often metrics may be measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backpropd import errors, nn
from backpropd.learn.build import network_spec, optimizer_of, path_every
from backpropd.learn.resolve.validation import Parts
from backpropd.nn.training.chunks import max_chunk_epochs
from backpropd.tabular.table import MAX_VALUES_IN_MEMORY

METRICS_SHARE = 0.1  # of the time of training is the most that metrics may take, about

# Microseconds, measured on one thread of a small machine; only their proportions matter.
MICROSECONDS_AN_EPOCH = 8.0
MICROSECONDS_A_STEP = {"numba": 1.3, "numpy": 25.0}
MULTIPLY_ADDS_A_MICROSECOND = {"numba": 40_000.0, "numpy": 15_000.0}
MICROSECONDS_OF_OUTPUTS = 30.0  # they come from the readable core, whatever trains

MOST_PATH_BYTES = 128 * 1024**2
"""Of the thetas that are kept: they lie in SQL, in every checkpoint and with the model."""


@dataclass(frozen=True)
class Limits:
    """What a job may ask for at most."""

    epochs: int
    parameters: int
    memory_bytes: int


def metrics_every(spec: Mapping[str, Any], width: int, parts: Parts) -> int:
    """Every how many epochs metrics are measured, so that they take about a tenth of the time at most.

    It follows from sizes alone, so that the same request becomes the same spec on every machine.
    """
    training, engine = spec["training"], spec["training"]["engine"]
    parameters = nn.Network(network_spec(spec, width)).parameters
    steps = parts.steps(training["batch_size"])
    work = 3 * parts.training * parameters / MULTIPLY_ADDS_A_MICROSECOND[engine]
    epoch = MICROSECONDS_AN_EPOCH + steps * MICROSECONDS_A_STEP[engine] + work
    measured = [rows for rows in (parts.training, parts.held_out) if rows]
    metrics = sum(_metrics(spec, rows) + _outputs(parameters, rows) for rows in measured)
    return min(max(math.ceil(metrics / (METRICS_SHARE * epoch)), 1), int(training["epochs"]))


def _metrics(spec: Mapping[str, Any], rows: int) -> float:
    """Microseconds that the metrics of so many rows take, without the outputs that they are of."""
    if spec["task"] == "regression":
        return 38 + 0.003 * rows
    outputs = spec["network"]["outputs"]
    return float(60 + 2 * max(outputs, 2) + 0.022 * rows * outputs)


def _outputs(parameters: int, rows: int) -> float:
    return MICROSECONDS_OF_OUTPUTS + rows * parameters / MULTIPLY_ADDS_A_MICROSECOND["numpy"]


def of(spec: Mapping[str, Any], width: int, parts: Parts, rows: int, limits: Limits) -> dict[str, Any]:
    """Parameters, memory and steps; `rows` is what the file has. Raises `errors.TooLargeForMemory` with the numbers."""
    training = spec["training"]
    network = nn.Network(network_spec(spec, width))
    encoded, path = _encoded_bytes(spec, width, parts), _path_bytes(training, network)
    memory = encoded + max(_reading_bytes(spec, rows), _training_bytes(training, network, parts)) + 3 * path
    if path > MOST_PATH_BYTES:
        raise errors.TooLargeForMemory(
            f"the path of {network.parameters} parameters would take {path} bytes, and {MOST_PATH_BYTES} are the most: "
            "leave keep_path out, or use fewer units",
            pointer="/training/keep_path",
        )
    if network.parameters > limits.parameters or memory > limits.memory_bytes:
        raise errors.TooLargeForMemory(
            f"{network.parameters} parameters over {parts.training + parts.held_out} rows of {width} inputs need about "
            f"{memory} bytes; a worker has {limits.memory_bytes} and takes {limits.parameters} parameters: use fewer "
            "features, rows or units",
            pointer="/network" if network.parameters > limits.parameters else "/features",
        )
    return {
        "parameters": network.parameters,
        "encoded_features": width,
        "encoded_bytes": encoded,
        "memory_bytes": memory,
        "training_rows": parts.training,
        "validation_rows": parts.held_out,
        "steps_per_epoch": parts.steps(training["batch_size"]),
    }


def _encoded_bytes(spec: Mapping[str, Any], width: int, parts: Parts) -> int:
    """The inputs, the targets, and the weights of the rows."""
    numbers: int = width + spec["network"]["outputs"] + (spec["training"]["sample_weight"] is not None)
    return (parts.training + parts.held_out) * numbers * _itemsize(spec["training"])


def _reading_bytes(spec: Mapping[str, Any], rows: int) -> int:
    """Beside the encoded parts while a table is read: a few raw columns, the targets, and which rows go where."""
    columns = len(spec["features"]) + len(spec["target"])
    held = min(max(MAX_VALUES_IN_MEMORY // max(rows, 1), 1), columns) * rows
    return 8 * (held + 11 * rows)


def _training_bytes(training: Mapping[str, Any], network: nn.Network, parts: Parts) -> int:
    """Beside the encoded parts in training: theta and its kin, the order of the rows, a batch, the outputs measured."""
    size = _itemsize(training)
    optimizer = optimizer_of(training)
    slots = optimizer.slots
    if optimizer.full_batch:  # float64: slots now and as an epoch began, points of a line search; rows a second time
        return 8 * (2 * slots + 10) * network.parameters + 8 * parts.training * (
            network.spec.inputs + 6 * network.outputs
        )
    vectors: int = 2 * (1 + slots) + (1 + slots) + 2  # now, where an epoch began, a checkpoint; the gradient, the best
    units = [network.spec.inputs, *(layer.units for layer in network.spec.layers)]
    lanes = max(parts.batch(training["batch_size"]), 128) * (2 * sum(units) + 2 * max(units))
    orders = 8 * parts.training * (1 + max_chunk_epochs(parts.training))
    measured = (parts.training + parts.held_out) * network.outputs * (size + 3 * 8)
    return size * (vectors * network.layout.size + lanes) + max(orders, measured)


def _path_bytes(training: Mapping[str, Any], network: nn.Network) -> int:
    every = path_every(training)
    snapshots: int = 0 if every is None else training["epochs"] // every + 2
    return snapshots * network.layout.size * _itemsize(training)


def _itemsize(training: Mapping[str, Any]) -> int:
    size: int = np.dtype(training["dtype"]).itemsize
    return size
