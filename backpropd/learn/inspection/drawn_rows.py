"""Rows of a stored table that a model can take, drawn at random and encoded as in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from backpropd import errors
from backpropd.errors import Problem
from backpropd.learn.inspection.loss_surface import ACTIVATION_COST
from backpropd.learn.model import Model
from backpropd.learn.resolve.columns import check_columns_fit
from backpropd.learn.tables import Source, is_boolean
from backpropd.nn.layout import Array
from backpropd.tabular import Table

POINTER = "/dataset_id"


class DrawnRows(NamedTuple):
    """Encoded rows x (n, width), and their targets as the encoder has them: class indices (n,), or (n, targets).

    `table` has the columns of these rows from which features are derived.
    """

    x: Array
    y: Array | None
    table: Table


def cost_of_row(model: Model) -> int:
    """The operations of a prediction for one row: products of a weight and a value, an activation being worth fifty."""
    layout = model.network.layout
    units = sum(shape[1] for shape in layout.shapes.values() if len(shape) == 2)
    return layout.size + ACTIVATION_COST * units


def draw_rows(model: Model, source: Source, count: int, rng: np.random.Generator, *, targets: bool) -> DrawnRows:
    """`count` rows, or all if there are fewer; with `targets` only such that have them.

    Raises `errors.Invalid` with the pointer `/dataset_id` where the table does not fit the model, and
    `errors.EmptyDataset` where it has no such row.
    """
    with _at_dataset():
        source = source.with_kinds(model.spec.kinds)
    names = list(model.spec.target) if targets else []
    _check_columns(model, source, names)
    features = [info.name for info in model.encoder.column_infos]
    table = source.read([*names, *features])
    rows = table.complete_rows(names)
    if not len(rows):
        detail = "the dataset has no row with a target" if targets else "the dataset has no rows"
        raise errors.EmptyDataset(f"{detail}: choose another", pointer=POINTER)
    drawn = rows[np.sort(rng.choice(len(rows), min(count, len(rows)), replace=False, shuffle=False))]
    if model.spec.network.takes_booleans:
        _check_booleans(model, table.take(drawn, features))
    (x,) = model.encoder.transform_subsets(table, [drawn])
    with _at_dataset():
        y = model.target.encode(table.take(drawn, names)) if targets else None
    return DrawnRows(x, y, table.take(drawn, [name for name in features if model.encoder.derived_from(name)]))


def _check_columns(model: Model, source: Source, targets: Sequence[str]) -> None:
    known = {info.name: info for info in model.encoder.column_infos}
    check_columns_fit(list(known), known, source.columns, POINTER, "the dataset")
    for name in targets:
        if name not in source.columns:
            raise errors.UnknownColumn(f"the dataset has no target {name!r}: choose one that has", pointer=POINTER)
        info = source.columns[name]
        if model.spec.is_multi_label and not is_boolean(info):
            raise errors.Invalid(f"the target {name!r} is not boolean, nor 0 and 1, in the dataset", pointer=POINTER)
        if model.spec.task == "regression" and info.kind not in ("number", "boolean", "date"):
            raise errors.Invalid(f"the target {name!r} holds no numbers in the dataset", pointer=POINTER)


def _check_booleans(model: Model, table: Table) -> None:
    for name, wrong, detail in model.wrong_booleans(table):
        if len(wrong):
            raise errors.Invalid(f"the column {name!r} of the dataset has other values: {detail}", pointer=POINTER)


@contextmanager
def _at_dataset() -> Iterator[None]:
    """Give `errors.Invalid` the pointer of the dataset."""
    try:
        yield
    except errors.Invalid as error:
        details = [each.detail for each in error.problems] or [error.detail]
        raise error.from_problems([Problem(POINTER, detail) for detail in details]) from error
