"""Losses and their gradients, compiled; the twins of `nn.losses`.

`share` (lanes,) is each row's part of the mean: its weight by the number of rows, and zero for a lane without a row,
which so gets no gradient.
"""

from __future__ import annotations

from typing import Any

from backpropd.nn.kernels.activations import differentiate
from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.numeric import exp, log

SQUARED_ERROR, ABSOLUTE_ERROR, HUBER, CROSS_ENTROPY, BINARY_CROSS_ENTROPY, POISSON = range(6)
CODES = {
    "squared_error": SQUARED_ERROR,
    "absolute_error": ABSOLUTE_ERROR,
    "huber": HUBER,
    "cross_entropy": CROSS_ENTROPY,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY,
    "poisson": POISSON,
}


@kernel_function
def loss_value(settings: Any, a: Any, h: Any, labels: Any, targets: Any, share: Any, rows: int, scratch: Any) -> float:
    """The mean loss over the batch's rows."""
    lanes = share.size
    if settings.loss == CROSS_ENTROPY:
        return _cross_entropy(a, labels, share, rows, settings.label_smoothing, scratch)
    T = a.dtype.type
    zero, half, one = T(0), T(0.5), T(1)
    smoothing, delta = T(settings.label_smoothing), T(settings.delta)
    total = zero
    for k in range(0, a.size, lanes):
        at, out, y = a[k : k + lanes], h[k : k + lanes], targets[k : k + lanes]
        if settings.loss == SQUARED_ERROR:
            for i in range(lanes):
                total += (out[i] - y[i]) * (out[i] - y[i]) * share[i]
        elif settings.loss == BINARY_CROSS_ENTROPY:
            for i in range(lanes):
                wanted = y[i] * (one - smoothing) + smoothing * half
                straight = (at[i] if at[i] > zero else zero) - at[i] * wanted
                total += (straight + log(one + exp(-abs(at[i])))) * share[i]
        elif settings.loss == ABSOLUTE_ERROR:
            for i in range(lanes):
                total += abs(out[i] - y[i]) * share[i]
        elif settings.loss == HUBER:
            for i in range(lanes):
                off = abs(out[i] - y[i])
                total += (half * off * off if off <= delta else delta * (off - half * delta)) * share[i]
        else:
            for i in range(lanes):
                total += (out[i] - y[i] * at[i]) * share[i]
    mean: float = float(total) * lanes / a.size
    return mean


@kernel_function
def _cross_entropy(a: Any, labels: Any, share: Any, rows: int, label_smoothing: float, scratch: Any) -> float:
    """log Σ exp(a) - a_y, where log Σ exp(a) is read off at the largest h, as the reference does.

    The largest a and h of each lane are what softmax, just before, has left in `scratch`.
    """
    T = a.dtype.type
    lanes = share.size
    classes = a.size // lanes
    largest, likeliest = scratch[:lanes], scratch[lanes : 2 * lanes]
    total = T(0)
    smoothing = T(label_smoothing)
    for i in range(lanes):
        total += (largest[i] - log(likeliest[i])) * share[i]
    for i in range(rows):
        total -= a[labels[i] * lanes + i] * (T(1) - smoothing) * share[i]
    if label_smoothing > 0:
        for k in range(0, a.size, lanes):
            for i in range(rows):
                total -= a[k + i] * (smoothing / T(classes)) * share[i]
    return float(total)


@kernel_function
def output_gradient(
    settings: Any, activation: int, a: Any, h: Any, labels: Any, targets: Any, share: Any, rows: int, out: Any,
    scratch: Any,
) -> None:  # fmt: skip
    """Stage one of backpropagation: the gradient at the output layer's a."""
    lanes = share.size
    T = a.dtype.type
    zero, one = T(0), T(1)
    smoothing, delta = T(settings.label_smoothing), T(settings.delta)
    if settings.loss == CROSS_ENTROPY:
        even = smoothing / T(a.size // lanes)
        for k in range(0, a.size, lanes):
            for i in range(lanes):
                out[k + i] = (h[k + i] - even) * share[i]
        for i in range(rows):
            out[labels[i] * lanes + i] -= (one - smoothing) * share[i]
        return
    outputs = T(a.size // lanes)
    for k in range(0, a.size, lanes):
        y, at, to = targets[k : k + lanes], h[k : k + lanes], out[k : k + lanes]
        if settings.loss == SQUARED_ERROR:
            for i in range(lanes):
                to[i] = (T(2) * (at[i] - y[i])) * share[i] / outputs
        elif settings.loss == BINARY_CROSS_ENTROPY:
            for i in range(lanes):
                to[i] = (at[i] - y[i] * (one - smoothing) - smoothing * T(0.5)) * share[i] / outputs
        elif settings.loss == ABSOLUTE_ERROR:
            for i in range(lanes):
                sign = one if at[i] > y[i] else (-one if at[i] < y[i] else zero)
                to[i] = sign * share[i] / outputs
        elif settings.loss == HUBER:
            for i in range(lanes):
                off = at[i] - y[i]
                to[i] = (delta if off > delta else (-delta if off < -delta else off)) * share[i] / outputs
        else:
            for i in range(lanes):
                to[i] = (at[i] - y[i]) * share[i] / outputs
    if settings.loss != BINARY_CROSS_ENTROPY and settings.loss != POISSON:
        differentiate(activation, a, h, out, lanes, scratch)
