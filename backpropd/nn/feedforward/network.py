"""The feed-forward network: forward and backward passes over a flat theta, prediction and loss."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.activations import ACTIVATIONS
from backpropd.nn.feedforward.layers import (
    Layer,
    LayerGradients,
    activate,
    activation_gradient,
    parameter_gradients,
    preactivation_gradient,
)
from backpropd.nn.feedforward.losses import LOSSES, Loss
from backpropd.nn.feedforward.normalization import Normalization
from backpropd.nn.feedforward.parametrization import RateSegment, initial_bias, rate_segments
from backpropd.nn.feedforward.spec import Spec, check, initializer_of, layout_of
from backpropd.nn.layout import Array

BLOCK_ROWS = 1024  # rows predicted at a time, so that the memory of buffers is bounded


class Batch(NamedTuple):
    """Rows x (n, inputs), and targets y: class indices (n,) or numbers (n, outputs), as the loss requires.

    `weight` (n,) are the weights of the rows, 1 on average; None for equal weights.
    """

    x: Array
    y: Array
    weight: Array | None = None


class Workspace(NamedTuple):
    """What a pass over n rows reads and writes: views of theta and of the gradient, buffers for n rows."""

    layers: list[Layer]
    gradients: list[LayerGradients]


class Network:
    """The mathematics of a `Spec`. It has no parameters of its own: theta is an argument, with the layout `layout`.

    Raises `Invalid` for a spec that has no meaning.
    """

    def __init__(self, spec: Spec) -> None:
        check(spec)
        self.spec = spec
        self.loss_function: Loss = LOSSES[spec.loss](**spec.loss_parameters)
        self.outputs = spec.layers[-1].units
        self.layout = layout_of(spec)

    @property
    def parameters(self) -> int:
        """The number of learned parameters: the length of theta without the running statistics."""
        return self.layout.trainable

    @property
    def rate_segments(self) -> list[RateSegment]:
        """The learned parameters as ranges of theta, each with the factor of its learning rate."""
        return rate_segments(self.layout, self.spec.parametrization)

    def initialize(self, rng: np.random.Generator) -> Array:
        """A new theta: weights drawn by each layer's initializer, in order; scales and variances 1."""
        theta = self.layout.zeros(self.spec.dtype)
        for name, view in self.layout.views(theta).items():
            _, index, noun = name.split(".")
            if noun == "weight":
                view[:] = initializer_of(self.spec.layers[int(index)]).draw(rng, *view.shape)
            elif noun == "bias":
                hidden = int(index) < len(self.spec.layers) - 1
                view[:] = initial_bias(rng, len(view), self.spec.parametrization, hidden=hidden)
            elif noun in ("input_scale", "scale", "running_variance"):
                view[:] = 1
        return theta

    def batch(self, x: Array, y: Array, weight: Array | None = None) -> Batch:
        """Rows and targets in the network's dtype, contiguous, copied only if they are not.

        Raises `Invalid` if shapes do not fit the network, there are no rows, or a class index is out of range.
        """
        rows = self.rows(x)
        targets = self._targets(y)
        if not len(rows) or len(rows) != len(targets):
            raise Invalid(f"x has {len(rows)} rows and y {len(targets)}: they must have the same number, at least one")
        if weight is not None and weight.shape != (len(rows),):
            raise Invalid(f"weight has the shape {weight.shape}: it must be ({len(rows)},), one number for each row")
        return Batch(rows, targets, None if weight is None else np.ascontiguousarray(weight, self.spec.dtype))

    def rows(self, x: Array) -> Array:
        """The rows x (n, inputs) in the network's dtype, contiguous. Raises `Invalid` if x has another shape."""
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
        """Buffers for passes over `rows` rows; parameters are views of `theta`, their gradients of `gradient`."""
        views, layers, ones = self.layout.views(gradient), self.layers(theta, rows), np.ones(rows, theta.dtype)
        gradients = [
            LayerGradients(**_of_layer(views, index), a=np.empty_like(layer.a), h=np.empty_like(layer.h), ones=ones)
            for index, layer in enumerate(layers)
        ]
        return Workspace(layers, gradients)

    def layers(self, theta: Array, rows: int) -> list[Layer]:
        """The layers, with parameters as views of `theta` and buffers for `rows` rows."""
        layers, views = [], self.layout.views(theta)
        for index, spec in enumerate(self.spec.layers):
            own = _of_layer(views, index)
            a, h = (np.empty((rows, spec.units), theta.dtype) for _ in range(2))
            statistics = own.get("running_mean"), own.get("running_variance")
            layer = Layer(ACTIVATIONS[spec.activation], own["weight"], own.get("bias"), None, spec.dropout, a, h, h)
            if "input_scale" in own:
                layer.input_scale = own["input_scale"]
                layer.inputs = np.empty((rows, len(layer.input_scale)), theta.dtype)
            if spec.normalization:
                layer.normalization = Normalization(own["scale"], own["shift"], *statistics, np.empty_like(a))
            if spec.dropout:
                layer.output, layer.mask = np.empty_like(h), np.empty_like(h)
            layers.append(layer)
        return layers

    def loss_and_gradient(self, workspace: Workspace, batch: Batch, rng: np.random.Generator) -> float:
        """Return the loss of the batch in training, and write its gradient to the `gradient` of the workspace.

        The batch must have as many rows as the workspace. Only dropout draws from `rng`. At most a few numbers a row
        are allocated.
        """
        output, scratch = workspace.layers[-1], workspace.gradients[-1].a
        forward(workspace.layers, batch.x, rng)
        loss = self.loss_function.value(output.a, output.h, batch.y, batch.weight, scratch)
        backward(self.loss_function, workspace, batch)
        return loss

    def _blocks(self, theta: Array, x: Array) -> Iterator[tuple[slice, Layer]]:
        """The output layer for each block of rows; the next block overwrites its buffers."""
        layers: list[Layer] = []
        for start in range(0, len(x), BLOCK_ROWS):
            block = x[start : start + BLOCK_ROWS]
            if not layers or len(layers[0].a) != len(block):
                layers = self.layers(theta, len(block))
            forward(layers, block)
            yield slice(start, start + len(block)), layers[-1]

    @np.errstate(all="ignore")
    def predict(self, theta: Array, x: Array) -> Array:
        """The outputs h (n, outputs) for rows x (n, inputs). Raises `Invalid` if x has another shape."""
        x = self.rows(x)
        if len(x) <= BLOCK_ROWS:
            return forward(self.layers(theta, len(x)), x)
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
            weight = None if batch.weight is None else batch.weight[rows]
            total += len(h) * self.loss_function.value(output.a, h, batch.y[rows], weight, output.h)
        return total / len(batch.x), outputs

    def loss(self, theta: Array, x: Array, y: Array, weight: Array | None = None) -> float:
        """The mean loss over rows x (n, inputs), targets y, weights (n,). Raises `Invalid` where shapes do not fit."""
        return self.evaluate(theta, self.batch(x, y, weight))[0]


def _of_layer(views: Mapping[str, Array], index: int) -> dict[str, Array]:
    """The views of one layer, by the last part of their names."""
    prefix = f"layers.{index}."
    return {name.removeprefix(prefix): view for name, view in views.items() if name.startswith(prefix)}


def forward(layers: list[Layer], x: Array, rng: np.random.Generator | None = None) -> Array:
    """From the rows x (n, inputs) through the layers to the outputs h (n, outputs); with `rng`, as in training."""
    h = x
    for layer in layers:
        activate(layer, h, rng)
        h = layer.output
    return h


def backward(loss: Loss, workspace: Workspace, batch: Batch) -> None:
    """Backpropagation (Rumelhart, Hinton, Williams 1986), after `forward`: the chain rule from the output back.

    First the output gradient; then, layer by layer, the gradients of the parameters, of the preceding layer's
    activation, and of its pre-activation.
    """
    layers, gradients = workspace
    output_gradient(loss, layers[-1], gradients[-1], batch)
    for k in range(len(layers) - 1, 0, -1):
        parameter_gradients(layers[k], layers[k - 1].output, gradients[k])
        activation_gradient(layers[k], gradients[k], layers[k - 1], out=gradients[k - 1].h)
        preactivation_gradient(layers[k - 1], gradients[k - 1])
    parameter_gradients(layers[0], batch.x, gradients[0])


def output_gradient(loss: Loss, output: Layer, gradients: LayerGradients, batch: Batch) -> None:
    """The gradient at the output layer's pre-activation a (n, outputs).

    A fused loss gives it directly; any other gives the gradient at h, which the activation's derivative takes to a.
    """
    if loss.fused_with:
        loss.gradient(output.a, output.h, batch.y, batch.weight, gradients.a)
    else:
        loss.gradient(output.a, output.h, batch.y, batch.weight, gradients.h)
        preactivation_gradient(output, gradients)
