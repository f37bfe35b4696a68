"""Explanations of a model's predictions: how much each column contributes to an output, by integrated gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backpropd import errors, nn
from backpropd.errors import Problem
from backpropd.learn.inspection.chosen_output import chosen_output, output_names
from backpropd.learn.inspection.drawn_rows import cost_of_row
from backpropd.learn.inspection.in_float64 import in_float64
from backpropd.learn.inspection.mean_inputs import mean_inputs
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.model import Model
from backpropd.learn.predictions import probabilities
from backpropd.nn.inspection.integrated_gradients import (
    MIN_EVALUATIONS,
    Attributions,
    ScalarOutput,
    integrated_gradients,
)
from backpropd.nn.layout import Array

MAX_EVALUATIONS = 4096  # of a row
MEAN = "mean"


def explain(
    model: Model,
    rows: Sequence[Any],
    requested: Any = None,
    baseline: Any = MEAN,
    *,
    max_operations: int,
    max_numbers: int,
) -> list[dict[str, Any]]:
    """For each row `{"class", "baseline", "output", "attributions": {column: number}, "error"}`.

    `output` is the logit of the class `requested`, else of the predicted one; or the value of a regression, of the
    target `requested` if there are several, not yet clipped if the model clips predictions. The logit of the first of
    two classes is minus that of the second where the network has one output. `baseline` is the same at the baseline:
    "mean" (`mean_inputs`) or a row, an object by column name or an array. The attributions are integrated gradients,
    those of all inputs of a column summed, and add up to output - baseline, up to `error`, which is not negative.

    All of it is computed in float64. The path of a row is evaluated up to 4,096 times, but no more than
    `max_operations` allow, which are products of a weight and a value, an activation being worth fifty. Raises
    `errors.Conflict` for a threshold neuron, `errors.Invalid` with pointers for wrong rows, an unknown class, and
    rows that are too many for the limits.
    """
    network = model.network.differentiable
    if network is None:
        raise errors.Conflict(
            "the output of a threshold neuron is a step function: it has no gradient, and integrated gradients need "
            "one. Request its permutation importance or partial dependence instead"
        )
    evaluations = _evaluations(model, len(rows), max_operations, max_numbers)
    index = chosen_output(model, requested)
    precise = in_float64(model)
    x, start = precise.encode(rows), _baseline(precise, baseline)
    chosen = _predicted(model, x) if index is None else [index] * len(x)
    function = ScalarOutput(
        network, model.flat_theta(network.layout), np.zeros(network.outputs), activated=model.classes is None
    )
    found = (
        integrated_gradients(function.with_weights(_output_weights(model, network, each)), row, start, evaluations)
        for each, row in zip(chosen, x, strict=True)
    )
    return [_to_json(model, each, attributions) for each, attributions in zip(chosen, found, strict=True)]


def _evaluations(model: Model, rows: int, max_operations: int, max_numbers: int) -> int:
    """How often the output of a row may be evaluated."""
    columns = len(model.encoder.columns)
    if rows * columns > max_numbers:
        detail = f"{rows} rows have {rows * columns} attributions, and the limit is {max_numbers}: send fewer rows"
        raise errors.Invalid(detail, pointer="/rows")
    of_one = 2 * cost_of_row(model)  # forward, and back to the inputs
    evaluations = max_operations // (of_one * rows)
    if evaluations < MIN_EVALUATIONS:
        fits = of_one * MIN_EVALUATIONS <= max_operations
        smaller = "send fewer rows" if fits else "train a model to explain with fewer hidden units or features"
        detail = f"explaining {rows} rows takes more than {max_operations} operations: {smaller}"
        raise errors.Invalid(detail, pointer="/rows")
    return min(evaluations, MAX_EVALUATIONS)


def _baseline(model: Model, baseline: Any) -> Array:
    if isinstance(baseline, str):
        return mean_inputs(model)
    try:
        (inputs,) = model.encode([baseline])
    except errors.Invalid as error:
        problems = [Problem("/baseline" + each.pointer.removeprefix("/rows/0"), each.detail) for each in error.problems]
        raise error.from_problems(problems) from error
    return np.asarray(inputs)


def _predicted(model: Model, x: Array) -> list[int]:
    """The index of each row's predicted class, or of the most probable of several targets that are true or false."""
    h = model.network_outputs(x)
    likely: list[int] = (h if model.spec.is_multi_label else probabilities(h)).argmax(axis=1).tolist()
    return likely


def _output_weights(model: Model, network: nn.Network, index: int) -> Array:
    """The weights (outputs,) of the network's outputs in the logit of a class, or in a target's scaled value."""
    weights = np.zeros(network.outputs)
    if network.outputs == 1:
        weights[0] = 1 if index or model.classes is None or model.spec.is_multi_label else -1
    else:
        weights[index] = 1
    return weights


def _to_json(model: Model, index: int, found: Attributions) -> dict[str, Any]:
    names, is_regression = output_names(model), model.classes is None
    scale, offset = (model.target.scale[index], model.target.offset[index]) if is_regression else (1.0, 0.0)
    by_column = _by_column(model, found.attributions * scale)
    has_choice = not is_regression or len(names) > 1
    return {
        "class": names[index] if has_choice else None,
        "baseline": nested_lists(found.baseline * scale + offset),
        "output": nested_lists(found.output * scale + offset),
        "attributions": dict(zip(by_column, nested_lists(np.array([*by_column.values()])), strict=True)),
        "error": nested_lists(found.error * abs(scale)),
    }


def _by_column(model: Model, attributions: Array) -> dict[str, float]:
    """The sum over each column's inputs of attributions (width,); those of a product count for both columns, half each.

    Integrated gradients of a product along a straight path from 0 have the same halves.
    """
    encoder = model.encoder
    found = dict.fromkeys((info.name for info in encoder.column_infos), 0.0)
    for feature, inputs in encoder.places.items():
        columns = encoder.derived[feature].columns if feature in encoder.derived else (feature,)
        for name in columns:
            found[name] += float(attributions[inputs].sum()) / len(columns)
    return found
