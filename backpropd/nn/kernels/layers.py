"""Layers forwards and backwards, compiled; the twins of `nn.layers` and `nn.normalization`.

Values are (units, lanes): a unit's lanes, the rows of the batch, lie side by side. Small products are loops, because
a call of BLAS costs more than they do; all others go to BLAS, which takes the first layer's inputs row by row, as they
are copied from the data. Lanes beyond the rows hold finite numbers that nobody reads: their gradients are zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backpropd.nn.kernels.activations import activate, differentiate
from backpropd.nn.kernels.compile import part

BATCH, LAYER_WISE = 1, 2
NORMALIZATIONS = {None: 0, "batch": BATCH, "layer": LAYER_WISE}
EPSILON = 1e-5
MEMORY = 0.1

SMALL = 768
"""How many multiplications are as quick in a loop as in BLAS: `python -m bench.products` measures it."""


@part
def forward(
    layers: Any, theta: Any, x: Any, buffer: Any, lanes: int, rows: int, scratch: Any, rng: Any, training: bool
) -> None:
    """From the inputs x up to the outputs; in training with batch statistics and dropout."""
    below = x
    for k in range(layers.size):
        layer = layers[k]
        size = layer.fan_out * lanes
        a = buffer[layer.a : layer.a + size]
        h = buffer[layer.h : layer.h + size]
        _preactivate(layer, theta, below, a, lanes)
        if layer.normalization:
            _normalize(layer, theta, a, buffer, lanes, rows, scratch, training)
        activate(layer.activation, a, h, lanes, scratch)
        below = h
        if training and layer.dropout > 0:
            below = buffer[layer.output : layer.output + size]
            _drop(layer.dropout, h, buffer[layer.mask : layer.mask + size], below, lanes, rows, rng)


@part
def backward(
    layers: Any, theta: Any, x: Any, buffer: Any, above: Any, below: Any, gradient: Any, lanes: int, rows: int,
    scratch: Any,
) -> None:  # fmt: skip
    """Stages two to four of backpropagation, from the gradient at the output layer's a, which lies in `above`.

    `above` and `below` are working space for (units, lanes) numbers of the widest layer; both are used up.
    """
    for k in range(layers.size - 1, -1, -1):
        layer = layers[k]
        at_a = above[: layer.fan_out * lanes]
        if layer.normalization:
            _denormalize(layer, theta, gradient, at_a, buffer, lanes, rows, scratch)
        if k == 0:
            _parameter_gradients(layer, x, at_a, gradient, lanes)
            return
        beneath = layers[k - 1]
        size = beneath.fan_out * lanes
        _parameter_gradients(layer, buffer[beneath.output : beneath.output + size], at_a, gradient, lanes)
        at_h = below[:size]
        _activation_gradient(layer, theta, at_a, at_h, lanes)
        if beneath.dropout > 0:
            mask = buffer[beneath.mask : beneath.mask + size]
            for i in range(size):
                at_h[i] *= mask[i]
        a, h = buffer[beneath.a : beneath.a + size], buffer[beneath.h : beneath.h + size]
        differentiate(beneath.activation, a, h, at_h, lanes, scratch)
        above, below = below, above


@part
def _preactivate(layer: Any, theta: Any, below: Any, a: Any, lanes: int) -> None:
    """a = Wᵀ h_below + b: (fan_in, fan_out)ᵀ @ (fan_in, lanes)."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = theta[layer.weight : layer.weight + fan_in * fan_out]
    if layer.by_rows or fan_in * fan_out * lanes > SMALL:
        if layer.by_rows:
            np.dot(weight.reshape(fan_in, fan_out).T, below.reshape(lanes, fan_in).T, a.reshape(fan_out, lanes))
        else:
            np.dot(weight.reshape(fan_in, fan_out).T, below.reshape(fan_in, lanes), a.reshape(fan_out, lanes))
        if layer.bias >= 0:
            bias = theta[layer.bias : layer.bias + fan_out]
            for j in range(fan_out):
                for i in range(lanes):
                    a[j * lanes + i] += bias[j]
        return
    for j in range(fan_out):
        start = theta[layer.bias + j] if layer.bias >= 0 else theta.dtype.type(0)
        for i in range(lanes):
            a[j * lanes + i] = start
        for k in range(fan_in):
            w = weight[k * fan_out + j]
            for i in range(lanes):
                a[j * lanes + i] += w * below[k * lanes + i]


@part
def _parameter_gradients(layer: Any, below: Any, at_a: Any, gradient: Any, lanes: int) -> None:
    """∂L/∂W = h_below ∂L/∂aᵀ: (fan_in, lanes) @ (fan_out, lanes)ᵀ, and ∂L/∂b its sum over the lanes."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = gradient[layer.weight : layer.weight + fan_in * fan_out]
    if layer.by_rows:
        np.dot(below.reshape(lanes, fan_in).T, at_a.reshape(fan_out, lanes).T, weight.reshape(fan_in, fan_out))
    elif fan_in * fan_out * lanes > SMALL:
        np.dot(below.reshape(fan_in, lanes), at_a.reshape(fan_out, lanes).T, weight.reshape(fan_in, fan_out))
    else:
        for k in range(fan_in):
            for j in range(fan_out):
                total = at_a.dtype.type(0)
                for i in range(lanes):
                    total += below[k * lanes + i] * at_a[j * lanes + i]
                weight[k * fan_out + j] = total
    if layer.bias >= 0:
        for j in range(fan_out):
            total = at_a.dtype.type(0)
            for i in range(lanes):
                total += at_a[j * lanes + i]
            gradient[layer.bias + j] = total


@part
def _activation_gradient(layer: Any, theta: Any, at_a: Any, at_h: Any, lanes: int) -> None:
    """∂L/∂h_below = W ∂L/∂a: (fan_in, fan_out) @ (fan_out, lanes)."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = theta[layer.weight : layer.weight + fan_in * fan_out]
    if fan_in * fan_out * lanes > SMALL:
        np.dot(weight.reshape(fan_in, fan_out), at_a.reshape(fan_out, lanes), at_h.reshape(fan_in, lanes))
        return
    for k in range(fan_in):
        for i in range(lanes):
            at_h[k * lanes + i] = theta.dtype.type(0)
        for j in range(fan_out):
            w = weight[k * fan_out + j]
            for i in range(lanes):
                at_h[k * lanes + i] += w * at_a[j * lanes + i]


@part
def _drop(rate: float, h: Any, mask: Any, output: Any, lanes: int, rows: int, rng: Any) -> None:
    """Each value is dropped or scaled up, drawn row by row, as the reference draws."""
    kept = h.dtype.type(1 / (1 - rate))
    units = h.size // lanes
    for i in range(rows):
        for j in range(units):
            mask[j * lanes + i] = h.dtype.type(0) if rng.random() < rate else kept
    for i in range(h.size):
        output[i] = h[i] * mask[i]


@part
def _normalize(
    layer: Any, theta: Any, a: Any, buffer: Any, lanes: int, rows: int, scratch: Any, training: bool
) -> None:
    """Take off the mean, divide by the deviation, then scale and shift; in place."""
    units = layer.fan_out
    normalized = buffer[layer.normalized : layer.normalized + a.size]
    if layer.normalization == LAYER_WISE:
        _standardize_rows(a, normalized, buffer[layer.inverse_std : layer.inverse_std + lanes], lanes, scratch)
    else:
        running = theta[layer.running : layer.running + 2 * units]
        inverse_std = buffer[layer.inverse_std : layer.inverse_std + units]
        _standardize_units(a, normalized, inverse_std, running, lanes, rows, training)
    for j in range(units):
        scale, shift = theta[layer.scale + j], theta[layer.scale + units + j]
        for i in range(j * lanes, (j + 1) * lanes):
            a[i] = normalized[i] * scale + shift


@part
def _standardize_units(
    a: Any, normalized: Any, inverse_std: Any, running: Any, lanes: int, rows: int, training: bool
) -> None:
    """Each unit over the batch, or with the statistics it remembers: `running`, means and then variances."""
    T = a.dtype.type
    units = inverse_std.size
    memory, count = T(MEMORY), T(rows)
    unbiased = T(rows / max(rows - 1, 1))
    for j in range(units):
        row, out = a[j * lanes : (j + 1) * lanes], normalized[j * lanes : (j + 1) * lanes]
        mean, variance = running[j], running[units + j]
        if training:
            mean = row[:rows].sum() / count
            variance = T(0)
            for i in range(rows):
                variance += (row[i] - mean) * (row[i] - mean)
            variance /= count
            running[j] += memory * (mean - running[j])
            running[units + j] += memory * (variance * unbiased - running[units + j])
        inverse_std[j] = T(1) / np.sqrt(variance + T(EPSILON))
        for i in range(lanes):
            out[i] = (row[i] - mean) * inverse_std[j]


@part
def _standardize_rows(a: Any, normalized: Any, inverse_std: Any, lanes: int, scratch: Any) -> None:
    """Each row over its units."""
    T = a.dtype.type
    mean, units = scratch[:lanes], T(a.size // lanes)
    mean[:] = T(0)
    inverse_std[:] = T(0)
    for k in range(0, a.size, lanes):
        for i in range(lanes):
            mean[i] += a[k + i] / units
    for k in range(0, a.size, lanes):
        for i in range(lanes):
            inverse_std[i] += (a[k + i] - mean[i]) * (a[k + i] - mean[i]) / units
    for i in range(lanes):
        inverse_std[i] = T(1) / np.sqrt(inverse_std[i] + T(EPSILON))
    for k in range(0, a.size, lanes):
        for i in range(lanes):
            normalized[k + i] = (a[k + i] - mean[i]) * inverse_std[i]


@part
def _denormalize(
    layer: Any, theta: Any, gradient: Any, at_a: Any, buffer: Any, lanes: int, rows: int, scratch: Any
) -> None:
    """The gradient behind scale and shift becomes, in place, that before normalization (Ioffe and Szegedy 2015)."""
    units = layer.fan_out
    normalized = buffer[layer.normalized : layer.normalized + at_a.size]
    for j in range(units):
        of_scale = of_shift = at_a.dtype.type(0)
        for i in range(j * lanes, (j + 1) * lanes):
            of_scale += at_a[i] * normalized[i]
            of_shift += at_a[i]
        gradient[layer.scale + j] = of_scale
        gradient[layer.scale + units + j] = of_shift
        scale = theta[layer.scale + j]
        for i in range(j * lanes, (j + 1) * lanes):
            at_a[i] *= scale
    if layer.normalization == LAYER_WISE:
        _destandardize_rows(at_a, normalized, buffer[layer.inverse_std : layer.inverse_std + lanes], lanes, scratch)
        return
    for j in range(units):
        _destandardize_unit(at_a[j * lanes :], normalized[j * lanes :], buffer[layer.inverse_std + j], rows)


@part
def _destandardize_unit(at_a: Any, normalized: Any, inverse_std: Any, rows: int) -> None:
    T = at_a.dtype.type
    mean = along = T(0)
    for i in range(rows):
        mean += at_a[i]
        along += at_a[i] * normalized[i]
    mean /= T(rows)
    along /= T(rows)
    for i in range(rows):
        at_a[i] = (at_a[i] - mean - normalized[i] * along) * inverse_std


@part
def _destandardize_rows(at_a: Any, normalized: Any, inverse_std: Any, lanes: int, scratch: Any) -> None:
    T = at_a.dtype.type
    mean, along, units = scratch[:lanes], scratch[lanes : 2 * lanes], T(at_a.size // lanes)
    mean[:] = T(0)
    along[:] = T(0)
    for k in range(0, at_a.size, lanes):
        for i in range(lanes):
            mean[i] += at_a[k + i] / units
            along[i] += at_a[k + i] * normalized[k + i] / units
    for k in range(0, at_a.size, lanes):
        for i in range(lanes):
            at_a[k + i] = (at_a[k + i] - mean[i] - normalized[k + i] * along[i]) * inverse_std[i]
