"""Activation functions and their derivatives, compiled: the twins of `nn.feedforward.activations`.

Arrays are flat, (units, lanes): the lanes of a unit are contiguous.
"""

import math
from typing import Any

from backpropd.nn.feedforward.activations import ACTIVATIONS, LEAK, SELU_ALPHA, SELU_SCALE
from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.numeric import exp, expm1, log, tanh

CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
LINEAR, LOGISTIC, TANH, RELU = CODES["linear"], CODES["logistic"], CODES["tanh"], CODES["relu"]
SOFTMAX, LEAKY_RELU, ELU, SELU = CODES["softmax"], CODES["leaky_relu"], CODES["elu"], CODES["selu"]
GELU, SILU, MISH, SOFTPLUS = CODES["gelu"], CODES["silu"], CODES["mish"], CODES["softplus"]
SOFTSIGN, EXPONENTIAL = CODES["softsign"], CODES["exponential"]

ROOT_HALF = math.sqrt(0.5)
NORMAL_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


@kernel_function
def activate(code: int, a: Any, h: Any, lanes: int, scratch: Any) -> None:
    """h = g(a); softmax stores in `scratch` (2, lanes) each lane's largest a and its largest h."""
    T = a.dtype.type
    one, zero = T(1), T(0)
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
    elif code == LEAKY_RELU:
        for i in range(a.size):
            h[i] = a[i] if a[i] > zero else T(LEAK) * a[i]
    elif code in (ELU, SELU):
        scale = T(SELU_SCALE) if code == SELU else one
        alpha = T(SELU_ALPHA) if code == SELU else one
        for i in range(a.size):
            h[i] = scale * (a[i] if a[i] > zero else alpha * expm1(a[i]))
    elif code == GELU:
        for i in range(a.size):
            h[i] = a[i] * T(0.5) * (one + T(math.erf(a[i] * T(ROOT_HALF))))
    elif code == SILU:
        for i in range(a.size):
            h[i] = a[i] / (one + exp(-a[i]))
    elif code == MISH:
        for i in range(a.size):
            h[i] = a[i] * _tanh_softplus(a[i])
    elif code == SOFTPLUS:
        for i in range(a.size):
            h[i] = max(a[i], zero) + log(one + exp(-abs(a[i])))
    elif code == SOFTSIGN:
        for i in range(a.size):
            h[i] = a[i] / (one + abs(a[i]))
    elif code == EXPONENTIAL:
        for i in range(a.size):
            h[i] = exp(a[i])
    else:
        raise NotImplementedError("this activation has no kernel")


@kernel_function
def _tanh_softplus(a: Any) -> Any:
    """tanh(log(1 + eᵃ)) = n / (n + 2) with n = eᵃ (eᵃ + 2)."""
    two = type(a)(2)
    e = exp(min(a, type(a)(40)))
    n = e * (e + two)
    return n / (n + two)


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
def differentiate(code: int, a: Any, h: Any, gradient: Any, lanes: int, scratch: Any) -> None:
    """The gradient at h becomes, in place, the gradient at a: times g'(a)."""
    T = a.dtype.type
    one, zero = T(1), T(0)
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
    elif code == LINEAR:
        pass
    elif code == LEAKY_RELU:
        for i in range(a.size):
            gradient[i] *= one if a[i] > zero else T(LEAK)
    elif code in (ELU, SELU):
        scale = T(SELU_SCALE) if code == SELU else one
        offset = T(SELU_SCALE * SELU_ALPHA) if code == SELU else one
        for i in range(a.size):
            gradient[i] *= scale if a[i] > zero else h[i] + offset
    elif code == GELU:
        for i in range(a.size):
            cdf = T(0.5) * (one + T(math.erf(a[i] * T(ROOT_HALF))))
            gradient[i] *= cdf + a[i] * T(NORMAL_DENSITY_AT_0) * exp(-T(0.5) * a[i] * a[i])
    elif code == SILU:
        for i in range(a.size):
            sigmoid = one / (one + exp(-a[i]))
            gradient[i] *= sigmoid * (one + a[i] * (one - sigmoid))
    elif code == MISH:
        for i in range(a.size):
            t = _tanh_softplus(a[i])
            gradient[i] *= t + a[i] * (one - t * t) / (one + exp(-a[i]))
    elif code == SOFTPLUS:
        for i in range(a.size):
            gradient[i] /= one + exp(-a[i])
    elif code == SOFTSIGN:
        for i in range(a.size):
            gradient[i] /= (one + abs(a[i])) * (one + abs(a[i]))
    elif code == EXPONENTIAL:
        for i in range(a.size):
            gradient[i] *= h[i]
    else:
        raise NotImplementedError("the derivative of this activation has no kernel")


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
