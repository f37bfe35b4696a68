"""Losses, their gradients and the error rate, compiled: the twins of `nn.feedforward.losses` and `metrics.error_rate`.

`row_weight` (lanes,) is each row's weight divided by the number of rows, and zero for a padding lane.
"""

from typing import Any

from backpropd.nn.feedforward.losses import LOSSES
from backpropd.nn.kernels.activations import differentiate
from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.numeric import exp, log

CODES = {name: code for code, name in enumerate(LOSSES)}
SQUARED_ERROR, ABSOLUTE_ERROR, HUBER = CODES["squared_error"], CODES["absolute_error"], CODES["huber"]
CROSS_ENTROPY, BINARY_CROSS_ENTROPY, POISSON = CODES["cross_entropy"], CODES["binary_cross_entropy"], CODES["poisson"]


@kernel_function
def loss_value(
    settings: Any, a: Any, h: Any, labels: Any, targets: Any, row_weight: Any, rows: int, scratch: Any
) -> float:
    """The mean loss over the batch's rows."""
    lanes = row_weight.size
    if settings.loss == CROSS_ENTROPY:
        return _cross_entropy(a, labels, row_weight, rows, settings.label_smoothing, scratch)
    T = a.dtype.type
    zero, half, one = T(0), T(0.5), T(1)
    smoothing, delta = T(settings.label_smoothing), T(settings.delta)
    total = zero
    for k in range(0, a.size, lanes):
        at_a, at_h, y = a[k : k + lanes], h[k : k + lanes], targets[k : k + lanes]
        if settings.loss == SQUARED_ERROR:
            for i in range(lanes):
                total += (at_h[i] - y[i]) * (at_h[i] - y[i]) * row_weight[i]
        elif settings.loss == BINARY_CROSS_ENTROPY:
            for i in range(lanes):
                target = y[i] * (one - smoothing) + smoothing * half
                linear_part = (at_a[i] if at_a[i] > zero else zero) - at_a[i] * target
                total += (linear_part + log(one + exp(-abs(at_a[i])))) * row_weight[i]
        elif settings.loss == ABSOLUTE_ERROR:
            for i in range(lanes):
                total += abs(at_h[i] - y[i]) * row_weight[i]
        elif settings.loss == HUBER:
            for i in range(lanes):
                error = abs(at_h[i] - y[i])
                total += (half * error * error if error <= delta else delta * (error - half * delta)) * row_weight[i]
        elif settings.loss == POISSON:
            for i in range(lanes):
                total += (at_h[i] - y[i] * at_a[i]) * row_weight[i]
        else:
            raise NotImplementedError("this loss has no kernel")
    return float(total) * lanes / a.size  # type: ignore[no-any-return]


@kernel_function
def _cross_entropy(a: Any, labels: Any, row_weight: Any, rows: int, label_smoothing: float, scratch: Any) -> float:
    """log Σ exp(a) - a_y, from each lane's largest a and h, which the preceding softmax stored in `scratch`."""
    T = a.dtype.type
    lanes = row_weight.size
    classes = a.size // lanes
    largest_a, largest_h = scratch[:lanes], scratch[lanes : 2 * lanes]
    total = T(0)
    smoothing = T(label_smoothing)
    for i in range(lanes):
        total += (largest_a[i] - log(largest_h[i])) * row_weight[i]
    for i in range(rows):
        total -= a[labels[i] * lanes + i] * (T(1) - smoothing) * row_weight[i]
    if label_smoothing > 0:
        for k in range(0, a.size, lanes):
            for i in range(rows):
                total -= a[k + i] * (smoothing / T(classes)) * row_weight[i]
    return float(total)


@kernel_function
def wrong_rows(settings: Any, h: Any, labels: Any, targets: Any, lanes: int, rows: int) -> float:
    """How many of the rows are predicted wrongly; of independent outputs, the mean over these."""
    wrong = 0
    if settings.loss == CROSS_ENTROPY:
        for i in range(rows):
            best = i
            for k in range(i + lanes, h.size, lanes):
                best = k if h[k] > h[best] else best
            wrong += best // lanes != labels[i]
        return float(wrong)
    half = h.dtype.type(0.5)
    for k in range(0, h.size, lanes):
        for i in range(k, k + rows):
            wrong += (h[i] >= half) != (targets[i] >= half)
    return wrong * lanes / h.size  # type: ignore[no-any-return]


@kernel_function
def output_gradient(
    settings: Any, activation: int, a: Any, h: Any, labels: Any, targets: Any, row_weight: Any, rows: int, out: Any,
    scratch: Any,
) -> None:  # fmt: skip
    """The first stage of backpropagation: the gradient at the output layer's a."""
    lanes = row_weight.size
    T = a.dtype.type
    zero, one = T(0), T(1)
    smoothing, delta = T(settings.label_smoothing), T(settings.delta)
    if settings.loss == CROSS_ENTROPY:
        smoothed = smoothing / T(a.size // lanes)
        for k in range(0, a.size, lanes):
            for i in range(lanes):
                out[k + i] = (h[k + i] - smoothed) * row_weight[i]
        for i in range(rows):
            out[labels[i] * lanes + i] -= (one - smoothing) * row_weight[i]
        return
    outputs = T(a.size // lanes)
    for k in range(0, a.size, lanes):
        y, at_h, at_out = targets[k : k + lanes], h[k : k + lanes], out[k : k + lanes]
        if settings.loss == SQUARED_ERROR:
            for i in range(lanes):
                at_out[i] = (T(2) * (at_h[i] - y[i])) * row_weight[i] / outputs
        elif settings.loss == BINARY_CROSS_ENTROPY:
            for i in range(lanes):
                at_out[i] = (at_h[i] - y[i] * (one - smoothing) - smoothing * T(0.5)) * row_weight[i] / outputs
        elif settings.loss == ABSOLUTE_ERROR:
            for i in range(lanes):
                sign = one if at_h[i] > y[i] else (-one if at_h[i] < y[i] else zero)
                at_out[i] = sign * row_weight[i] / outputs
        elif settings.loss == HUBER:
            for i in range(lanes):
                error = at_h[i] - y[i]
                error = delta if error > delta else (-delta if error < -delta else error)
                at_out[i] = error * row_weight[i] / outputs
        elif settings.loss == POISSON:
            for i in range(lanes):
                at_out[i] = (at_h[i] - y[i]) * row_weight[i] / outputs
        else:
            raise NotImplementedError("the gradient of this loss has no kernel")
    if not settings.fused:
        differentiate(activation, a, h, out, lanes, scratch)
