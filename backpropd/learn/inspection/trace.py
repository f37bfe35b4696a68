"""A model's trace for raw rows and raw targets: every number of its forward and backward pass, for JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from backpropd import errors, nn
from backpropd.learn.inspection.encoded_targets import encode_targets
from backpropd.learn.inspection.in_float64 import in_float64
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.inspection.steps import steps
from backpropd.learn.inspection.trace_step import Step
from backpropd.learn.model import Model
from backpropd.nn.inspection.trace import LayerTrace, ModelTrace
from backpropd.nn.layout import Array

DEFAULT_RATE = 0.1  # for a model whose optimizer has no learning rate of its own


def trace(
    model: Model,
    rows: Sequence[Any],
    targets: Sequence[Any] | None = None,
    learning_rate: float | None = None,
    *,
    max_numbers: int,
) -> dict[str, Any]:
    """`{"loss", "input", "layers", "update", "formulas"}` of the model at prediction, in float64 whatever its dtype is.

    `rows` are as for `Model.predict`; `targets` are labels, or values in the target's own unit, one for each row: with
    several targets as objects by name, or arrays in the order of the targets. Without them loss, gradients and update
    are None. The update is by how much one step of plain gradient descent would change each parameter, with the
    `learning_rate` given or else the job's optimizer's. `formulas`, here and in each layer, has the formula of each
    value in LaTeX under the value's name, see `steps`.

    Raises `errors.Invalid` with the pointers of everything that is wrong, and for an answer of more than `max_numbers`
    numbers.
    """
    model = in_float64(model)
    network = model.network
    _check_size(network.layout, len(rows), max_numbers)
    x = model.encode(rows)
    y = None if targets is None else encode_targets(model, targets, len(rows))
    rate = learning_rate or model.spec.training.learning_rate or DEFAULT_RATE
    tracing = network.trace(model.flat_theta(network.layout), x, y, rate)
    return _with_formulas(_to_json(tracing, x, network.activations, rate), steps(model))


def _check_size(layout: nn.Layout, rows: int, max_numbers: int) -> None:
    weights = [shape for shape in layout.shapes.values() if len(shape) == 2]  # (fan_in, units) of each layer
    of_network, of_row = 2 * layout.size, weights[0][0] + 4 * sum(units for _, units in weights)
    numbers = of_network + rows * of_row
    if numbers > max_numbers:
        size = f"the trace of {rows} rows would have {numbers} numbers, and the limit is {max_numbers}"
        fits = of_network + of_row <= max_numbers
        smaller = "train a model to trace with fewer features, fewer hidden units, or ensemble_size 1"
        raise errors.Invalid(f"{size}: {'send fewer rows' if fits else smaller}", pointer="/rows")


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


def _with_formulas(traced: dict[str, Any], steps: Sequence[Step]) -> dict[str, Any]:
    """The trace with the formula of each of its values; None where it has none."""
    formulas: dict[str | int, Any] = {}
    for step in steps:
        *above, name = step.path
        place = formulas
        for part in above:
            place = place.setdefault(part, {})
        place[name] = step.formula
    for index, layer in enumerate(traced["layers"]):
        of_layer = formulas["layers"][index]
        layer["formulas"] = of_layer | {"gradients": layer["gradients"] and of_layer["gradients"]}
    named = {name: traced[name] if traced[name] is None else formulas[name] for name in ("loss", "update")}
    return {**traced, "formulas": {"input": formulas["input"], **named}}
