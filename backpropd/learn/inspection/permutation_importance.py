"""Permutation importance: how much worse a model predicts when the values of one column are shuffled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backpropd import errors
from backpropd.learn.inspection.drawn_rows import cost_of_row, draw_rows
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.model import Model
from backpropd.learn.predictions import probabilities
from backpropd.learn.tables import Source
from backpropd.nn.evaluation import metrics
from backpropd.nn.layout import Array
from backpropd.tabular import Table

MAX_ROWS = 5000
MIN_ROWS = 50
DERIVING_COST = 20  # operations that computing a derived feature is worth


def permutation_importance(
    model: Model, source: Source, *, repeats: int, seed: int, max_operations: int, max_cells: int
) -> dict[str, Any]:
    """`{"metric", "importance": [{"column", "mean", "deviation"}]}`, the largest mean first.

    The importance of a column is the metric of the model's predictions minus that with the column's values shuffled
    among the rows, all its inputs together: the mean over `repeats` shuffles, and their standard deviation (Breiman
    2001, Random Forests, section 10; Fisher, Rudin and Dominici 2019). The metric is `accuracy`, of a regression `r2`;
    of several targets it is their mean.

    It is over rows of `source` that have a target, drawn by the seed: 5,000 or all, but few enough for at most
    `max_operations` (products of a weight and a value, an activation being worth fifty) and `max_cells` inputs. Raises
    `errors.Invalid` where that would leave fewer than 50 rows, and with `/dataset_id` where the table does not fit.
    """
    rows = _max_rows(model, repeats, max_operations, max_cells)
    row_rng, shuffle_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
    x, y, table = draw_rows(model, source, rows, row_rng, targets=True)
    assert y is not None  # noqa: S101 - for the type checker
    whole, found = _score(model, x, y), []
    for info in model.encoder.column_infos:
        column = _Shuffled(model, x, table, info.name)
        drops = whole - column.scores(y, repeats, shuffle_rng)
        found.append((info.name, float(drops.mean()), float(drops.std())))
    found.sort(key=lambda each: -each[1] if np.isfinite(each[1]) else np.inf)
    importance = [
        {"column": name, "mean": nested_lists(mean), "deviation": nested_lists(deviation)}
        for name, mean, deviation in found
    ]
    return {"metric": "r2" if model.spec.task == "regression" else "accuracy", "importance": importance}


def _max_rows(model: Model, repeats: int, max_operations: int, max_cells: int) -> int:
    columns = len(model.encoder.columns)
    of_repeat, width = columns * cost_of_row(model), model.encoder.width
    of_repeat += DERIVING_COST * sum(len(each.columns) for each in model.encoder.derived.values())
    if MIN_ROWS * width > max_cells:
        detail = f"{MIN_ROWS} rows have {MIN_ROWS * width} inputs, and the limit is {max_cells}"
        raise errors.Invalid(f"{detail}: train a model with fewer features or levels")
    rows = min(max_operations // (of_repeat * repeats + 1), max_cells // max(width, 1))
    if rows < MIN_ROWS:
        fits = MIN_ROWS * (of_repeat + 1) <= max_operations
        smaller = "request fewer repeats" if fits else "train a model with fewer features or hidden units"
        detail = f"shuffling {columns} columns of {MIN_ROWS} rows {repeats} times takes more than the limit"
        raise errors.Invalid(f"{detail} of {max_operations} operations: {smaller}", pointer="/repeats")
    return min(rows, MAX_ROWS)


class _Shuffled(NamedTuple):
    """The inputs x (n, width) of rows, whose column `name` is shuffled; `table` has the columns of derived features."""

    model: Model
    x: Array
    table: Table
    name: str

    def scores(self, y: Array, repeats: int, rng: np.random.Generator) -> Array:
        """The metric (repeats,) with the column shuffled; x is the same afterwards."""
        encoder, scores = self.model.encoder, np.empty(repeats)
        features = [self.name, *(each.name for each in encoder.derived_from(self.name))]
        places = [encoder.places[feature] for feature in features if feature in encoder.places]
        originals = [self.x[:, inputs].copy() for inputs in places]
        for repeat in range(repeats):
            order = rng.permutation(len(self.x))
            if self.name in self.table.columns:
                shuffled = {**self.table.columns, self.name: self.table.columns[self.name][order]}
                encoder.rewrite(shuffled, self.name, self.x)
            else:
                self.x[:, places[0]] = originals[0][order]
            scores[repeat] = _score(self.model, self.x, y)
        for inputs, original in zip(places, originals, strict=True):
            self.x[:, inputs] = original
        return scores


@np.errstate(all="ignore")
def _score(model: Model, x: Array, y: Array) -> float:
    """The accuracy of the predictions for x (n, width), or the r2 of a regression."""
    h = model.network_outputs(x)
    if model.spec.is_multi_label:
        return float(((h >= 0.5) == (y >= 0.5)).mean())
    if model.target.labels is not None:
        return float((probabilities(h).argmax(axis=1) == y).mean())
    return metrics.regression(model.target.decode(h), model.target.values(y))["r2"]
