"""Partial dependence: a model's output against one of its features, over rows of a table, and on average."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from backpropd import errors
from backpropd.learn.inspection.chosen_output import chosen_output, output_names
from backpropd.learn.inspection.drawn_rows import cost_of_row, draw_rows
from backpropd.learn.inspection.feature_grid import feature_grid, feature_info, has_range
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.model import Model
from backpropd.learn.predictions import probabilities
from backpropd.learn.tables import Source
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo, Table
from backpropd.tabular.inputs.json_rows import JsonRows, parse_columns

ENCODING_COST = 10  # operations that writing an input is worth; to find a level among many takes most of them


def partial_dependence(
    model: Model,
    source: Source,
    feature: str,
    requested: Any = None,
    *,
    points: int,
    rows: int,
    max_operations: int,
    max_cells: int,
) -> dict[str, Any]:
    """`{"class", "values", "mean", "curves"}`: curves[j][i] is the output for row j with the feature at values[i].

    The curves are the individual conditional expectations (Goldstein, Kapelner, Bleich and Pitkin 2015) of `rows` rows
    of `source`, or all, drawn with a fixed seed; `mean` is their mean, the partial dependence (Friedman 2001, Greedy
    Function Approximation, section 8.2). The values are `points` numbers or dates over the column's range in the
    dataset that the model was trained on, or in `source` if an imported model does not know it, both values of a
    boolean, and the levels of a category. The output is
    the probability of the class `requested`, by default the last one, or the value of a regression, of the target
    `requested` if there are several.

    Raises `errors.Invalid` with pointers: for an unknown feature or class, a table that does not fit, more than
    `max_cells` inputs or outputs, and more than `max_operations` (products of a weight and a value, an activation being
    worth fifty).
    """
    info, index = feature_info(model, feature), chosen_output(model, requested)
    index = len(output_names(model)) - 1 if index is None else index
    values = feature_grid(model, _with_range(info, source), points)
    _check_size(model, info, rows, len(values), max_operations, max_cells)
    x, _, table = draw_rows(model, source, rows, np.random.default_rng(0), targets=False)
    curves = np.empty((len(x), len(values)))
    with np.errstate(all="ignore"):
        for point, _ in enumerate(_varied(model, info.name, values, x, table, max_cells)):
            curves[:, point] = _output(model, x, index)
        mean = curves.mean(axis=0)
    has_choice = model.classes is not None or len(model.spec.target) > 1
    return {
        "class": output_names(model)[index] if has_choice else None,
        "values": values,
        "mean": nested_lists(mean),
        "curves": nested_lists(curves),
    }


def _with_range(info: ColumnInfo, source: Source) -> ColumnInfo:
    """The feature, with the range that it has in `source` if the model does not know one."""
    other = source.columns.get(info.name)
    if has_range(info) or other is None or other.kind != info.kind or not has_range(other):
        return info
    return replace(info, statistics={**info.statistics, **{name: other.statistics[name] for name in ("min", "max")}})


def _check_size(model: Model, info: ColumnInfo, rows: int, values: int, max_operations: int, max_cells: int) -> None:
    of_value = ENCODING_COST * model.encoder.of(info.name).width
    if derived := len(model.encoder.derived_from(info.name)):
        of_value += ENCODING_COST * rows * 2 * derived
    if values * (cost_of_row(model) + of_value) > max_operations:
        detail = f"a curve of {values} points takes more than {max_operations} operations"
        if info.kind == "category":
            raise errors.Invalid(f"{detail}: choose a feature with fewer levels", pointer="/feature")
        raise errors.Invalid(f"{detail}: request fewer points", pointer="/points")
    if rows * max(model.encoder.width, values) > max_cells:
        detail = f"{rows} rows have {rows * max(model.encoder.width, values)} inputs or outputs"
        raise errors.Invalid(f"{detail}, and the limit is {max_cells}: request fewer rows", pointer="/rows")
    if values * (rows * cost_of_row(model) + of_value) > max_operations:
        detail = f"{rows} curves of {values} points take more than {max_operations} operations"
        raise errors.Invalid(f"{detail}: request fewer rows or points", pointer="/rows")


def _varied(model: Model, name: str, values: list[Any], x: Array, table: Table, max_cells: int) -> Iterator[None]:
    """Give all rows x (n, width) one of the values after the other; `table` has the columns of derived features."""
    if not model.encoder.derived_from(name):
        for encoded in _encoded(model, name, values, max_cells):
            x[:, model.encoder.places[name]] = encoded
            yield
        return
    for value in values:
        model.encoder.rewrite({**table.columns, name: np.full(len(x), float(value))}, name, x)
        yield


def _encoded(model: Model, name: str, values: list[Any], max_cells: int) -> Iterator[Array]:
    """The feature's inputs (inputs,) for each value. Some values are encoded at a time, `max_cells` numbers at most."""
    table = parse_columns(JsonRows([[value] for value in values], [name]), {name: model.known_columns[name]})
    column, encoder = table.columns[name], model.encoder.of(name)
    count = max(min(len(values), max_cells // encoder.width), 1)
    out = np.empty((count, encoder.width), model.encoder.dtype)
    for start in range(0, len(values), count):
        some = np.arange(start, min(start + count, len(values)))
        encoder.write(column[some], out[: len(some)])
        yield from out[: len(some)]


def _output(model: Model, x: Array, index: int) -> Array:
    h = model.network_outputs(x)
    if model.classes is None:
        h = model.target.decode(h)
    elif not model.spec.is_multi_label:
        h = probabilities(h)
    return h[:, index]
