"""One row from the inputs up to the outputs, compiled: a call of NumPy for each step would take most of the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Network
from backpropd.nn.kernels.activations import activate
from backpropd.nn.kernels.compilation import compiled_entry_point, kernel_function
from backpropd.nn.kernels.layer_records import records
from backpropd.nn.kernels.layers import normalize
from backpropd.nn.layout import Array


def row_predictor(network: Network, theta: Array) -> Callable[[Array], Array]:
    """A function from a row x (1, inputs) to the outputs h (1, outputs): `network.predict`'s, but for rounding.

    It follows what becomes of `theta` (flat, of the network's dtype), and each call overwrites the outputs of the one
    before: for one thread. Raises `Invalid` if x has another shape.
    """
    layers, size = records(network, lanes=1)
    buffer, scratch = np.zeros(size, theta.dtype), np.empty(2, theta.dtype)
    output = layers[-1]["h"]
    h = buffer[output : output + network.outputs].reshape(1, -1)

    def predict(x: Array) -> Array:
        x = network.rows(x)
        if len(x) != 1:
            raise Invalid(f"x has {len(x)} rows: this predicts one at a time")
        _predict(layers, theta, x, buffer, scratch)
        return h

    return predict


@compiled_entry_point
def _predict(layers: Any, theta: Any, x: Any, buffer: Any, scratch: Any) -> None:
    below = x[0]
    for k in range(layers.size):
        layer = layers[k]
        a = buffer[layer.a : layer.a + layer.fan_out]
        h = buffer[layer.h : layer.h + layer.fan_out]
        _preactivate(layer, theta, below, a)
        if layer.normalization:
            normalize(layer, theta, a, buffer, 1, 1, scratch, False)
        activate(layer.activation, a, h, 1, scratch)
        below = h


@kernel_function
def _preactivate(layer: Any, theta: Any, below: Any, a: Any) -> None:
    """a = h_below W + b: (fan_in,) @ (fan_in, fan_out), four rows of W at a time, as they lie."""
    fan_out = layer.fan_out
    if layer.bias >= 0:
        a[:] = theta[layer.bias : layer.bias + fan_out]
    else:
        a[:] = theta.dtype.type(0)
    weight = theta[layer.weight : layer.weight + layer.fan_in * fan_out]
    whole = layer.fan_in // 4 * 4
    for k in range(0, whole, 4):
        w = weight[k * fan_out : (k + 4) * fan_out]
        x0, x1, x2, x3 = below[k], below[k + 1], below[k + 2], below[k + 3]
        for j in range(fan_out):
            a[j] += x0 * w[j] + x1 * w[fan_out + j] + x2 * w[2 * fan_out + j] + x3 * w[3 * fan_out + j]
    for k in range(whole, layer.fan_in):
        w = weight[k * fan_out : (k + 1) * fan_out]
        for j in range(fan_out):
            a[j] += below[k] * w[j]
