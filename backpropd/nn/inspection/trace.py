"""Traces: every number of one forward and one backward pass, from the functions that training calls."""

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
from backpropd.nn.neurons.step_units import Neuron, checked_rows

Gradients = dict[str, Array | None]


class LayerTrace(NamedTuple):
    """The values of one layer for n rows, and the gradients of the loss at each.

    `a` and `h` are (n, units). So is `z`, the weighted sum before normalization, None in a layer without normalization.
    `gradients` has "h" and "a" (n, units), then "weight" (fan_in, units) and "bias" (units,), which is None if the
    layer has none; for a normalized layer also "z", "scale" and "shift". It is None without a backward pass.
    """

    a: Array
    h: Array
    z: Array | None = None
    gradients: Gradients | None = None


class ModelTrace(NamedTuple):
    """The mean loss over the rows, the layers from the first, and the change of each parameter in one step."""

    loss: float | None
    layers: list[LayerTrace]
    update: dict[str, Array] | None


class FrozenNormalization(Normalization):
    """Normalization in prediction: batch normalization with constant running statistics.

    The rows are independent of each other: ∂L/∂z = γ ∂L/∂a / √(variance + ε). Layer normalization is the same in
    prediction and in training.
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
def trace(network: Network, theta: Array, x: Array, y: Array | None, learning_rate: float) -> ModelTrace:
    """A forward pass over rows x (n, inputs), with targets y also a backward pass: the model in prediction, in float64.

    There is no dropout, and batch normalization uses its running statistics (see `FrozenNormalization`). `y` is as the
    loss takes it. The update is that of plain gradient descent, -learning_rate ∂L/∂θ, with the loss averaged over the
    rows and without penalties. Raises `Invalid` for shapes that do not fit the network.
    """
    layer_specs = tuple(replace(layer, dropout=0.0) for layer in network.spec.layers)
    network = Network(replace(network.spec, layers=layer_specs, dtype="float64"))  # theta's layout is the same
    x = checked_rows(x, network.spec.inputs, "float64")
    gradient = np.zeros(network.parameters)
    workspace = network.workspace(theta.astype(np.float64), gradient, len(x))
    layers = _forward(workspace.layers, x)
    if y is None:
        return ModelTrace(None, layers, None)
    batch, output = network.batch(x, y), workspace.layers[-1]
    loss = network.loss_function.value(output.a, output.h, batch.y, None, np.empty_like(output.a))
    found = _backward(network.loss_function, workspace, batch)
    layers = [layer._replace(gradients=gradients) for layer, gradients in zip(layers, found, strict=True)]
    return ModelTrace(loss, layers, network.layout.views(0.0 - learning_rate * gradient))


def _forward(layers: list[Layer], x: Array) -> list[LayerTrace]:
    """The forward pass; normalizations are replaced by those of prediction."""
    traces, h = [], x
    for layer in layers:
        z = None
        if layer.normalization:
            activate(replace(layer, normalization=None), h, None)  # the weighted sum before normalization
            z = layer.a.copy()
            layer.normalization = FrozenNormalization(*layer.normalization)
        activate(layer, h, None)
        traces.append(LayerTrace(layer.a, layer.h, z))
        h = layer.output
    return traces


def _backward(loss: Loss, workspace: Workspace, batch: Batch) -> list[Gradients]:
    """The gradients of each layer: the steps of `network.backward`, with copies of what it overwrites."""
    layers, gradients = workspace
    traced: list[Gradients] = []
    output_gradient(loss, layers[-1], gradients[-1], batch)
    if loss.fused_with:
        gradients[-1].h[:] = _gradient_at_output(loss, layers[-1], gradients[-1])
    for k in range(len(layers) - 1, -1, -1):
        grad_a = gradients[k].a.copy()  # normalization overwrites it with the gradient at z
        parameter_gradients(layers[k], layers[k - 1].output if k else batch.x, gradients[k])
        found = gradients[k]
        traced.insert(0, {"h": found.h, "a": grad_a, "weight": found.weight, "bias": found.bias})
        if layers[k].normalization:
            traced[0] |= {"z": found.a, "scale": found.scale, "shift": found.shift}
        if k:
            activation_gradient(layers[k], gradients[k], layers[k - 1], out=gradients[k - 1].h)
            preactivation_gradient(layers[k - 1], gradients[k - 1])
    return traced


def _gradient_at_output(loss: Loss, output: Layer, gradients: LayerGradients) -> Array:
    """∂L/∂h (n, outputs) of a loss that takes logits, from ∂L/∂a; training does not need it.

    For an elementwise activation g, ∂L/∂h = ∂L/∂a / g'(a). For softmax, ∂L/∂h = -t / (n h) with the targets t,
    because ∂L/∂a = (h - t) / n (Goodfellow et al. 2016, Deep Learning, 6.2.2.3).
    """
    if loss.fused_with == "softmax":
        t_over_n = output.h * (1.0 / len(output.h)) - gradients.a
        return -t_over_n / output.h
    slope = np.empty_like(output.a)
    output.activation.backward(output.a, output.h, np.ones_like(output.a), slope)
    return gradients.a / slope


def trace_neuron(neuron: Neuron, theta: Array, x: Array, y: Array | None) -> ModelTrace:
    """A forward pass over rows x (n, inputs), without gradients: the step activation has none.

    With targets y the loss is the fraction of rows with a wrong output, and the update is that of the neuron's learning
    rule, row by row in order. A McCulloch-Pitts neuron has no such rule: its update is None. Raises `Invalid` for rows
    and targets that the neuron does not take.
    """
    layers = [LayerTrace(*layer) for layer in neuron.forward(theta, x)]
    if y is None:
        return ModelTrace(None, layers, None)
    batch = neuron.batch(x, y)
    loss = neuron.mistakes(theta, batch) / len(x)
    if not neuron.iterative:
        return ModelTrace(loss, layers, None)
    updated = theta.copy()
    for i in range(len(x)):  # sets of one row cannot be shuffled
        row = Batch(batch.x[i : i + 1], batch.y[i : i + 1])
        neuron.learn(updated, row, np.random.default_rng(0), np.zeros(1, np.int8))
    return ModelTrace(loss, layers, neuron.layout.views(updated - theta))
