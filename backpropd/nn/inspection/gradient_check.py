"""The proof of a gradient: backpropagation against finite differences along random directions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.layout import Array


def gradient(network: Network, theta: Array, x: Array, y: Array, weight: Array | None = None) -> Array:
    """The gradient (parameters,) of the mean loss in training, by backpropagation.

    Over rows x (n, inputs), targets y and weights (n,). Raises `Invalid` where the shapes do not fit the network.
    """
    return _in_training(network, theta, Batch(x, y, weight))[1]


def _in_training(network: Network, theta: Array, data: Batch) -> tuple[float, Array]:
    """The loss and its gradient, with the batch's statistics and the same draws of dropout every time."""
    batch = network.batch(*data)
    out = np.zeros(network.parameters, theta.dtype)
    workspace = network.workspace(theta.copy(), out, len(batch.x))
    return network.loss_and_gradient(workspace, batch, np.random.default_rng(0)), out


def gradient_error(network: Network, theta: Array, data: Batch, rng: np.random.Generator, directions: int = 5) -> float:
    """The `slope_error` of the mean loss in training over `data`; 1e-6 or less is a proof.

    Raises `Invalid` unless the network is float64.
    """
    if network.spec.dtype != "float64":
        raise Invalid("a gradient check needs float64: finite differences drown in float32's rounding")
    exact = gradient(network, theta, *data)
    remembered = theta[network.parameters :]
    return slope_error(
        lambda at: _in_training(network, np.concatenate([at, remembered]), data)[0],
        theta[: network.parameters],
        exact,
        rng,
        directions,
    )


def slope_error(
    function: Callable[[Array], float],
    point: Array,
    gradient: Array,
    rng: np.random.Generator,
    directions: int = 5,
) -> float:
    """The largest relative error, over random unit directions d, of `gradient` · d at `point`, both of one shape.

    The slope along d is measured by the five-point difference of function(point + t d), t = ±ε, ±2ε, whose
    error is of order ε⁴ (Abramowitz and Stegun 1964, table 25.2).
    """
    step = 1e-4
    worst = 0.0
    for _ in range(directions):
        direction = rng.standard_normal(point.shape)
        direction /= np.linalg.norm(direction)
        far, near = (function(point + t * direction) - function(point - t * direction) for t in (2 * step, step))
        measured = (8 * near - far) / (12 * step)
        slope = float(np.vdot(gradient, direction))
        worst = max(worst, abs(slope - measured) / max(abs(slope), abs(measured), 1e-8))
    return worst
