"""One step of gradient descent over flat vectors, compiled; the twins of `nn.optim` and `nn.regularize`."""

from __future__ import annotations

import math
from typing import Any

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.optimization import optimizers

SGD, ADAGRAD, RMSPROP, ADADELTA, ADAM, NADAM = range(6)
CODES: dict[type, int] = {
    optimizers.SGD: SGD,
    optimizers.Adagrad: ADAGRAD,
    optimizers.RMSprop: RMSPROP,
    optimizers.Adadelta: ADADELTA,
    optimizers.Adam: ADAM,
    optimizers.AdamW: ADAM,
    optimizers.Nadam: NADAM,
}

NEAR = 2**14
"""Parameters that take their step while their gradient, which was just looked at, still lies in the second cache."""


@kernel_function
def penalize(settings: Any, layers: Any, theta: Any, gradient: Any) -> float:
    """l1 Σ|w| + l2 Σw² over the weight matrices; its gradient is added to `gradient`."""
    T = theta.dtype.type
    l1, l2 = T(settings.l1), T(settings.l2)
    absolute = square = T(0)
    for k in range(layers.size):
        size = layers[k].fan_in * layers[k].fan_out
        weight = theta[layers[k].weight : layers[k].weight + size]
        slope = gradient[layers[k].weight : layers[k].weight + size]
        for i in range(size):
            w = weight[i]
            absolute += abs(w)
            square += w * w
            sign = T(1) if w > T(0) else (T(-1) if w < T(0) else T(0))
            slope[i] += l1 * sign + (l2 + l2) * w
    return float(l1 * absolute + l2 * square)


@kernel_function
def update(settings: Any, layers: Any, theta: Any, gradient: Any, slots: Any, steps: int, rate: float) -> float:
    """One step in place, number `steps` from 1; gives the L2 norm of the gradient as it came."""
    T = theta.dtype.type
    if settings.weight_decay > 0:
        kept = T(1 - rate * settings.weight_decay)
        for k in range(layers.size):
            for i in range(layers[k].weight, layers[k].weight + layers[k].fan_in * layers[k].fan_out):
                theta[i] *= kept
    clips = settings.clip_value > 0 or settings.clip_norm > 0
    together = gradient.size if clips or settings.optimizer == NADAM else NEAR
    square = 0.0
    for start in range(0, gradient.size, together):
        some = gradient[start : start + together]
        square += _square(some)
        if clips:
            _clip(settings, gradient, math.sqrt(square))
        step(settings, theta, some, slots, start, steps, rate)
    if settings.max_norm > 0:
        _hold(settings, layers, theta)
    return math.sqrt(square)


@kernel_function
def _square(numbers: Any) -> Any:
    """Σ x²."""
    total = numbers.dtype.type(0)
    for i in range(numbers.size):
        total += numbers[i] * numbers[i]
    return total


@kernel_function
def _clip(settings: Any, gradient: Any, norm: float) -> None:
    T = gradient.dtype.type
    if settings.clip_value > 0:
        bound = T(settings.clip_value)
        square = T(0)
        for i in range(gradient.size):
            g = gradient[i]
            g = bound if g > bound else (-bound if g < -bound else g)
            gradient[i] = g
            square += g * g
        norm = math.sqrt(square)
    if 0 < settings.clip_norm < norm:
        kept = T(settings.clip_norm / norm)
        for i in range(gradient.size):
            gradient[i] *= kept


@kernel_function
def _hold(settings: Any, layers: Any, theta: Any) -> None:
    """Scale back every unit's incoming weights, a column, that are longer than `max_norm`."""
    for k in range(layers.size):
        layer = layers[k]
        for j in range(layer.fan_out):
            end = layer.weight + layer.fan_in * layer.fan_out
            square = theta.dtype.type(0)
            for i in range(layer.weight + j, end, layer.fan_out):
                square += theta[i] * theta[i]
            if square > settings.max_norm * settings.max_norm:
                kept = theta.dtype.type(settings.max_norm / math.sqrt(square))
                for i in range(layer.weight + j, end, layer.fan_out):
                    theta[i] *= kept


@kernel_function
def step(settings: Any, theta: Any, gradient: Any, slots: Any, start: int, steps: int, rate: float) -> None:
    """The optimizer's own rule, for as many parameters as `gradient` has, from `start` on."""
    these = slice(start, start + gradient.size)
    if settings.optimizer == SGD:
        _sgd(settings, theta[these], gradient, slots, these, rate)
    elif settings.optimizer == ADAM:
        _adam(settings, theta[these], gradient, slots, these, steps, rate)
    elif settings.optimizer == ADAGRAD:
        _adagrad(settings, theta[these], gradient, slots[0][these], rate)
    elif settings.optimizer == RMSPROP:
        _rmsprop(settings, theta[these], gradient, slots, these, rate)
    elif settings.optimizer == ADADELTA:
        _adadelta(settings, theta[these], gradient, slots[0][these], slots[1][these], rate)
    else:
        _nadam(settings, theta[these], gradient, slots[0][these], slots[1][these], steps, rate)


@kernel_function
def _sgd(settings: Any, theta: Any, gradient: Any, slots: Any, these: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, mu = T(rate), T(settings.momentum)
    if settings.momentum == 0:
        for i in range(theta.size):
            theta[i] -= eta * gradient[i]
        return
    velocity = slots[0][these]
    if settings.nesterov:
        for i in range(theta.size):
            velocity[i] = mu * velocity[i] - eta * gradient[i]
            theta[i] += mu * velocity[i] - eta * gradient[i]
    else:
        for i in range(theta.size):
            velocity[i] = mu * velocity[i] - eta * gradient[i]
            theta[i] += velocity[i]


@kernel_function
def _adam(settings: Any, theta: Any, gradient: Any, slots: Any, these: Any, steps: int, rate: float) -> None:
    T = theta.dtype.type
    beta1, beta2 = T(settings.beta1), T(settings.beta2)
    fresh1, fresh2 = T(1 - settings.beta1), T(1 - settings.beta2)
    eta = T(rate / (1 - settings.beta1**steps))
    root = T(1 / math.sqrt(1 - settings.beta2**steps))
    epsilon = T(settings.epsilon)
    m, v = slots[0][these], slots[1][these]
    if settings.amsgrad:
        largest = slots[2][these]
        for i in range(theta.size):
            m[i] = beta1 * m[i] + fresh1 * gradient[i]
            v[i] = beta2 * v[i] + fresh2 * gradient[i] * gradient[i]
            largest[i] = v[i] if v[i] > largest[i] else largest[i]
            theta[i] -= eta * m[i] / (T(math.sqrt(largest[i])) * root + epsilon)
    else:
        for i in range(theta.size):
            m[i] = beta1 * m[i] + fresh1 * gradient[i]
            v[i] = beta2 * v[i] + fresh2 * gradient[i] * gradient[i]
            theta[i] -= eta * m[i] / (T(math.sqrt(v[i])) * root + epsilon)


@kernel_function
def _adagrad(settings: Any, theta: Any, gradient: Any, total: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, epsilon, initial = T(rate), T(settings.epsilon), T(settings.initial_accumulator)
    for i in range(theta.size):
        total[i] += gradient[i] * gradient[i]
        theta[i] -= eta * gradient[i] / (T(math.sqrt(total[i] + initial)) + epsilon)


@kernel_function
def _rmsprop(settings: Any, theta: Any, gradient: Any, slots: Any, these: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, epsilon, alpha, fresh = T(rate), T(settings.epsilon), T(settings.alpha), T(1 - settings.alpha)
    mean = slots[0][these]
    for i in range(theta.size):
        mean[i] = alpha * mean[i] + fresh * gradient[i] * gradient[i]
        gradient[i] = eta * gradient[i] / (T(math.sqrt(mean[i])) + epsilon)
    if settings.momentum > 0:
        velocity, mu = slots[1][these], T(settings.momentum)
        for i in range(theta.size):
            velocity[i] = mu * velocity[i] - gradient[i]
            theta[i] += velocity[i]
    else:
        for i in range(theta.size):
            theta[i] -= gradient[i]


@kernel_function
def _adadelta(settings: Any, theta: Any, gradient: Any, mean: Any, moved: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, epsilon, rho, fresh = T(rate), T(settings.epsilon), T(settings.rho), T(1 - settings.rho)
    for i in range(theta.size):
        mean[i] = rho * mean[i] + fresh * gradient[i] * gradient[i]
        delta = T(math.sqrt(moved[i] + epsilon)) / T(math.sqrt(mean[i] + epsilon)) * gradient[i]
        moved[i] = rho * moved[i] + fresh * delta * delta
        theta[i] -= eta * delta


@kernel_function
def _nadam(settings: Any, theta: Any, gradient: Any, m: Any, v: Any, steps: int, rate: float) -> None:
    T = theta.dtype.type
    product, mu, mu_next = _mu_product(settings, steps), _mu(settings, steps), _mu(settings, steps + 1)
    fresh1, beta2, fresh2 = T(1 - settings.beta1), T(settings.beta2), T(1 - settings.beta2)
    of_gradient = T(rate * (1 - mu) / (1 - product))
    of_mean = T(rate * mu_next / (1 - product * mu_next))
    root, epsilon = T(1 / math.sqrt(1 - settings.beta2**steps)), T(settings.epsilon)
    for i in range(theta.size):
        m[i] += fresh1 * (gradient[i] - m[i])
        v[i] = beta2 * v[i] + fresh2 * gradient[i] * gradient[i]
        theta[i] -= (of_gradient * gradient[i] + of_mean * m[i]) / (T(math.sqrt(v[i])) * root + epsilon)


@kernel_function
def _mu(settings: Any, steps: int) -> float:
    return settings.beta1 * (1 - 0.5 * math.pow(0.96, steps * settings.momentum_decay))  # type: ignore[no-any-return]


@kernel_function
def _mu_product(settings: Any, steps: int) -> float:
    """As `optim.Nadam.mu_product`: zero once one less it rounds to one."""
    product = 1.0
    for t in range(1, steps + 1):
        product *= _mu(settings, t)
        if product < 2.0**-54:
            return 0.0
    return product
