"""A model's gradient check for raw rows and raw targets, for JSON."""

from collections.abc import Sequence
from typing import Any

from backpropd import errors, nn
from backpropd.learn.inspection.encoded_targets import encode_targets
from backpropd.learn.inspection.in_float64 import in_float64
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.model import Model
from backpropd.nn.inspection.gradient_check import compare_gradients

# In products of BLAS, of which 2e9 take about 3 s: one value of the slowest activation (gelu), and the time in which
# NumPy calls the functions of a layer.
ACTIVATION_COST = 100
LAYER_COST = 10_000
NORMALIZED_LAYER_COST = 40_000


def gradient_check(
    model: Model,
    rows: Sequence[Any],
    targets: Sequence[Any],
    epsilon: float,
    *,
    max_parameters: int,
    max_operations: int,
) -> dict[str, Any]:
    """`{"loss", "epsilon", "relative_error", "largest_relative_error", "parameters"}` of the model at prediction.

    `parameters` has by name `{"analytic", "numeric", "relative_error"}`, each in the parameter's shape: the gradient of
    the mean loss by backpropagation and by central differences of ±`epsilon`, in float64. `relative_error` is that of
    the whole gradient. `rows` and `targets` are as for `trace`.

    Raises `errors.Conflict` for a threshold neuron, and `errors.Invalid` with the pointers of everything that is wrong,
    for more than `max_parameters` parameters, or for more than `max_operations` products of a weight and a value.
    """
    model = in_float64(model)
    network = model.network.differentiable
    if network is None:
        raise errors.Conflict("the loss of a threshold neuron is a step function: it has no gradient to check")
    _check_size(network, len(rows), max_parameters, max_operations)
    x = model.encode(rows)
    y = encode_targets(model, targets, len(rows))
    found = compare_gradients(network, model.flat_theta(network.layout), x, y, epsilon)
    fields = "analytic", "numeric", "relative_error"
    by_field = {field: network.layout.views(getattr(found, field)) for field in fields}
    return {
        "loss": nested_lists(found.loss),
        "epsilon": epsilon,
        "relative_error": nested_lists(found.distance),
        "largest_relative_error": nested_lists(found.relative_error.max()),
        "parameters": {
            name: {field: nested_lists(by_field[field][name]) for field in fields} for name in by_field["analytic"]
        },
    }


def _check_size(network: nn.Network, rows: int, max_parameters: int, max_operations: int) -> None:
    smaller = "train a model to check with fewer features, layers or hidden units, or ensemble_size 1"
    if network.parameters > max_parameters:
        detail = f"the model has {network.parameters} parameters, and the limit of a gradient check is {max_parameters}"
        raise errors.Invalid(f"{detail}: {smaller}", pointer="/rows")
    layers = network.spec.layers
    of_row = network.parameters + ACTIVATION_COST * sum(layer.units for layer in layers)
    fixed = sum(NORMALIZED_LAYER_COST if layer.normalization else LAYER_COST for layer in layers)
    passes = 2 * network.parameters
    operations = passes * (rows * of_row + fixed)
    if operations > max_operations:
        detail = f"a gradient check of {rows} rows takes {operations} operations, and the limit is {max_operations}"
        fits = passes * (of_row + fixed) <= max_operations
        raise errors.Invalid(f"{detail}: {'send fewer rows' if fits else smaller}", pointer="/rows")
