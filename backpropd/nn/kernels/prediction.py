"""Prediction of one row, compiled: for a single row the overhead of NumPy's calls exceeds the arithmetic."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Network
from backpropd.nn.kernels.activations import activate
from backpropd.nn.kernels.arguments import layer_records
from backpropd.nn.kernels.compilation import compiled_entry_point, kernel_function
from backpropd.nn.kernels.layers import scale_inputs
from backpropd.nn.kernels.normalization import normalize
from backpropd.nn.layout import Array


def row_predictor(network: Network, theta: Array) -> Callable[[Array], Array]:
    """A function from a row x (1, inputs) to the outputs h (1, outputs), as `network.predict` but for rounding.

    Each call reads `theta` (flat, of the network's dtype) and overwrites the outputs of the previous call, so that it
    serves one thread. It raises `Invalid` if x has another shape.
    """
    layers, size = layer_records(network, lanes=1)
    values, scratch = np.zeros(size, theta.dtype), np.empty(2, theta.dtype)
    output = layers[-1]["h"]
    h = values[output : output + network.outputs].reshape(1, -1)

    def predict(x: Array) -> Array:
        x = network.rows(x)
        if len(x) != 1:
            raise Invalid(f"x has {len(x)} rows; a row predictor takes exactly one")
        _predict(layers, theta, x, values, scratch)
        return h

    return predict


@compiled_entry_point
def _predict(layers: Any, theta: Any, x: Any, values: Any, scratch: Any) -> None:
    h_below = x[0]
    for k in range(layers.size):
        layer = layers[k]
        a, h = values[layer.a : layer.a + layer.fan_out], values[layer.h : layer.h + layer.fan_out]
        if layer.input_scale >= 0:
            scaled = values[layer.inputs : layer.inputs + layer.fan_in]
            scale_inputs(theta[layer.input_scale : layer.input_scale + layer.fan_in], h_below, scaled, 1)
            h_below = scaled
        _preactivate(layer, theta, h_below, a)
        if layer.normalization:
            normalize(layer, theta, a, values, 1, 1, scratch, False)
        activate(layer.activation, a, h, 1, scratch)
        h_below = h


@kernel_function
def _preactivate(layer: Any, theta: Any, h_below: Any, a: Any) -> None:
    """a = h_below W + b: (fan_in,) @ (fan_in, fan_out), four rows of W at a time."""
    fan_out = layer.fan_out
    for j in range(fan_out):
        a[j] = theta[layer.bias + j] if layer.bias >= 0 else theta.dtype.type(0)
    weight = theta[layer.weight : layer.weight + layer.fan_in * fan_out]
    unrolled = layer.fan_in // 4 * 4
    for k in range(0, unrolled, 4):
        w = weight[k * fan_out : (k + 4) * fan_out]
        x0, x1, x2, x3 = h_below[k], h_below[k + 1], h_below[k + 2], h_below[k + 3]
        for j in range(fan_out):
            a[j] += x0 * w[j] + x1 * w[fan_out + j] + x2 * w[2 * fan_out + j] + x3 * w[3 * fan_out + j]
    for k in range(unrolled, layer.fan_in):
        w = weight[k * fan_out : (k + 1) * fan_out]
        for j in range(fan_out):
            a[j] += h_below[k] * w[j]
