"""Batch and layer normalization, compiled: the twins of `nn.feedforward.normalization`, whose formulas these are."""

from typing import Any, get_args

import numpy as np

from backpropd.nn.feedforward.normalization import EPSILON, MOMENTUM, NormalizationKind
from backpropd.nn.kernels.compilation import kernel_function

CODES = {None: 0} | {kind: code for code, kind in enumerate(get_args(NormalizationKind), 1)}
LAYER_NORM = CODES["layer"]


@kernel_function
def normalize(layer: Any, theta: Any, a: Any, values: Any, lanes: int, rows: int, scratch: Any, training: bool) -> None:
    """a (units, lanes) becomes γ (a - mean) / √(variance + ε) + β, in place."""
    units = layer.fan_out
    normalized = values[layer.normalized : layer.normalized + a.size]
    if layer.normalization == LAYER_NORM:
        _standardize_rows(a, normalized, values[layer.inverse_std : layer.inverse_std + lanes], lanes, scratch)
    else:
        running = theta[layer.running_mean : layer.running_mean + 2 * units]
        inverse_std = values[layer.inverse_std : layer.inverse_std + units]
        _standardize_units(a, normalized, inverse_std, running, lanes, rows, training)
    for j in range(units):
        scale, shift = theta[layer.scale + j], theta[layer.scale + units + j]
        for i in range(j * lanes, (j + 1) * lanes):
            a[i] = normalized[i] * scale + shift


@kernel_function
def _standardize_units(
    a: Any, normalized: Any, inverse_std: Any, running: Any, lanes: int, rows: int, training: bool
) -> None:
    """Standardize each unit over the batch, or at prediction with `running`: the units' means, then their variances."""
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
    """Standardize each row over its units."""
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
def denormalize(
    layer: Any, theta: Any, gradient: Any, grad_a: Any, values: Any, lanes: int, rows: int, scratch: Any
) -> None:
    """Replace ∂L/∂a by the gradient before normalization, and write ∂L/∂γ and ∂L/∂β (Ioffe and Szegedy 2015)."""
    units = layer.fan_out
    normalized = values[layer.normalized : layer.normalized + grad_a.size]
    for j in range(units):
        grad_scale = grad_shift = grad_a.dtype.type(0)
        for i in range(j * lanes, (j + 1) * lanes):
            grad_scale += grad_a[i] * normalized[i]
            grad_shift += grad_a[i]
        gradient[layer.scale + j] = grad_scale
        gradient[layer.scale + units + j] = grad_shift
        scale = theta[layer.scale + j]
        for i in range(j * lanes, (j + 1) * lanes):
            grad_a[i] *= scale
    if layer.normalization == LAYER_NORM:
        _row_gradients(grad_a, normalized, values[layer.inverse_std : layer.inverse_std + lanes], lanes, scratch)
        return
    for j in range(units):
        _unit_gradient(grad_a[j * lanes :], normalized[j * lanes :], values[layer.inverse_std + j], rows)


@kernel_function
def _unit_gradient(grad_a: Any, normalized: Any, inverse_std: Any, rows: int) -> None:
    T = grad_a.dtype.type
    mean = projection = T(0)
    for i in range(rows):
        mean += grad_a[i]
        projection += grad_a[i] * normalized[i]
    mean, projection = mean / T(rows), projection / T(rows)
    for i in range(rows):
        grad_a[i] = (grad_a[i] - mean - normalized[i] * projection) * inverse_std


@kernel_function
def _row_gradients(grad_a: Any, normalized: Any, inverse_std: Any, lanes: int, scratch: Any) -> None:
    T = grad_a.dtype.type
    mean, projection, units = scratch[:lanes], scratch[lanes : 2 * lanes], T(grad_a.size // lanes)
    mean[:] = T(0)
    projection[:] = T(0)
    for k in range(0, grad_a.size, lanes):
        for i in range(lanes):
            mean[i] += grad_a[k + i] / units
            projection[i] += grad_a[k + i] * normalized[k + i] / units
    for k in range(0, grad_a.size, lanes):
        for i in range(lanes):
            grad_a[k + i] = (grad_a[k + i] - mean[i] - normalized[k + i] * projection[i]) * inverse_std[i]
