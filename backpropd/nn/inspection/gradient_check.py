"""Gradient checks: backpropagation against finite differences, along random directions or for each parameter."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch, Network, forward
from backpropd.nn.inspection.trace import trace
from backpropd.nn.layout import Array

SMALLEST_SLOPE = 1e-6  # relative errors are relative to this at least


def gradient(network: Network, theta: Array, x: Array, y: Array, weight: Array | None = None) -> Array:
    """The gradient (parameters,) of the mean training loss by backpropagation.

    It is over rows x (n, inputs), targets y and weights (n,). Raises `Invalid` if the shapes do not fit the network.
    """
    return _loss_and_gradient(network, theta, Batch(x, y, weight))[1]


def _loss_and_gradient(network: Network, theta: Array, data: Batch) -> tuple[float, Array]:
    """The training loss and its gradient, with the statistics of the batch, and the same dropout in every call."""
    batch = network.batch(*data)
    out = np.zeros(network.parameters, theta.dtype)
    workspace = network.workspace(theta.copy(), out, len(batch.x))
    return network.loss_and_gradient(workspace, batch, np.random.default_rng(0)), out


def gradient_error(network: Network, theta: Array, data: Batch, rng: np.random.Generator, directions: int = 5) -> float:
    """The `slope_error` of the mean training loss over `data`; 1e-6 or less means that backpropagation is right.

    Raises `Invalid` unless the network is float64.
    """
    if network.spec.dtype != "float64":
        raise Invalid("a gradient check needs float64: in float32, rounding errors exceed the finite differences")
    exact = gradient(network, theta, *data)
    point, running_statistics = np.split(theta, [network.parameters])

    def loss(at: Array) -> float:
        return _loss_and_gradient(network, np.concatenate([at, running_statistics]), data)[0]

    return slope_error(loss, point, exact, rng, directions)


def slope_error(
    function: Callable[[Array], float], point: Array, gradient: Array, rng: np.random.Generator, directions: int = 5
) -> float:
    """The largest relative error, over random unit directions d, of `gradient` · d at `point`, both of one shape.

    The slope along d is measured by the five-point difference of function(point + t d), t = ±ε, ±2ε, whose
    error is of order ε⁴ (Abramowitz and Stegun 1964, table 25.2).
    """
    step, worst = 1e-4, 0.0
    for _ in range(directions):
        direction = rng.standard_normal(point.shape)
        direction /= np.linalg.norm(direction)
        far, near = (function(point + t * direction) - function(point - t * direction) for t in (2 * step, step))
        measured = (8 * near - far) / (12 * step)
        slope = float(np.vdot(gradient, direction))
        worst = max(worst, abs(slope - measured) / max(abs(slope), abs(measured), 1e-8))
    return worst


class GradientComparison(NamedTuple):
    """The gradient of each parameter by backpropagation, by finite differences, and how far apart they are.

    The arrays are (parameters,), in theta's order. `distance` is
    ‖analytic - numeric‖ / max(‖analytic‖, ‖numeric‖, 1e-6).
    """

    loss: float
    analytic: Array
    numeric: Array
    relative_error: Array
    distance: float


@np.errstate(all="ignore")
def compare_gradients(network: Network, theta: Array, x: Array, y: Array, epsilon: float) -> GradientComparison:
    """The gradient of the mean loss over rows x (n, inputs) and targets y in prediction, parameter by parameter.

    All is in float64. The numeric gradient is the central difference (L(θ + ε) - L(θ - ε)) / (θ + ε - (θ - ε)), whose
    error is of order ε² (Nocedal and Wright 2006, Numerical Optimization, section 8.1). The relative error of a
    parameter is |analytic - numeric| / max(|analytic|, |numeric|, 1e-6): below 1e-6 rounding dominates. Raises
    `Invalid` for shapes that do not fit the network.
    """
    traced = trace(network, theta, x, y, learning_rate=1.0)
    assert traced.loss is not None and traced.update is not None  # noqa: S101, PT018 - for the type checker
    analytic = 0.0 - np.concatenate([change.ravel() for change in traced.update.values()])
    network = Network(replace(network.spec, dtype="float64"))  # theta's layout is the same
    numeric = _central_differences(network, theta.astype(np.float64), network.batch(x, y), epsilon)
    difference, *norms = (float(np.linalg.norm(each)) for each in (analytic - numeric, analytic, numeric))
    distance = difference / max(*norms, SMALLEST_SLOPE)
    relative = np.abs(analytic - numeric) / np.maximum(np.maximum(abs(analytic), abs(numeric)), SMALLEST_SLOPE)
    return GradientComparison(traced.loss, analytic, numeric, relative, distance)


def _central_differences(network: Network, theta: Array, batch: Batch, epsilon: float) -> Array:
    slopes, point = np.empty(network.parameters), theta.copy()
    layers = network.layers(point, len(batch.x))  # once: their parameters are views of `point`
    output, scratch = layers[-1], np.empty_like(layers[-1].a)

    def loss() -> float:
        forward(layers, batch.x)
        return network.loss_function.value(output.a, output.h, batch.y, batch.weight, scratch)

    for index in range(network.parameters):
        above, below = theta[index] + epsilon, theta[index] - epsilon
        point[index] = above
        difference = loss()
        point[index] = below
        difference -= loss()
        slopes[index] = difference / (above - below)  # the step that the sums really have
        point[index] = theta[index]
    return slopes
