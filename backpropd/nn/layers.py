"""One dense layer, h = g(h_below W + b), and its derivatives: stages two to four of backpropagation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backpropd.nn.activations import Activation
from backpropd.nn.params import Array


class Layer(NamedTuple):
    """What the forward pass touches: the parameters, as views of theta, and the buffers for n rows."""

    activation: Activation
    weight: Array  # (fan_in, fan_out)
    bias: Array  # (fan_out,)
    a: Array  # (n, fan_out), the pre-activation
    h: Array  # (n, fan_out), the activation


class LayerGradients(NamedTuple):
    """What the backward pass writes: the loss's gradient at all that `Layer` names, in the same shapes."""

    weight: Array
    bias: Array
    a: Array
    h: Array
    ones: Array  # (n,) ones, to sum over the rows


def activate(layer: Layer, h_below: Array) -> None:
    """The forward pass through one layer: a = h_below W + b, then h = g(a)."""
    np.dot(h_below, layer.weight, layer.a)  # (n, fan_in) @ (fan_in, fan_out)
    np.add(layer.a, layer.bias, layer.a)  # (n, fan_out) + (fan_out,)
    layer.activation.forward(layer.a, layer.h)


def parameter_gradients(h_below: Array, gradients: LayerGradients) -> None:
    """From the gradient at a to those of the parameters: ∂L/∂W = h_belowᵀ ∂L/∂a and ∂L/∂b = 1ᵀ ∂L/∂a."""
    np.dot(h_below.T, gradients.a, gradients.weight)  # (fan_in, n) @ (n, fan_out)
    np.dot(gradients.ones, gradients.a, gradients.bias)  # (n,) @ (n, fan_out)


def activation_gradient(layer: Layer, gradients: LayerGradients, out: Array) -> None:
    """From the gradient at a to that at the activation of the layer below: ∂L/∂h_below = ∂L/∂a Wᵀ."""
    np.dot(gradients.a, layer.weight.T, out)  # (n, fan_out) @ (fan_out, fan_in)


def preactivation_gradient(layer: Layer, gradients: LayerGradients) -> None:
    """From the gradient at h to that at a of the same layer, through the activation: ∂L/∂a = ∂L/∂h g'(a)."""
    layer.activation.backward(layer.a, layer.h, gradients.h, gradients.a)
