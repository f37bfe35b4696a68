"""Activation functions h = g(a), each with its derivative beside it.

`forward(a, out)` writes h; `backward(a, h, grad_h, out)` writes the gradient at a from the gradient at h: the
chain rule's factor g'(a). All arrays are (n, units), and `out` is none of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backpropd.nn.params import Array


@dataclass(frozen=True)
class Activation:
    """A named activation function and its derivative, both writing into `out`."""

    name: str
    forward: Callable[[Array, Array], None]
    backward: Callable[[Array, Array, Array, Array], None]


def linear(a: Array, out: Array) -> None:
    """h = a."""
    np.copyto(out, a)


def linear_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1."""
    np.copyto(out, grad_h)


def logistic(a: Array, out: Array) -> None:
    """h = 1 / (1 + exp(-a)), the sigmoid neuron (Goodfellow et al. 2016, Deep Learning, eq. 3.30)."""
    np.negative(a, out)
    np.minimum(out, 80.0, out=out)  # exp(80) is still a float32, and 1 / (1 + exp(80)) as good as zero
    np.exp(out, out)
    out += 1.0
    np.reciprocal(out, out)


def logistic_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = h (1 - h)."""
    np.subtract(1.0, h, out)
    out *= h
    out *= grad_h


def tanh(a: Array, out: Array) -> None:
    """h = tanh(a) (LeCun et al. 1998, Efficient BackProp, section 4.4)."""
    np.tanh(a, out)


def tanh_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1 - h²."""
    np.multiply(h, h, out)
    np.subtract(1.0, out, out)
    out *= grad_h


def relu(a: Array, out: Array) -> None:
    """h = max(a, 0) (Nair and Hinton 2010)."""
    np.maximum(a, 0.0, out=out)


def relu_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh/da = 1 where a > 0, else 0 (the kink included): the sign of h, which is never negative."""
    np.sign(h, out)
    out *= grad_h


def softmax(a: Array, out: Array) -> None:
    """h_k = exp(a_k) / Σ_j exp(a_j), row by row (Bridle 1990).

    The row's largest a is taken off first: the quotient stays the same, and no exponential overflows.
    """
    np.subtract(a, a.max(axis=1, keepdims=True), out)
    np.exp(out, out)
    out /= out.sum(axis=1, keepdims=True)


def softmax_backward(a: Array, h: Array, grad_h: Array, out: Array) -> None:
    """dh_k/da_j = h_k (δ_kj - h_j), so the gradient at a_j is h_j (grad_h_j - Σ_k grad_h_k h_k)."""
    np.multiply(grad_h, h, out)
    np.subtract(grad_h, out.sum(axis=1, keepdims=True), out)
    out *= h


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("linear", linear, linear_backward),
        Activation("logistic", logistic, logistic_backward),
        Activation("tanh", tanh, tanh_backward),
        Activation("relu", relu, relu_backward),
        Activation("softmax", softmax, softmax_backward),
    )
}
