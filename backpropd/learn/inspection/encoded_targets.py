"""The targets of a request as the arrays that a model's inspection takes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.learn.data import encode_target
from backpropd.learn.model import Model
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo, Table, table_from_json_rows
from backpropd.tabular.table import CategoricalColumn


def encode_targets(model: Model, targets: Sequence[Any], rows: int) -> Array:
    """The targets of this many rows as the network's loss takes them.

    They are labels, or values in the target's own unit, one for each row: with several targets as objects by name, or
    arrays in the order of the targets. Raises `errors.Invalid` with the pointers of everything that is wrong.
    """
    return encode_target(model.spec, model.target, _target_table(model, targets, rows))


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
