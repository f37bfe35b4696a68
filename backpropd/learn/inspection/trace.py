"""A model's trace for raw rows and raw targets: every number of its forward and backward pass, for JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backpropd import errors, nn
from backpropd.errors import Problem, pointer
from backpropd.learn.data import encode_target
from backpropd.learn.inspection.in_float64 import in_float64
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.model import Model
from backpropd.nn.inspection.trace import LayerTrace, ModelTrace
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo, Table, table_from_json_rows
from backpropd.tabular.table import CategoricalColumn

DEFAULT_RATE = 0.1  # for a model whose optimizer has no learning rate of its own


def trace(
    model: Model,
    rows: Sequence[Any],
    targets: Sequence[Any] | None = None,
    learning_rate: float | None = None,
    *,
    max_numbers: int,
) -> dict[str, Any]:
    """`{"loss", "input", "layers", "update"}` of the model at prediction, in float64 whatever its dtype is.

    `rows` are as for `Model.predict`; `targets` are labels, or values in the target's own unit, one for each row: with
    several targets as objects by name, or arrays in the order of the targets. Without them loss, gradients and update
    are None. The update is by how much one step of plain gradient descent would change each parameter, with the
    `learning_rate` given or else the job's optimizer's.

    Raises `errors.Invalid` with the pointers of everything that is wrong, and for an answer of more than `max_numbers`
    numbers.
    """
    model = in_float64(model)
    network = model.network
    _check_size(network.layout, len(rows), max_numbers)
    x = model.encode(rows)
    y = None if targets is None else encode_target(model.spec, model.target, _target_table(model, targets, len(rows)))
    rate = learning_rate or model.spec.training.learning_rate or DEFAULT_RATE
    tracing = network.trace(model.flat_theta(network.layout), x, y, rate)
    return _to_json(tracing, x, network.activations, rate)


def _check_size(layout: nn.Layout, rows: int, max_numbers: int) -> None:
    weights = [shape for shape in layout.shapes.values() if len(shape) == 2]  # (fan_in, units) of each layer
    of_network, of_row = 2 * layout.size, weights[0][0] + 4 * sum(units for _, units in weights)
    numbers = of_network + rows * of_row
    if numbers > max_numbers:
        size = f"the trace of {rows} rows would have {numbers} numbers, and the limit is {max_numbers}"
        fits = of_network + of_row <= max_numbers
        smaller = "train a model to trace with fewer features, fewer hidden units, or ensemble_size 1"
        raise errors.Invalid(f"{size}: {'send fewer rows' if fits else smaller}", pointer="/rows")


def _target_table(model: Model, targets: Sequence[Any], rows: int) -> Table:
    """The targets as typed columns, none of them missing."""
    if len(targets) != rows:
        raise errors.Invalid(f"got {len(targets)} targets for {rows} rows: send one for each row", pointer="/targets")
    names = model.spec.target
    infos = [ColumnInfo(name, _kind(model), 0, None) for name in names]
    bare = len(names) == 1 and not any(isinstance(target, list | dict) for target in targets)
    cells = [[target] for target in targets] if bare else targets
    if scalars := [n for n, target in enumerate(cells) if not isinstance(target, list | dict)]:
        detail = f"send the targets of a row as an object or an array of {len(names)}: {', '.join(names[:20])}"
        raise errors.Invalid.from_problems([Problem(pointer("targets", n), detail) for n in scalars])
    try:
        table = table_from_json_rows(cells, infos)
    except errors.Invalid as error:
        problems = [Problem(_target_pointer(each.pointer, bare), each.detail) for each in error.problems]
        raise errors.Invalid.from_problems(problems) from error
    if problems := [
        Problem(_target_pointer(pointer("rows", row, name if isinstance(cells[row], dict) else index), bare), detail)
        for index, name in enumerate(names)
        for row, detail in _unknown(model, table.columns[name])
    ]:
        raise errors.Invalid.from_problems(problems)
    return table


def _kind(model: Model) -> str:
    """The kind of the target columns."""
    if model.spec.task == "regression":
        return "number"
    if model.spec.is_multi_label:
        return "boolean"
    return "boolean" if model.target.is_boolean else "category"


def _unknown(model: Model, column: Array | CategoricalColumn) -> list[tuple[int, str]]:
    """The rows whose target is missing or an unknown label, each with a message."""
    if not isinstance(column, CategoricalColumn):
        return [(row, "give a number: a target cannot be missing") for row in np.flatnonzero(np.isnan(column)).tolist()]
    labels = model.target.labels or ["false", "true"]
    listed = ", ".join(labels[:20])
    found = []
    for row, code in enumerate(column.codes.tolist()):
        if code < 0:
            found.append((row, f"give one of the labels, which are: {listed}"))
        elif model.target.labels and model.target.label_of(column.levels[code]) not in labels:
            found.append((row, f"there is no label {column.levels[code][:50]!r}; the labels are: {listed}"))
    return found


def _target_pointer(pointer: str, bare: bool) -> str:
    """The pointer to a target, from that to its cell in rows: a `bare` target is a value, not a row of one cell."""
    _, _, row, *cell = pointer.split("/")
    return "/".join(["", "targets", row, *([] if bare else cell)])


def _to_json(tracing: ModelTrace, x: Array, activations: Sequence[str], learning_rate: float) -> dict[str, Any]:
    layers = [
        {"name": f"layers.{index}", "activation": activation, **_layer(layer)}
        for index, (activation, layer) in enumerate(zip(activations, tracing.layers, strict=True))
    ]
    update = None if tracing.update is None else {"learning_rate": learning_rate, **_by_name(tracing.update)}
    return {"loss": nested_lists(tracing.loss), "input": nested_lists(x), "layers": layers, "update": update}


def _layer(layer: LayerTrace) -> dict[str, Any]:
    values = {"a": layer.a, "h": layer.h} if layer.z is None else {"z": layer.z, "a": layer.a, "h": layer.h}
    return {**_by_name(values), "gradients": None if layer.gradients is None else _by_name(layer.gradients)}


def _by_name(arrays: Mapping[str, Array | None]) -> dict[str, Any]:
    return {name: nested_lists(array) for name, array in arrays.items()}
