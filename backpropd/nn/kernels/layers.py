"""Layers forwards and backwards, compiled; the twins of `nn.layers` and `nn.normalization`.

Values are (units, lanes): a unit's lanes, the rows of the batch, lie side by side. Lanes beyond the rows hold finite
numbers that nobody reads: their gradients are zero.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from backpropd.nn.feedforward.normalization import EPSILON, MOMENTUM, NormalizationKind
from backpropd.nn.kernels.activations import activate, differentiate
from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.matmul.gemm import gemm

NORMALIZATIONS = {None: 0} | {kind: code for code, kind in enumerate(get_args(NormalizationKind), 1)}
BATCH, LAYER_WISE = NORMALIZATIONS["batch"], NORMALIZATIONS["layer"]

SMALL = 384
"""How many multiplications are as quick in a loop as in tiles: `python -m bench.products` measures it."""
FEW = 2
"""Units that are quicker in a loop, however many multiplications they take."""


@kernel_function
def forward(
    layers: Any, theta: Any, x: Any, buffer: Any, lanes: int, rows: int, scratch: Any, panel: Any, rng: Any,
    training: bool,
) -> None:  # fmt: skip
    """From the inputs x up to the outputs; in training with batch statistics and dropout."""
    below = x
    for k in range(layers.size):
        layer = layers[k]
        size = layer.fan_out * lanes
        a = buffer[layer.a : layer.a + size]
        h = buffer[layer.h : layer.h + size]
        _preactivate(layer, theta, below, a, lanes, panel)
        if layer.normalization:
            normalize(layer, theta, a, buffer, lanes, rows, scratch, training)
        activate(layer.activation, a, h, lanes, scratch)
        below = h
        if training and layer.dropout > 0:
            below = buffer[layer.output : layer.output + size]
            _drop(layer.dropout, h, buffer[layer.mask : layer.mask + size], below, lanes, rows, rng)


@kernel_function
def backward(
    layers: Any, theta: Any, x: Any, buffer: Any, above: Any, below: Any, gradient: Any, lanes: int, rows: int,
    scratch: Any, panel: Any,
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
            _parameter_gradients(layer, x, at_a, gradient, lanes, panel)
            return
        beneath = layers[k - 1]
        size = beneath.fan_out * lanes
        _parameter_gradients(layer, buffer[beneath.output : beneath.output + size], at_a, gradient, lanes, panel)
        at_h = below[:size]
        _activation_gradient(layer, theta, at_a, at_h, lanes, panel)
        if beneath.dropout > 0:
            mask = buffer[beneath.mask : beneath.mask + size]
            for i in range(size):
                at_h[i] *= mask[i]
        a, h = buffer[beneath.a : beneath.a + size], buffer[beneath.h : beneath.h + size]
        differentiate(beneath.activation, a, h, at_h, lanes, scratch)
        above, below = below, above


@kernel_function
def _in_tiles(layer: Any, lanes: int) -> bool:
    """Whether the layer's products are quicker in tiles than in a loop."""
    tiled: bool = layer.fan_out > FEW and layer.fan_in * layer.fan_out * lanes > SMALL
    return tiled


@kernel_function
def _preactivate(layer: Any, theta: Any, below: Any, a: Any, lanes: int, panel: Any) -> None:
    """a = Wᵀ h_below + b: (fan_in, fan_out)ᵀ @ (fan_in, lanes)."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = theta[layer.weight : layer.weight + fan_in * fan_out]
    for j in range(fan_out):
        start = theta[layer.bias + j] if layer.bias >= 0 else theta.dtype.type(0)
        a[j * lanes : (j + 1) * lanes] = start
    if _in_tiles(layer, lanes):
        gemm(weight, below, a, fan_out, lanes, fan_in, True, False, True, panel)
        return
    for j in range(fan_out):
        for k in range(fan_in):
            w = weight[k * fan_out + j]
            for i in range(lanes):
                a[j * lanes + i] += w * below[k * lanes + i]


@kernel_function
def _parameter_gradients(layer: Any, below: Any, at_a: Any, gradient: Any, lanes: int, panel: Any) -> None:
    """∂L/∂W = h_below ∂L/∂aᵀ: (fan_in, lanes) @ (fan_out, lanes)ᵀ, and ∂L/∂b its sum over the lanes."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = gradient[layer.weight : layer.weight + fan_in * fan_out]
    if _in_tiles(layer, lanes):
        gemm(below, at_a, weight, fan_in, fan_out, lanes, False, True, False, panel)
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


@kernel_function
def _activation_gradient(layer: Any, theta: Any, at_a: Any, at_h: Any, lanes: int, panel: Any) -> None:
    """∂L/∂h_below = W ∂L/∂a: (fan_in, fan_out) @ (fan_out, lanes)."""
    fan_in, fan_out = layer.fan_in, layer.fan_out
    weight = theta[layer.weight : layer.weight + fan_in * fan_out]
    if _in_tiles(layer, lanes):
        gemm(weight, at_a, at_h, fan_in, lanes, fan_out, False, False, False, panel)
        return
    for k in range(fan_in):
        at_h[k * lanes : (k + 1) * lanes] = theta.dtype.type(0)
        for j in range(fan_out):
            w = weight[k * fan_out + j]
            for i in range(lanes):
                at_h[k * lanes + i] += w * at_a[j * lanes + i]


@kernel_function
def _drop(rate: float, h: Any, mask: Any, output: Any, lanes: int, rows: int, rng: Any) -> None:
    """Each value is dropped or scaled up, drawn row by row, as the reference draws."""
    kept = h.dtype.type(1 / (1 - rate))
    units = h.size // lanes
    for i in range(rows):
        for j in range(units):
            mask[j * lanes + i] = h.dtype.type(0) if rng.random() < rate else kept
    for i in range(h.size):
        output[i] = h[i] * mask[i]


@kernel_function
def normalize(layer: Any, theta: Any, a: Any, buffer: Any, lanes: int, rows: int, scratch: Any, training: bool) -> None:
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


@kernel_function
def _standardize_units(
    a: Any, normalized: Any, inverse_std: Any, running: Any, lanes: int, rows: int, training: bool
) -> None:
    """Each unit over the batch, or with the statistics it remembers: `running`, means and then variances."""
    T = a.dtype.type
    units = inverse_std.size
    momentum, count = T(MOMENTUM), T(rows)
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
            running[j] += momentum * (mean - running[j])
            running[units + j] += momentum * (variance * unbiased - running[units + j])
        inverse_std[j] = T(1) / np.sqrt(variance + T(EPSILON))
        for i in range(lanes):
            out[i] = (row[i] - mean) * inverse_std[j]


@kernel_function
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


@kernel_function
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


@kernel_function
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


@kernel_function
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
