"""The cost of training a feed-forward network: parameters, memory, steps, and the interval between metrics."""

import math
from typing import Any

import numpy as np

from backpropd import errors, nn
from backpropd.learn.network_kinds.base import TrainableNetwork
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec, FeedforwardTraining
from backpropd.learn.resolve.plan import Context, Limits
from backpropd.learn.resolve.split import Split
from backpropd.nn.training.chunks import max_chunk_epochs
from backpropd.tabular import derived_in
from backpropd.tabular.table import MAX_VALUES_IN_MEMORY

METRICS_SHARE = 0.1  # of the training time, at most, is for metrics

# Microseconds, measured on one thread of a small machine; only their proportions matter.
MICROSECONDS_PER_EPOCH = 8.0
MICROSECONDS_PER_STEP = {"numba": 1.3, "numpy": 25.0}
MULTIPLY_ADDS_PER_MICROSECOND = {"numba": 40_000.0, "numpy": 15_000.0}
MICROSECONDS_PER_EVALUATION = 30.0  # by NumPy, whatever engine trains

MAX_PATH_BYTES = 128 * 1024**2
"""The limit of the path that `keep_path` stores in SQL, in every checkpoint and with the model."""


def metrics_every(spec: FeedforwardSpec, width: int, split: Split) -> int:
    """The interval between metrics, in epochs, so that they take at most about a tenth of the time.

    It follows from sizes alone, so that the same request becomes the same spec on every machine.
    """
    training, engine = spec.training, spec.training.engine
    parameters = spec.build(width).parameters
    work = 3 * split.training * parameters / MULTIPLY_ADDS_PER_MICROSECOND[engine]
    epoch = MICROSECONDS_PER_EPOCH + split.steps(training.batch_size) * MICROSECONDS_PER_STEP[engine] + work
    measured = [rows for rows in (split.training, split.validation) if rows]
    metrics = sum(_metrics_time(spec, parameters, rows) for rows in measured)
    return min(max(math.ceil(metrics / (METRICS_SHARE * epoch)), 1), training.epochs)


def _metrics_time(spec: FeedforwardSpec, parameters: int, rows: int) -> float:
    """Microseconds for the outputs, and for the metrics of the outputs."""
    evaluation = MICROSECONDS_PER_EVALUATION + rows * parameters / MULTIPLY_ADDS_PER_MICROSECOND["numpy"]
    if spec.task == "regression":
        return evaluation + 38 + 0.003 * rows
    outputs = spec.network.outputs
    return evaluation + 60 + 2 * max(outputs, 2) + 0.022 * rows * outputs


def estimate(spec: FeedforwardSpec, width: int, split: Split, context: Context) -> dict[str, Any]:
    """Parameters, memory and steps. Raises `errors.TooLargeForMemory` with the numbers."""
    training, network, limits = spec.training, nn.Network(spec.network_spec(width)), context.limits
    encoded, path = _encoded_bytes(spec, width, split), _path_bytes(training, network)
    stored: dict[str, int] = {}
    model = nn.Network(spec.side_by_side(training.ensemble_size).network_spec(width))
    parameters = model.parameters
    used = max(_reading_bytes(spec, context.table.rows), _training_bytes(training, network, split))
    sets = 2 if training.refit else 1  # a refit has all rows, encoded by encoders of its own
    memory = sets * encoded + max(used, _refit_bytes(spec, network, split)) + 3 * path
    if training.ensemble_size > 1:  # a member has as much besides the first; of the others theta is kept, and copied
        memory += sets * encoded + _refit_bytes(spec, network, split) + 3 * _itemsize(training) * model.layout.size
    if every := training.snapshot_every:
        each = snapshot_bytes(spec, spec.build(width))
        memory += 3 * each  # one snapshot that is made, and those that wait to be written
        stored = {"snapshots": training.epochs // every + 1}
        stored["snapshot_bytes"] = stored["snapshots"] * each
    if path > MAX_PATH_BYTES:
        detail = f"the path would take {path} bytes, and the limit is {MAX_PATH_BYTES}: drop it, or use fewer units"
        raise errors.TooLargeForMemory(detail, pointer="/training/keep_path")
    rows = f"{split.training + split.validation} rows of {width} inputs"
    check_size(parameters, memory, rows, limits, "/network" if parameters > limits.parameters else "/features")
    return {
        "parameters": parameters,
        "encoded_features": width,
        "encoded_bytes": encoded,
        "memory_bytes": memory,
        "training_rows": split.training,
        "validation_rows": split.validation,
        "steps_per_epoch": split.steps(training.batch_size),
        **stored,
    }


def snapshot_bytes(spec: FeedforwardSpec, network: TrainableNetwork) -> int:
    """The bytes of one snapshot: theta, that of the best epoch, the optimizer's vectors, and the path until then."""
    training, size = spec.training, network.layout.size
    optimizer, itemsize = training.optimizer, _itemsize(training)
    slots = optimizer.slots * network.parameters * np.dtype(optimizer.slots_dtype or training.dtype).itemsize
    best = size * itemsize if training.early_stopping and training.early_stopping.restore_best else 0
    path = _path_thetas(training) * size * itemsize
    return size * itemsize + slots + best + path + overhead(network)


def overhead(network: TrainableNetwork) -> int:
    """The bytes of a snapshot besides its arrays, estimated: names, shapes, the state of the generator, a row."""
    return 2_000 + 150 * len(network.layout.shapes)


def check_size(parameters: int, memory: int, table: str, limits: Limits, pointer: str) -> None:
    """Raises `errors.TooLargeForMemory` for a job above the limits; `table` describes the rows in the message."""
    if parameters > limits.parameters or memory > limits.worker_memory_bytes:
        raise errors.TooLargeForMemory(
            f"{parameters} parameters over {table} need about {memory} bytes; the limits are {limits.parameters} "
            f"parameters and {limits.worker_memory_bytes} bytes: use fewer features, rows or units",
            pointer=pointer,
        )


def _encoded_bytes(spec: FeedforwardSpec, width: int, split: Split) -> int:
    """The inputs, the targets, and the weights of the rows."""
    numbers = width + spec.network.outputs + (spec.training.sample_weight is not None)
    return (split.training + split.validation) * numbers * _itemsize(spec.training)


def _reading_bytes(spec: FeedforwardSpec, rows: int) -> int:
    """Besides the encoded sets while a table is read: a few raw columns, the targets, and the indices of both sets.

    A feature is derived from two columns and copied.
    """
    columns = len(spec.columns) + len(spec.target)
    read = min(max(MAX_VALUES_IN_MEMORY // max(rows, 1), 1), columns) * rows
    derived = 4 * rows if derived_in(spec.features) else 0
    return 8 * (read + 11 * rows + derived)


def _training_bytes(training: FeedforwardTraining, network: nn.Network, split: Split) -> int:
    """Besides the encoded sets in training: copies of theta, permutations of the rows, a batch, measured outputs."""
    size, optimizer = _itemsize(training), training.optimizer
    slots = optimizer.slots
    if optimizer.full_batch:  # float64: slots and their snapshot, points of a line search; the rows a second time
        rows_bytes = 8 * split.training * (network.spec.inputs + 6 * network.outputs)
        return 8 * (2 * slots + 10) * network.parameters + rows_bytes
    vectors = 2 * (1 + slots) + (1 + slots) + 2  # current and snapshot, a checkpoint; the gradient, the best theta
    units = [network.spec.inputs, *(layer.units for layer in network.spec.layers)]
    lanes = max(split.batch(training.batch_size), 128) * (2 * sum(units) + 2 * max(units))
    permutations = 8 * split.training * (1 + max_chunk_epochs(split.training))
    measured = (split.training + split.validation) * network.outputs * (size + 3 * 8)
    return size * (vectors * network.layout.size + lanes) + max(permutations, measured)


def _refit_bytes(spec: FeedforwardSpec, network: nn.Network, split: Split) -> int:
    """Besides both encoded sets in a refit: its training, the state before it and the checkpoint of that."""
    if not spec.training.refit:
        return 0
    rows = split._replace(training=split.training + split.validation, validation=0)
    state = _itemsize(spec.training) * (2 + spec.training.optimizer.slots) * network.layout.size
    return _training_bytes(spec.training, network, rows) + 2 * state


def _path_bytes(training: FeedforwardTraining, network: nn.Network) -> int:
    return _path_thetas(training) * network.layout.size * _itemsize(training)


def _path_thetas(training: FeedforwardTraining) -> int:
    return training.epochs // training.path_every + 2 if training.path_every else 0


def _itemsize(training: FeedforwardTraining) -> int:
    return np.dtype(training.dtype).itemsize
