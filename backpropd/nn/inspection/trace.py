"""Backpropagation to look at: every number of one forward and one backward pass, from the stages that training runs."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from backpropd.nn.feedforward.layers import (
    Layer,
    LayerGradients,
    activate,
    activation_gradient,
    parameter_gradients,
    preactivation_gradient,
)
from backpropd.nn.feedforward.losses import Loss
from backpropd.nn.feedforward.network import Batch, Network, Workspace, output_gradient
from backpropd.nn.feedforward.normalization import Normalization
from backpropd.nn.layout import Array
from backpropd.nn.neurons.step_units import rows_of
from backpropd.nn.neurons.training import Neuron

Gradients = dict[str, Array | None]


class LayerTrace(NamedTuple):
    """What one layer made of n rows, and the loss's gradient at all of it.

    `a` and `h` are (n, units), and so is `z`, the sum that a normalized layer takes: a is what normalization makes of
    it, and None stands for "a itself". `gradients` has "h" and "a" (n, units), then "weight" (fan_in, units) and "bias"
    (units,), which is None where the layer has none; for a normalized layer also "z", "scale" and "shift". It is
    None where nothing flows backwards.
    """

    a: Array
    h: Array
    z: Array | None = None
    gradients: Gradients | None = None


class Tracing(NamedTuple):
    """The mean loss over the rows, the layers from below, and by how much one step would change each parameter."""

    loss: float | None
    layers: list[LayerTrace]
    change: dict[str, Array] | None


class FrozenNormalization(Normalization):
    """Normalization as at prediction: over the batch, the running statistics are constants.

    Each row is then scaled and shifted by itself, so nothing flows through the mean and the variance of the others:
    ∂L/∂z = γ ∂L/∂a / √(variance + ε). Over the units a row's statistics are its own, at prediction as in training.
    """

    def backward(self, grad_a: Array, inverse_std: Array, grad_scale: Array, grad_shift: Array) -> None:
        """From the gradient at a (n, units) to that at z, in place, and to those at γ and β (units,)."""
        if self.mean is None:
            super().backward(grad_a, inverse_std, grad_scale, grad_shift)
            return
        np.einsum("ij,ij->j", grad_a, self.normalized, out=grad_scale)
        grad_a.sum(axis=0, out=grad_shift)
        grad_a *= self.scale * inverse_std


@np.errstate(all="ignore")
def trace(network: Network, theta: Array, x: Array, y: Array | None, learning_rate: float) -> Tracing:
    """Forward over rows x (n, inputs), and with targets y backward: the model as it predicts, in float64.

    So nothing is dropped, and batch normalization has its running statistics (see `FrozenNormalization`). `y` is as
    the loss takes it, None for a look at the forward pass alone. The change is that of plain gradient descent,
    -learning_rate ∂L/∂θ, with the loss averaged over the rows and without penalties. Raises `Invalid` for shapes that
    do not fit the network.
    """
    network = _as_it_predicts(network)
    x = rows_of(x, network.spec.inputs, "float64")
    gradient = np.zeros(network.parameters)
    workspace = network.workspace(theta.astype(np.float64), gradient, len(x))
    layers = _forward(workspace.layers, x)
    if y is None:
        return Tracing(None, layers, None)
    batch, output = network.batch(x, y), workspace.layers[-1]
    loss = network.loss_function.value(output.a, output.h, batch.y, None, np.empty_like(output.a))
    found = _backward(network.loss_function, workspace, batch)
    layers = [layer._replace(gradients=gradients) for layer, gradients in zip(layers, found, strict=True)]
    return Tracing(loss, layers, network.layout.views(0.0 - learning_rate * gradient))


def _as_it_predicts(network: Network) -> Network:
    """The same mathematics in float64 and without dropout; theta lies the same way."""
    layers = tuple(replace(layer, dropout=0.0) for layer in network.spec.layers)
    return Network(replace(network.spec, layers=layers, dtype="float64"))


def _forward(layers: list[Layer], x: Array) -> list[LayerTrace]:
    """Up through the layers, whose normalizations become those of prediction."""
    traces, h = [], x
    for layer in layers:
        z = None
        if layer.normalization:
            activate(replace(layer, normalization=None), h, None)  # the layer's sum, before it is normalized
            z = layer.a.copy()
            layer.normalization = FrozenNormalization(*layer.normalization)
        activate(layer, h, None)
        traces.append(LayerTrace(layer.a, layer.h, z))
        h = layer.output
    return traces


def _backward(loss: Loss, workspace: Workspace, batch: Batch) -> list[Gradients]:
    """`network.backward` with a look at each layer's gradients on the way."""
    layers, gradients = workspace
    found: list[Gradients] = []
    output_gradient(loss, layers[-1], gradients[-1], batch)
    if loss.fused_with:
        gradients[-1].h[:] = _gradient_at_answers(loss, layers[-1], gradients[-1])
    for k in range(len(layers) - 1, -1, -1):
        at_a = gradients[k].a.copy()  # normalization turns it into the gradient at z
        parameter_gradients(layers[k], layers[k - 1].output if k else batch.x, gradients[k])
        found.insert(0, _named(layers[k], gradients[k], at_a))
        if k:
            activation_gradient(layers[k], gradients[k], layers[k - 1], out=gradients[k - 1].h)
            preactivation_gradient(layers[k - 1], gradients[k - 1])
    return found


def _named(layer: Layer, gradients: LayerGradients, at_a: Array) -> Gradients:
    named: Gradients = {"h": gradients.h, "a": at_a, "weight": gradients.weight, "bias": gradients.bias}
    if layer.normalization:
        named |= {"z": gradients.a, "scale": gradients.scale, "shift": gradients.shift}
    return named


def _gradient_at_answers(loss: Loss, output: Layer, gradients: LayerGradients) -> Array:
    """∂L/∂h (n, outputs) of a loss that takes logits, which training never needs: from ∂L/∂a, back up through g.

    Where g works on each a alone, ∂L/∂h = ∂L/∂a / g'(a). Softmax mixes a row's: there ∂L/∂a = (h - t) / n is
    what becomes of ∂L/∂h = -t / (n h), with the targets t (Goodfellow et al. 2016, Deep Learning, 6.2.2.3).
    """
    if loss.fused_with == "softmax":
        targets_share = output.h * (1.0 / len(output.h)) - gradients.a
        return -targets_share / output.h
    slope = np.empty_like(output.a)
    output.activation.backward(output.a, output.h, np.ones_like(output.a), slope)
    return gradients.a / slope


def trace_neuron(neuron: Neuron, theta: Array, x: Array, y: Array | None) -> Tracing:
    """Forward over rows x (n, inputs); a step has no slope, so nothing flows backwards and there are no gradients.

    With targets y the loss is the share of rows answered wrongly, and the change is that of the neuron's own rule, the
    rows shown one after another as they come, each to the theta that the one before left. A McCulloch-Pitts neuron is
    set, not taught: its change is None. Raises `Invalid` for rows and targets that the neuron does not take.
    """
    layers = [LayerTrace(*layer) for layer in neuron.forward(theta, x)]
    if y is None:
        return Tracing(None, layers, None)
    batch = neuron.batch(x, y)
    loss = neuron.mistakes(theta, batch) / len(x)
    return Tracing(loss, layers, _change_by_rule(neuron, theta, batch) if neuron.iterative else None)


def _change_by_rule(neuron: Neuron, theta: Array, batch: Batch) -> dict[str, Array]:
    """What the rule makes of theta, row by row: a set of one row has one order only, whatever is drawn."""
    taught = theta.copy()
    for i in range(len(batch.x)):
        row = Batch(batch.x[i : i + 1], batch.y[i : i + 1])
        neuron.learn(taught, row, np.random.default_rng(0), np.zeros(1, np.int8))
    return neuron.layout.views(taught - theta)
