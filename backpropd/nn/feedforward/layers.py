"""One dense layer, h = g(h_below W + b), and its derivatives: stages two to four of backpropagation."""

from dataclasses import dataclass

import numpy as np

from backpropd.nn.feedforward.activations import Activation
from backpropd.nn.feedforward.normalization import Normalization
from backpropd.nn.layout import Array


@dataclass
class Layer:
    """What the forward pass reads and writes: parameters, as views of theta, and buffers for n rows."""

    activation: Activation
    weight: Array  # (fan_in, fan_out)
    bias: Array | None  # (fan_out,)
    normalization: Normalization | None
    dropout: float  # the probability that a value is dropped in training
    a: Array  # (n, fan_out), the pre-activation
    h: Array  # (n, fan_out), the activation
    output: Array  # (n, fan_out), the next layer's input: h, or with dropout h times mask
    mask: Array | None = None  # (n, fan_out), with dropout: 0 or 1 / (1 - dropout)
    inverse_std: Array | None = None  # returned by the normalization's forward pass
    input_scale: Array | None = None  # (fan_in,), of the first layer, if inputs are scaled
    inputs: Array | None = None  # (n, fan_in), the scaled inputs


@dataclass
class LayerGradients:
    """What the backward pass writes: the loss's gradients at the arrays of `Layer`, in the same shapes."""

    weight: Array
    a: Array
    h: Array
    ones: Array  # (n,), to sum over the rows
    bias: Array | None = None
    scale: Array | None = None
    shift: Array | None = None
    input_scale: Array | None = None


def activate(layer: Layer, h_below: Array, rng: np.random.Generator | None) -> None:
    """The forward pass through one layer: a = h_below W + b, then h = g(a).

    With a generator it is a pass in training, with the batch's statistics and dropout.
    """
    if layer.input_scale is not None:
        h_below = np.multiply(h_below, layer.input_scale, layer.inputs)
    np.dot(h_below, layer.weight, layer.a)  # (n, fan_in) @ (fan_in, fan_out)
    if layer.bias is not None:
        np.add(layer.a, layer.bias, layer.a)  # (n, fan_out) + (fan_out,)
    if layer.normalization:
        layer.inverse_std = layer.normalization.forward(layer.a, training=rng is not None)
    layer.activation.forward(layer.a, layer.h)
    if layer.mask is not None:
        drop(layer, layer.mask, rng)


def drop(layer: Layer, mask: Array, rng: np.random.Generator | None) -> None:
    """Dropout (Srivastava et al. 2014): zero values at random, scale up the others so that the mean stays the same.

    Without a generator, at prediction, the values are copied unchanged.
    """
    if rng is None:
        np.copyto(layer.output, layer.h)
        return
    np.greater_equal(rng.random(mask.shape), layer.dropout, out=mask)
    mask /= 1 - layer.dropout
    np.multiply(layer.h, mask, layer.output)


def parameter_gradients(layer: Layer, h_below: Array, gradients: LayerGradients) -> None:
    """From the gradient at a to those of the parameters: ∂L/∂W = h_belowᵀ ∂L/∂a and ∂L/∂b = 1ᵀ ∂L/∂a.

    Where a is normalized, the gradient at a is first replaced by that before normalization.
    """
    if layer.normalization:
        assert layer.inverse_std is not None and gradients.scale is not None and gradients.shift is not None  # noqa: S101, PT018 - for the type checker
        layer.normalization.backward(gradients.a, layer.inverse_std, gradients.scale, gradients.shift)
    inputs = h_below if layer.inputs is None else layer.inputs
    np.dot(inputs.T, gradients.a, gradients.weight)  # (fan_in, n) @ (n, fan_out)
    if gradients.input_scale is not None:  # ∂L/∂s_k = Σ x_k (∂L/∂a Wᵀ)_k, over the rows
        np.einsum("ij,ij->j", h_below, np.dot(gradients.a, layer.weight.T), out=gradients.input_scale)
    if gradients.bias is not None:
        np.dot(gradients.ones, gradients.a, gradients.bias)  # (n,) @ (n, fan_out)


def activation_gradient(layer: Layer, gradients: LayerGradients, below: Layer, out: Array) -> None:
    """From the gradient at a to that at the activation of the layer below: ∂L/∂h_below = ∂L/∂a Wᵀ."""
    np.dot(gradients.a, layer.weight.T, out)  # (n, fan_out) @ (fan_out, fan_in)
    if below.mask is not None:
        out *= below.mask


def preactivation_gradient(layer: Layer, gradients: LayerGradients) -> None:
    """From the gradient at h to that at a of the same layer, through the activation: ∂L/∂a = ∂L/∂h g'(a)."""
    layer.activation.backward(layer.a, layer.h, gradients.h, gradients.a)
