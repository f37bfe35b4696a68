"""The feed-forward network: a `Spec`, the flat theta that it calls for, forward, backward and predict."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.activations import ACTIVATIONS, OUTPUT_ONLY
from backpropd.nn.initializers import INITIALIZERS
from backpropd.nn.layers import (
    Layer,
    LayerGradients,
    activate,
    activation_gradient,
    parameter_gradients,
    preactivation_gradient,
)
from backpropd.nn.losses import LOSSES, Loss
from backpropd.nn.params import Array, Layout

BLOCK_ROWS = 1024  # predictions are made in blocks of this many rows, so that their memory stays bounded


@dataclass(frozen=True)
class LayerSpec:
    """One layer: how many units, which activation, and which initializer its weights start from."""

    units: int
    activation: str
    initializer: str = "glorot_uniform"


@dataclass(frozen=True)
class Spec:
    """A network as data: the number of inputs, the layers (the last is the output), the loss, the dtype."""

    inputs: int
    layers: tuple[LayerSpec, ...]
    loss: str
    dtype: str = "float32"


class Batch(NamedTuple):
    """Rows x (n, inputs), and targets y: class indices (n,) or numbers (n, outputs), as the loss asks."""

    x: Array
    y: Array


class Workspace(NamedTuple):
    """What a pass over n rows reads and writes: views of theta and of the gradient, buffers for n rows."""

    layers: list[Layer]
    gradients: list[LayerGradients]


class Network:
    """The mathematics of a `Spec`. It holds no parameters: theta is handed in, `layout` says what lies where.

    Raises `Invalid` for a spec that cannot mean anything.
    """

    def __init__(self, spec: Spec) -> None:
        _refuse_nonsense(spec)
        self.spec = spec
        self.loss_function: Loss = LOSSES[spec.loss]()
        self.outputs = spec.layers[-1].units
        self.layout = Layout(
            {
                name: shape
                for index, (fan_in, fan_out) in enumerate(self._fans())
                for name, shape in (
                    (f"layers.{index}.weight", (fan_in, fan_out)),
                    (f"layers.{index}.bias", (fan_out,)),
                )
            }
        )

    @property
    def parameters(self) -> int:
        """How many numbers theta holds."""
        return self.layout.size

    def _fans(self) -> list[tuple[int, int]]:
        units = [self.spec.inputs, *(layer.units for layer in self.spec.layers)]
        return list(itertools.pairwise(units))

    def initialize(self, rng: np.random.Generator) -> Array:
        """A fresh theta (parameters,): weights from each layer's initializer, drawn in order; biases zero."""
        theta = self.layout.zeros(self.spec.dtype)
        views = self.layout.views(theta)
        for index, (layer, (fan_in, fan_out)) in enumerate(zip(self.spec.layers, self._fans(), strict=True)):
            views[f"layers.{index}.weight"][:] = INITIALIZERS[layer.initializer](rng, fan_in, fan_out)
        return theta

    def batch(self, x: Array, y: Array) -> Batch:
        """Rows and targets in the dtype and order that the loop needs; nothing is copied that already is so.

        Raises `Invalid` where shapes do not fit the network, there are no rows, or a class index is out of
        range.
        """
        rows = self._rows(x)
        targets = self._targets(y)
        if not len(rows) or len(rows) != len(targets):
            raise Invalid(f"x has {len(rows)} rows and y {len(targets)}: give as many of each, and one at least")
        return Batch(rows, targets)

    def _rows(self, x: Array) -> Array:
        if x.ndim != 2 or x.shape[1] != self.spec.inputs:
            raise Invalid(f"x has the shape {x.shape}: the network takes (rows, {self.spec.inputs})")
        return np.ascontiguousarray(x, self.spec.dtype)

    def _targets(self, y: Array) -> Array:
        if self.loss_function.takes_classes:
            if y.ndim != 1 or y.dtype.kind not in "iu":
                raise Invalid(f"{self.spec.loss} takes class indices: integers of the shape (rows,)")
            if y.size and not 0 <= int(y.min()) <= int(y.max()) < self.outputs:
                raise Invalid(f"classes run from {y.min()} to {y.max()}: the network has {self.outputs} outputs")
            return np.ascontiguousarray(y, np.intp)
        if y.ndim != 2 or y.shape[1] != self.outputs:
            raise Invalid(f"y has the shape {y.shape}: the network's targets are (rows, {self.outputs})")
        return np.ascontiguousarray(y, self.spec.dtype)

    def workspace(self, theta: Array, gradient: Array, rows: int) -> Workspace:
        """Buffers for `rows` rows at a time; weights are views of `theta`, their gradients of `gradient`."""
        views = self.layout.views(gradient)
        layers = self._layers(theta, rows)
        ones = np.ones(rows, theta.dtype)
        return Workspace(
            layers,
            [
                LayerGradients(
                    views[f"layers.{index}.weight"],
                    views[f"layers.{index}.bias"],
                    np.empty_like(layer.a),
                    np.empty_like(layer.h),
                    ones,
                )
                for index, layer in enumerate(layers)
            ],
        )

    def _layers(self, theta: Array, rows: int) -> list[Layer]:
        views = self.layout.views(theta)
        return [
            Layer(
                ACTIVATIONS[layer.activation],
                views[f"layers.{index}.weight"],
                views[f"layers.{index}.bias"],
                np.empty((rows, layer.units), theta.dtype),
                np.empty((rows, layer.units), theta.dtype),
            )
            for index, layer in enumerate(self.spec.layers)
        ]

    def loss_and_gradient(self, workspace: Workspace, batch: Batch) -> float:
        """The loss of the batch; its gradient lands in the array that the workspace was made over.

        The batch has as many rows as the workspace. Nothing is allocated but a few numbers a row.
        """
        output, scratch = workspace.layers[-1], workspace.gradients[-1].a
        forward(workspace.layers, batch.x)
        loss = self.loss_function.value(output.a, output.h, batch.y, None, scratch)
        backward(self.loss_function, workspace, batch)
        return loss

    def _blocks(self, theta: Array, x: Array) -> Iterator[tuple[slice, Layer]]:
        """The output layer over block after block of rows; the buffers are used again for the next one."""
        layers: list[Layer] = []
        for start in range(0, len(x), BLOCK_ROWS):
            block = x[start : start + BLOCK_ROWS]
            if not layers or len(layers[0].a) != len(block):
                layers = self._layers(theta, len(block))
            forward(layers, block)
            yield slice(start, start + len(block)), layers[-1]

    @np.errstate(all="ignore")
    def predict(self, theta: Array, x: Array) -> Array:
        """The outputs h (n, outputs) for rows x (n, inputs). Raises `Invalid` if x has another shape."""
        x = self._rows(x)
        outputs = np.empty((len(x), self.outputs), theta.dtype)
        for rows, output in self._blocks(theta, x):
            outputs[rows] = output.h
        return outputs

    @np.errstate(all="ignore")
    def evaluate(self, theta: Array, batch: Batch) -> tuple[float, Array]:
        """The mean loss over the rows of `batch`, and the output activations h (n, outputs), in one pass."""
        total = 0.0
        outputs = np.empty((len(batch.x), self.outputs), theta.dtype)
        for rows, output in self._blocks(theta, batch.x):
            h = outputs[rows]
            np.copyto(h, output.h)
            total += len(h) * self.loss_function.value(output.a, h, batch.y[rows], None, output.h)
        return total / len(batch.x), outputs

    def loss(self, theta: Array, x: Array, y: Array) -> float:
        """The mean loss over rows x (n, inputs) and targets y. Raises `Invalid` where shapes do not fit."""
        return self.evaluate(theta, self.batch(x, y))[0]


def forward(layers: list[Layer], x: Array) -> Array:
    """From the rows x (n, inputs) up through the layers to the outputs h (n, outputs)."""
    h = x
    for layer in layers:
        activate(layer, h)
        h = layer.h
    return h


def backward(loss: Loss, workspace: Workspace, batch: Batch) -> None:
    """Backpropagation (Rumelhart, Hinton, Williams 1986), after `forward`: the chain rule from the top down.

    First the output gradient; then, layer by layer, the gradients of the parameters, of the activation below,
    and of the pre-activation below.
    """
    layers, gradients = workspace
    output_gradient(loss, layers[-1], gradients[-1], batch.y)
    for k in range(len(layers) - 1, 0, -1):
        parameter_gradients(layers[k - 1].h, gradients[k])
        activation_gradient(layers[k], gradients[k], out=gradients[k - 1].h)
        preactivation_gradient(layers[k - 1], gradients[k - 1])
    parameter_gradients(batch.x, gradients[0])


def output_gradient(loss: Loss, output: Layer, gradients: LayerGradients, y: Array) -> None:
    """The gradient at the output layer's pre-activation a (n, outputs).

    A fused loss gives it at once; any other gives the gradient at h, which then goes through the activation.
    """
    if loss.fused_with:
        loss.gradient(output.a, output.h, y, None, gradients.a)
    else:
        loss.gradient(output.a, output.h, y, None, gradients.h)
        preactivation_gradient(output, gradients)


def _refuse_nonsense(spec: Spec) -> None:
    if not spec.layers:
        raise Invalid("a network needs an output layer: give one layer at least")
    if spec.inputs < 1 or any(layer.units < 1 for layer in spec.layers):
        raise Invalid("inputs and units are whole numbers from 1 up")
    if spec.dtype not in ("float32", "float64"):
        raise Invalid(f"dtype {spec.dtype!r} is none of float32, float64")
    _refuse_unknown("loss", spec.loss, LOSSES)
    for layer in spec.layers:
        _refuse_unknown("activation", layer.activation, ACTIVATIONS)
        _refuse_unknown("initializer", layer.initializer, INITIALIZERS)
    _refuse_meaningless_outputs(spec)


def _refuse_unknown(noun: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise Invalid(f"{noun} {name!r} is none of {', '.join(known)}")


def _refuse_meaningless_outputs(spec: Spec) -> None:
    *hidden, output = spec.layers
    wanted = LOSSES[spec.loss].fused_with
    for layer in hidden:
        if layer.activation in OUTPUT_ONLY:
            raise Invalid(f"{layer.activation} belongs to the output layer: give the hidden layers another activation")
    if wanted and output.activation != wanted:
        raise Invalid(f"{spec.loss} goes with the output activation {wanted}, not {output.activation}")
    if output.activation == "softmax" and output.units < 2:
        raise Invalid("softmax over one output is always 1: give it two outputs, or choose logistic")
