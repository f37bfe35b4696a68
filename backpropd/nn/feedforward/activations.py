"""Activation functions h = g(a), each with its derivative beside it.

`forward(a, out)` writes h; `backward(a, h, grad_h, out)` writes the gradient at a, which is the gradient at h times
g'(a). All arrays are (n, units); `out` must not be one of the others.

At a kink the derivative is that from the left. No finite a overflows, and float32 stays float32.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from backpropd.nn.layout import Array

LEAK = 0.01  # leaky_relu's slope below zero
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # α₀₁ and λ₀₁ of Klambauer et al. 2017, eq. 14

Task: TypeAlias = Literal["classification", "multi_label", "regression"]
"""What outputs mean: one of several classes, true or false for each of several labels, or numbers."""

Forward: TypeAlias = Callable[[Array, Array], None]
Backward: TypeAlias = Callable[[Array, Array, Array, Array], None]


@dataclass(frozen=True)
class Activation:
    """A named activation function and its derivative, both writing into `out`, and where it is used.

    `hidden`: hidden layers may have it. `tasks`: what it can express as the output activation. `initializer`: how the
    weights before it start by default. `target_scaling`: how regression targets are scaled to its range: to mean 0 and
    deviation 1, to [-1, 1], or to [0, 1].
    """

    name: str
    forward: Forward
    backward: Backward
    hidden: bool = True
    tasks: tuple[Task, ...] = ("regression",)
    initializer: str = "glorot_uniform"
    target_scaling: Literal["standard", "symmetric", "unit"] = "unit"


ACTIVATIONS: dict[str, Activation] = {}


def derivative_of(forward: Forward, **facts: Any) -> Callable[[Backward], Backward]:
    """Declare an activation by its function's name: the decorated function is the derivative of `forward`."""

    def declare(backward: Backward) -> Backward:
        name = forward.__name__
        ACTIVATIONS[name] = Activation(name, forward, backward, **facts)
        return backward

    return declare


def linear(a: Array, out: Array) -> None:
    """h = a."""
    np.copyto(out, a)


@derivative_of(linear, target_scaling="standard")
def linear_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1."""
    np.copyto(out, grad_h)


def logistic(a: Array, out: Array) -> None:
    """h = 1 / (1 + exp(-a)), the sigmoid neuron (Goodfellow et al. 2016, Deep Learning, eq. 3.30)."""
    np.negative(a, out)
    np.minimum(out, 80.0, out=out)  # exp(80) is finite in float32, and 1 / (1 + exp(80)) negligible
    np.exp(out, out)
    out += 1.0
    np.reciprocal(out, out)


@derivative_of(logistic, tasks=("classification", "multi_label", "regression"))
def logistic_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = h (1 - h)."""
    np.subtract(1.0, h, out)
    out *= h
    out *= grad_h


def tanh(a: Array, out: Array) -> None:
    """h = tanh(a) (LeCun et al. 1998, Efficient BackProp, section 4.4)."""
    np.tanh(a, out)


@derivative_of(tanh, target_scaling="symmetric")
def tanh_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1 - h²."""
    np.multiply(h, h, out)
    np.subtract(1.0, out, out)
    out *= grad_h


def relu(a: Array, out: Array) -> None:
    """h = max(a, 0) (Nair and Hinton 2010)."""
    np.maximum(a, 0.0, out=out)


@derivative_of(relu, initializer="he_uniform")
def relu_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1 where a > 0, else 0 (the kink included): the sign of h, which is never negative."""
    np.sign(h, out)
    out *= grad_h


def softmax(a: Array, out: Array) -> None:
    """h_k = exp(a_k) / Σ_j exp(a_j), row by row (Bridle 1990).

    The row's largest a is subtracted first: the quotient stays the same, and no exponential overflows.
    """
    np.subtract(a, a.max(axis=1, keepdims=True), out)
    np.exp(out, out)
    out /= out.sum(axis=1, keepdims=True)


@derivative_of(softmax, hidden=False, tasks=("classification",))
def softmax_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh_k/da_j = h_k (δ_kj - h_j), so the gradient at a_j is h_j (grad_h_j - Σ_k grad_h_k h_k)."""
    np.multiply(grad_h, h, out)
    np.subtract(grad_h, out.sum(axis=1, keepdims=True), out)
    out *= h


def leaky_relu(a: Array, out: Array) -> None:
    """h = max(a, 0.01 a) (Maas, Hannun, Ng 2013)."""
    np.multiply(a, LEAK, out)
    np.maximum(a, out, out=out)


@derivative_of(leaky_relu, initializer="he_uniform")
def leaky_relu_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1 where a > 0, else 0.01 (the kink included)."""
    np.sign(a, out)
    np.maximum(out, LEAK, out=out)
    out *= grad_h


def elu(a: Array, out: Array) -> None:
    """h = a where a > 0, else exp(a) - 1 (Clevert, Unterthiner, Hochreiter 2016, eq. 15, α = 1).

    It is the larger of a and exp(min(a, 0)) - 1, which is at least a for a < 0, and 0 for a > 0.
    """
    np.minimum(a, 0.0, out=out)
    np.expm1(out, out)
    np.maximum(a, out, out=out)


@derivative_of(elu, initializer="he_uniform")
def elu_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1 where a > 0, else exp(a) = h + 1; at zero the two sides meet."""
    np.minimum(h, 0.0, out=out)
    out += 1.0
    out *= grad_h


def selu(a: Array, out: Array) -> None:
    """h = λ a where a > 0, else λ α (exp(a) - 1), which keeps mean 0 and variance 1 (Klambauer et al. 2017, eq. 2)."""
    np.minimum(a, 0.0, out=out)
    np.expm1(out, out)
    out *= SELU_ALPHA
    np.copyto(out, a, where=a > 0)
    out *= SELU_SCALE


@derivative_of(selu, initializer="lecun_normal")
def selu_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = λ where a > 0, else λ α exp(a) = h + λ α (the kink included)."""
    np.add(h, SELU_SCALE * SELU_ALPHA, out)
    np.copyto(out, SELU_SCALE, where=a > 0)
    out *= grad_h


def gelu(a: Array, out: Array) -> None:
    """h = a Φ(a), with the normal distribution function Φ(a) = (1 + erf(a / √2)) / 2 (Hendrycks, Gimpel 2016)."""
    normal_cdf(a, out)
    out *= a


@derivative_of(gelu, initializer="he_uniform")
def gelu_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = Φ(a) + a φ(a), with the normal density φ(a) = exp(-a² / 2) / √(2π)."""
    density = np.clip(a, -40.0, 40.0)  # beyond, φ is zero, and a² could overflow
    density *= density
    density *= -0.5
    np.exp(density, density)
    density *= 1 / math.sqrt(2 * math.pi)
    density *= a
    normal_cdf(a, out)
    out += density
    out *= grad_h


def normal_cdf(a: Array, out: Array) -> None:
    """Φ(a) = (1 + erf(a / √2)) / 2, the distribution function of the standard normal distribution."""
    np.multiply(a, math.sqrt(0.5), out)
    for row in out:  # NumPy has no erf
        row[:] = [math.erf(number) for number in row.tolist()]
    out += 1.0
    out *= 0.5


@np.errstate(over="ignore")  # where exp(-a) becomes infinite, a / (1 + exp(-a)) is zero, which is right
def silu(a: Array, out: Array) -> None:
    """h = a logistic(a) = a / (1 + exp(-a)) (Elfwing, Uchibe, Doya 2018, eq. 11)."""
    np.negative(a, out)
    np.exp(out, out)
    out += 1.0
    np.divide(a, out, out)


@derivative_of(silu, initializer="he_uniform")
def silu_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = σ + h (1 - σ), with σ = logistic(a)."""
    logistic(a, out)
    second_term = 1.0 - out
    second_term *= h
    out += second_term
    out *= grad_h


def mish(a: Array, out: Array) -> None:
    """h = a tanh(log(1 + exp(a))) (Misra 2020, eq. 1)."""
    tanh_softplus(a, out)
    out *= a


@derivative_of(mish, initializer="he_uniform")
def mish_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = t + (1 - t²) silu(a), with t = tanh(log(1 + exp(a)))."""
    t = np.empty_like(a)
    tanh_softplus(a, t)
    silu(a, out)
    out *= 1.0 - t * t
    out += t
    out *= grad_h


def tanh_softplus(a: Array, out: Array) -> None:
    """tanh(log(1 + exp(a)))."""
    np.logaddexp(a, 0.0, out)
    np.tanh(out, out)


def softplus(a: Array, out: Array) -> None:
    """h = log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|)) (Dugas et al. 2001, eq. 4)."""
    np.logaddexp(a, 0.0, out)


@derivative_of(softplus, initializer="he_uniform")
def softplus_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = logistic(a)."""
    logistic(a, out)
    out *= grad_h


def softsign(a: Array, out: Array) -> None:
    """h = a / (1 + |a|) (Glorot, Bengio 2010, section 3.1)."""
    np.abs(a, out)
    out += 1.0
    np.divide(a, out, out)


@derivative_of(softsign, target_scaling="symmetric")
def softsign_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1 / (1 + |a|)²; at zero the two sides meet."""
    np.abs(a, out)
    out += 1.0
    np.reciprocal(out, out)
    out *= out
    out *= grad_h


def exponential(a: Array, out: Array) -> None:
    """h = exp(a), the mean of a Poisson variable with the canonical link (McCullagh, Nelder 1989, section 2.2.4).

    It is capped at exp(88) in float32 and exp(709) in float64, the largest that are finite.
    """
    np.minimum(a, math.floor(math.log(np.finfo(a.dtype).max)), out=out)
    np.exp(out, out)


@derivative_of(exponential, hidden=False)
def exponential_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = h."""
    np.multiply(h, grad_h, out)
