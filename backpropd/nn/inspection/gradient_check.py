"""Gradient checks: backpropagation against finite differences along random directions."""

from collections.abc import Callable

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.layout import Array


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
