"""One step of gradient descent over flat vectors, compiled: the twins of `nn.optimization`."""

import math
from typing import Any

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.optimization.optimizers import OPTIMIZERS

CODES = {name: code for code, (name, optimizer) in enumerate(OPTIMIZERS.items()) if not optimizer.full_batch}
SGD, ADAGRAD, RMSPROP, ADADELTA = CODES["sgd"], CODES["adagrad"], CODES["rmsprop"], CODES["adadelta"]
ADAM, ADAMW, NADAM = CODES["adam"], CODES["adamw"], CODES["nadam"]

BLOCK = 2**14
"""Parameters that are updated while their gradient, which was just read for its norm, is still in the L2 cache."""


@kernel_function
def penalize(settings: Any, layers: Any, theta: Any, gradient: Any) -> float:
    """l1 Σ|w| + l2 Σw² over the weight matrices; its gradient is added to `gradient`."""
    T = theta.dtype.type
    l1, l2 = T(settings.l1), T(settings.l2)
    absolute = square = T(0)
    for k in range(layers.size):
        size = layers[k].fan_in * layers[k].fan_out
        weight = theta[layers[k].weight : layers[k].weight + size]
        weight_gradient = gradient[layers[k].weight : layers[k].weight + size]
        for i in range(size):
            w = weight[i]
            absolute += abs(w)
            square += w * w
            sign = T(1) if w > T(0) else (T(-1) if w < T(0) else T(0))
            weight_gradient[i] += l1 * sign + (l2 + l2) * w
    return float(l1 * absolute + l2 * square)


@kernel_function
def update(
    settings: Any, layers: Any, segments: Any, theta: Any, gradient: Any, slots: Any, steps: int, rate: float
) -> float:
    """Step number `steps` (from 1), in place; returns the L2 norm of the gradient before clipping."""
    T = theta.dtype.type
    if settings.weight_decay > 0:
        decay_factor = T(1 - rate * settings.weight_decay)
        for k in range(layers.size):
            for i in range(layers[k].weight, layers[k].weight + layers[k].fan_in * layers[k].fan_out):
                theta[i] *= decay_factor
    clips = settings.clip_value > 0 or settings.clip_norm > 0
    square = 0.0
    if clips:
        square += _square(gradient)
        _clip(settings, gradient, math.sqrt(square))
    for k in range(segments.size):
        first, end = segments[k].start, segments[k].stop
        segment_rate = rate * segments[k].factor
        block_size = end - first if settings.optimizer == NADAM else BLOCK
        for start in range(first, end, block_size):
            block = gradient[start : min(start + block_size, end)]
            if not clips:
                square += _square(block)
            step(settings, theta, block, slots, start, steps, segment_rate)
    if settings.max_norm > 0:
        _apply_max_norm(settings, layers, theta)
    return math.sqrt(square)


@kernel_function
def _square(gradient: Any) -> Any:
    """Σ g²."""
    total = gradient.dtype.type(0)
    for i in range(gradient.size):
        total += gradient[i] * gradient[i]
    return total


@kernel_function
def _clip(settings: Any, gradient: Any, norm: float) -> None:
    T = gradient.dtype.type
    if settings.clip_value > 0:
        bound = T(settings.clip_value)
        square = T(0)
        for i in range(gradient.size):
            g = gradient[i]
            gradient[i] = bound if g > bound else (-bound if g < -bound else g)
            square += gradient[i] * gradient[i]
        norm = math.sqrt(square)
    if 0 < settings.clip_norm < norm:
        scale = T(settings.clip_norm / norm)
        for i in range(gradient.size):
            gradient[i] *= scale


@kernel_function
def _apply_max_norm(settings: Any, layers: Any, theta: Any) -> None:
    """Scale the incoming weights of a unit, a column, to the norm `max_norm` where theirs is larger."""
    for k in range(layers.size):
        layer = layers[k]
        for j in range(layer.fan_out):
            end = layer.weight + layer.fan_in * layer.fan_out
            square = theta.dtype.type(0)
            for i in range(layer.weight + j, end, layer.fan_out):
                square += theta[i] * theta[i]
            if square > settings.max_norm * settings.max_norm:
                scale = theta.dtype.type(settings.max_norm / math.sqrt(square))
                for i in range(layer.weight + j, end, layer.fan_out):
                    theta[i] *= scale


@kernel_function
def step(settings: Any, theta: Any, gradient: Any, slots: Any, start: int, steps: int, rate: float) -> None:
    """The optimizer's rule for the parameters from `start` on, as many as `gradient` has."""
    block = slice(start, start + gradient.size)
    if settings.optimizer == SGD:
        _sgd(settings, theta[block], gradient, slots, block, rate)
    elif settings.optimizer == ADAM or settings.optimizer == ADAMW:
        _adam(settings, theta[block], gradient, slots, block, steps, rate)
    elif settings.optimizer == ADAGRAD:
        _adagrad(settings, theta[block], gradient, slots[0][block], rate)
    elif settings.optimizer == RMSPROP:
        _rmsprop(settings, theta[block], gradient, slots, block, rate)
    elif settings.optimizer == ADADELTA:
        _adadelta(settings, theta[block], gradient, slots[0][block], slots[1][block], rate)
    elif settings.optimizer == NADAM:
        _nadam(settings, theta[block], gradient, slots[0][block], slots[1][block], steps, rate)
    else:
        raise NotImplementedError("this optimizer has no kernel")


@kernel_function
def _sgd(settings: Any, theta: Any, gradient: Any, slots: Any, block: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, mu = T(rate), T(settings.momentum)
    if settings.momentum == 0:
        for i in range(theta.size):
            theta[i] -= eta * gradient[i]
        return
    velocity = slots[0][block]
    if settings.nesterov:
        for i in range(theta.size):
            velocity[i] = mu * velocity[i] - eta * gradient[i]
            theta[i] += mu * velocity[i] - eta * gradient[i]
    else:
        for i in range(theta.size):
            velocity[i] = mu * velocity[i] - eta * gradient[i]
            theta[i] += velocity[i]


@kernel_function
def _adam(settings: Any, theta: Any, gradient: Any, slots: Any, block: Any, steps: int, rate: float) -> None:
    T = theta.dtype.type
    beta1, beta2 = T(settings.beta1), T(settings.beta2)
    one_minus_beta1, one_minus_beta2 = T(1 - settings.beta1), T(1 - settings.beta2)
    eta = T(rate / (1 - settings.beta1**steps))
    root = T(1 / math.sqrt(1 - settings.beta2**steps))
    epsilon = T(settings.epsilon)
    m, v = slots[0][block], slots[1][block]
    if settings.amsgrad:
        largest = slots[2][block]
        for i in range(theta.size):
            m[i] = beta1 * m[i] + one_minus_beta1 * gradient[i]
            v[i] = beta2 * v[i] + one_minus_beta2 * gradient[i] * gradient[i]
            largest[i] = v[i] if v[i] > largest[i] else largest[i]
            theta[i] -= eta * m[i] / (T(math.sqrt(largest[i])) * root + epsilon)
    else:
        for i in range(theta.size):
            m[i] = beta1 * m[i] + one_minus_beta1 * gradient[i]
            v[i] = beta2 * v[i] + one_minus_beta2 * gradient[i] * gradient[i]
            theta[i] -= eta * m[i] / (T(math.sqrt(v[i])) * root + epsilon)


@kernel_function
def _adagrad(settings: Any, theta: Any, gradient: Any, square_sum: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, epsilon, initial = T(rate), T(settings.epsilon), T(settings.initial_accumulator)
    for i in range(theta.size):
        square_sum[i] += gradient[i] * gradient[i]
        theta[i] -= eta * gradient[i] / (T(math.sqrt(square_sum[i] + initial)) + epsilon)


@kernel_function
def _rmsprop(settings: Any, theta: Any, gradient: Any, slots: Any, block: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, epsilon, alpha, one_minus_alpha = T(rate), T(settings.epsilon), T(settings.alpha), T(1 - settings.alpha)
    mean = slots[0][block]
    for i in range(theta.size):
        mean[i] = alpha * mean[i] + one_minus_alpha * gradient[i] * gradient[i]
        gradient[i] = eta * gradient[i] / (T(math.sqrt(mean[i])) + epsilon)
    if settings.momentum > 0:
        velocity, mu = slots[1][block], T(settings.momentum)
        for i in range(theta.size):
            velocity[i] = mu * velocity[i] - gradient[i]
            theta[i] += velocity[i]
    else:
        for i in range(theta.size):
            theta[i] -= gradient[i]


@kernel_function
def _adadelta(settings: Any, theta: Any, gradient: Any, mean_square: Any, mean_delta: Any, rate: float) -> None:
    T = theta.dtype.type
    eta, epsilon, rho, one_minus_rho = T(rate), T(settings.epsilon), T(settings.rho), T(1 - settings.rho)
    for i in range(theta.size):
        mean_square[i] = rho * mean_square[i] + one_minus_rho * gradient[i] * gradient[i]
        delta = T(math.sqrt(mean_delta[i] + epsilon)) / T(math.sqrt(mean_square[i] + epsilon)) * gradient[i]
        mean_delta[i] = rho * mean_delta[i] + one_minus_rho * delta * delta
        theta[i] -= eta * delta


@kernel_function
def _nadam(settings: Any, theta: Any, gradient: Any, m: Any, v: Any, steps: int, rate: float) -> None:
    T = theta.dtype.type
    product, mu, mu_next = _mu_product(settings, steps), _mu(settings, steps), _mu(settings, steps + 1)
    one_minus_beta1, beta2, one_minus_beta2 = T(1 - settings.beta1), T(settings.beta2), T(1 - settings.beta2)
    gradient_rate = T(rate * (1 - mu) / (1 - product))
    mean_rate = T(rate * mu_next / (1 - product * mu_next))
    root, epsilon = T(1 / math.sqrt(1 - settings.beta2**steps)), T(settings.epsilon)
    for i in range(theta.size):
        m[i] += one_minus_beta1 * (gradient[i] - m[i])
        v[i] = beta2 * v[i] + one_minus_beta2 * gradient[i] * gradient[i]
        theta[i] -= (gradient_rate * gradient[i] + mean_rate * m[i]) / (T(math.sqrt(v[i])) * root + epsilon)


@kernel_function
def _mu(settings: Any, steps: int) -> float:
    return settings.beta1 * (1 - 0.5 * math.pow(0.96, steps * settings.momentum_decay))  # type: ignore[no-any-return]


@kernel_function
def _mu_product(settings: Any, steps: int) -> float:
    """μ_1 μ_2 … μ_t as in the reference: zero once 1 - it rounds to 1."""
    product = 1.0
    for t in range(1, steps + 1):
        product *= _mu(settings, t)
        if product < 2.0**-54:
            return 0.0
    return product
