"""Activation functions and their derivatives, compiled; the twins of `nn.activations`.

Arrays are flat, of units times lanes numbers; a unit's lanes lie side by side.
"""

from __future__ import annotations

import math
from typing import Any

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.numeric import exp, log, tanh

(LINEAR, LOGISTIC, TANH, RELU, LEAKY_RELU, ELU, SELU, GELU, SILU, SOFTPLUS, SOFTSIGN, EXPONENTIAL, SOFTMAX) = range(13)
CODES = {
    "linear": LINEAR,
    "logistic": LOGISTIC,
    "tanh": TANH,
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "elu": ELU,
    "selu": SELU,
    "gelu": GELU,
    "silu": SILU,
    "softplus": SOFTPLUS,
    "softsign": SOFTSIGN,
    "exponential": EXPONENTIAL,
    "softmax": SOFTMAX,
}

SLOPE = 0.01
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
ROOT_HALF = math.sqrt(0.5)
DENSITY = 1 / math.sqrt(2 * math.pi)


@kernel_function
def activate(code: int, a: Any, h: Any, lanes: int, scratch: Any) -> None:
    """h = g(a); softmax leaves in `scratch`, (2, lanes) numbers, each lane's largest a and its largest h."""
    one, zero = a.dtype.type(1), a.dtype.type(0)
    if code == RELU:
        for i in range(a.size):
            h[i] = zero if a[i] <= zero else a[i]
    elif code == TANH:
        for i in range(a.size):
            h[i] = tanh(a[i])
    elif code == LOGISTIC:
        for i in range(a.size):
            h[i] = one / (one + exp(-a[i]))
    elif code == SOFTMAX:
        _softmax(a, h, lanes, scratch)
    elif code == LINEAR:
        for i in range(a.size):
            h[i] = a[i]
    else:
        _activate_rarer(code, a, h)


@kernel_function
def _softmax(a: Any, h: Any, lanes: int, scratch: Any) -> None:
    largest, total = scratch[:lanes], scratch[lanes : 2 * lanes]
    for i in range(lanes):
        largest[i] = a[i]
        total[i] = a.dtype.type(0)
    for k in range(lanes, a.size, lanes):
        row = a[k : k + lanes]
        for i in range(lanes):
            largest[i] = row[i] if row[i] > largest[i] else largest[i]
    for k in range(0, a.size, lanes):
        row, out = a[k : k + lanes], h[k : k + lanes]
        for i in range(lanes):
            out[i] = exp(row[i] - largest[i])
        for i in range(lanes):
            total[i] += out[i]
    for i in range(lanes):
        total[i] = a.dtype.type(1) / total[i]
    for k in range(0, a.size, lanes):
        out = h[k : k + lanes]
        for i in range(lanes):
            out[i] *= total[i]


@kernel_function
def _activate_rarer(code: int, a: Any, h: Any) -> None:
    T = a.dtype.type
    one, zero = T(1), T(0)
    if code == LEAKY_RELU:
        slope = T(SLOPE)
        for i in range(a.size):
            h[i] = a[i] if a[i] > zero else slope * a[i]
    elif code in (ELU, SELU):
        scale = T(SELU_SCALE) if code == SELU else one
        alpha = T(SELU_ALPHA) if code == SELU else one
        for i in range(a.size):
            h[i] = scale * (a[i] if a[i] > zero else alpha * T(math.expm1(a[i])))
    elif code == GELU:
        for i in range(a.size):
            h[i] = a[i] * T(0.5) * (one + T(math.erf(a[i] * T(ROOT_HALF))))
    elif code == SILU:
        for i in range(a.size):
            h[i] = a[i] / (one + exp(-a[i]))
    elif code == SOFTPLUS:
        for i in range(a.size):
            h[i] = max(a[i], zero) + log(one + exp(-abs(a[i])))
    elif code == SOFTSIGN:
        for i in range(a.size):
            h[i] = a[i] / (one + abs(a[i]))
    else:
        for i in range(a.size):
            h[i] = exp(a[i])


@kernel_function
def differentiate(code: int, a: Any, h: Any, gradient: Any, lanes: int, scratch: Any) -> None:
    """The gradient at h becomes, in place, the gradient at a: times g'(a)."""
    one, zero = a.dtype.type(1), a.dtype.type(0)
    if code == RELU:
        for i in range(a.size):
            gradient[i] = gradient[i] if h[i] > zero else zero
    elif code == TANH:
        for i in range(a.size):
            gradient[i] *= one - h[i] * h[i]
    elif code == LOGISTIC:
        for i in range(a.size):
            gradient[i] *= h[i] * (one - h[i])
    elif code == SOFTMAX:
        _differentiate_softmax(h, gradient, lanes, scratch)
    elif code != LINEAR:
        _differentiate_rarer(code, a, h, gradient)


@kernel_function
def _differentiate_softmax(h: Any, gradient: Any, lanes: int, scratch: Any) -> None:
    total = scratch[:lanes]
    total[:] = h.dtype.type(0)
    for k in range(0, h.size, lanes):
        for i in range(lanes):
            total[i] += h[k + i] * gradient[k + i]
    for k in range(0, h.size, lanes):
        for i in range(lanes):
            gradient[k + i] = h[k + i] * (gradient[k + i] - total[i])


@kernel_function
def _differentiate_rarer(code: int, a: Any, h: Any, gradient: Any) -> None:
    T = a.dtype.type
    one, zero = T(1), T(0)
    if code == LEAKY_RELU:
        slope = T(SLOPE)
        for i in range(a.size):
            gradient[i] *= one if a[i] > zero else slope
    elif code in (ELU, SELU):
        scale = T(SELU_SCALE) if code == SELU else one
        floor = T(SELU_SCALE * SELU_ALPHA) if code == SELU else one
        for i in range(a.size):
            gradient[i] *= scale if a[i] > zero else h[i] + floor
    elif code == GELU:
        for i in range(a.size):
            below = T(0.5) * (one + T(math.erf(a[i] * T(ROOT_HALF))))
            gradient[i] *= below + a[i] * T(DENSITY) * exp(-T(0.5) * a[i] * a[i])
    elif code == SILU:
        for i in range(a.size):
            share = one / (one + exp(-a[i]))
            gradient[i] *= share * (one + a[i] * (one - share))
    elif code == SOFTPLUS:
        for i in range(a.size):
            gradient[i] /= one + exp(-a[i])
    elif code == SOFTSIGN:
        for i in range(a.size):
            distance = one + abs(a[i])
            gradient[i] /= distance * distance
    else:
        for i in range(a.size):
            gradient[i] *= h[i]
