"""Integrated gradients: how much each input contributes to an output, compared with that of a baseline."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.layers import Layer, activate
from backpropd.nn.feedforward.network import Network
from backpropd.nn.inspection.trace import FrozenNormalization
from backpropd.nn.layout import Array

INTERVALS = 8  # of the path from the baseline to the row, at first
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)  # in [-1, 1]; exact for polynomials up to degree 7
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2  # in [0, 1]
MIN_EVALUATIONS = INTERVALS * (len(NODES) + 1) + 1
SPLIT_EVALUATIONS = 2 * len(NODES) + 1  # two parts, and the value between them
MIN_SHARE = 0.1  # of the length of an interval, for a part that is not half of it
TOLERANCE = 1e-8  # of an interval, relative to the values of the function
BLOCK_NUMBERS = 2**20  # in buffers: 8 MiB


class Attributions(NamedTuple):
    """What each input (inputs,) contributes; they add up to `output` - `baseline`, up to `error`, which is positive."""

    output: float
    baseline: float
    attributions: Array
    error: float


class ScalarOutput:
    """One number f(x) of a network in prediction, in float64: a weighted sum of the outputs.

    `weights` is (outputs,). The outputs are pre-activations a, or with `activated` activations h. There is no dropout,
    and batch normalization uses its running statistics.
    """

    def __init__(self, network: Network, theta: Array, weights: Array, *, activated: bool) -> None:
        layers = tuple(replace(layer, dropout=0.0) for layer in network.spec.layers)
        self._network = Network(replace(network.spec, layers=layers, dtype="float64"))  # theta's layout is the same
        self._theta, self._weights, self._activated = np.asarray(theta, np.float64), weights, activated
        units = sum(layer.units for layer in layers)
        self.block_rows = max(BLOCK_NUMBERS // (2 * network.spec.inputs + 6 * units), len(NODES))

    def with_weights(self, weights: Array) -> ScalarOutput:
        """The sum with other weights (outputs,) of the same network and parameters, which are not copied."""
        other = copy(self)
        other._weights = weights
        return other

    def values(self, x: Array) -> Array:
        """f (n,) of rows x (n, inputs)."""
        return np.concatenate([self._forward(block)[1] for block in self._blocks(x)])

    def gradients(self, x: Array) -> Array:
        """The gradient of f at each of at most `block_rows` rows x (n, inputs), of the same shape: the chain rule."""
        layers, _ = self._forward(x)
        gradient = np.tile(self._weights, (len(x), 1))
        for index in range(len(layers) - 1, -1, -1):
            layer = layers[index]
            if index < len(layers) - 1 or self._activated:
                at_a = np.empty_like(layer.a)
                layer.activation.backward(layer.a, layer.h, gradient, at_a)
                gradient = at_a
            if layer.normalization and layer.inverse_std is not None:
                unused = np.empty((2, layer.a.shape[1]))
                layer.normalization.backward(gradient, layer.inverse_std, *unused)
            gradient = gradient @ layer.weight.T  # (n, fan_out) @ (fan_out, fan_in)
            if layer.input_scale is not None:
                gradient *= layer.input_scale
        return gradient

    def _blocks(self, x: Array) -> list[Array]:
        return [x[start : start + self.block_rows] for start in range(0, len(x), self.block_rows)]

    def _forward(self, x: Array) -> tuple[list[Layer], Array]:
        layers, h = self._network.layers(self._theta, len(x)), np.ascontiguousarray(x, np.float64)
        for layer in layers:
            if layer.normalization:
                layer.normalization = FrozenNormalization(*layer.normalization)
            activate(layer, h, None)
            h = layer.output
        return layers, (h if self._activated else layers[-1].a) @ self._weights


@np.errstate(all="ignore")
def integrated_gradients(
    function: ScalarOutput, row: Array, baseline: Array, max_evaluations: int = 4096
) -> Attributions:
    """The attributions of the inputs of `row` (inputs,) against those of `baseline` (inputs,).

    That of input i is (row_i - baseline_i) ∫ ∂f/∂x_i (baseline + t (row - baseline)) dt for t from 0 to 1
    (Sundararajan, Taly and Yan 2017, Axiomatic Attribution for Deep Networks, equation 1). They add up to f(row) -
    f(baseline). The integral is a sum over intervals by Gauss-Legendre quadrature with four nodes. An interval whose
    contributions do not add up to the change of f over it, such as one with a kink of a ReLU, is split, until they do
    or f and its gradient were evaluated about `max_evaluations` times, which are at least `MIN_EVALUATIONS`.
    """
    change, total = row - baseline, np.zeros(len(row))
    edges = np.linspace(0, 1, INTERVALS + 1)
    at_edges = function.values(baseline + edges[:, None] * change)
    first, last = float(at_edges[0]), float(at_edges[-1])
    tolerance = TOLERANCE * max(abs(first), abs(last), abs(last - first))
    # one interval a row: its start, its end, and f at both
    pending = np.column_stack([edges[:-1], edges[1:], at_edges[:-1], at_edges[1:]])
    budget = max_evaluations - MIN_EVALUATIONS
    while len(pending):
        count = max(function.block_rows // len(NODES), 1)
        block, pending = pending[:count], pending[count:]
        integrals, slopes = _integrals(function, baseline, change, block)
        defects = np.abs(block[:, 3] - block[:, 2] - integrals.sum(axis=1))
        order = np.argsort(-defects)[: max(budget // SPLIT_EVALUATIONS, 0)]
        split = order[defects[order] > tolerance]
        total += np.delete(integrals, split, axis=0).sum(axis=0)
        if len(split):
            budget -= SPLIT_EVALUATIONS * len(split)
            pending = np.concatenate([pending, _parts(function, baseline, change, block[split], slopes[split])])
    return Attributions(last, first, total, abs(float(total.sum()) - (last - first)))


def _integrals(
    function: ScalarOutput, baseline: Array, change: Array, intervals: Array
) -> tuple[Array, NDArray[np.float64]]:
    """The contribution (m, inputs) of each input on each interval, and the slopes (m, 2) of f near both its ends."""
    start, length = intervals[:, :1], intervals[:, 1:2] - intervals[:, :1]
    t = (start + length * NODES).reshape(-1, 1)
    gradients = function.gradients(baseline + t * change).reshape(len(intervals), len(NODES), -1)
    integrals: Array = np.einsum("n,mni->mi", WEIGHTS, gradients) * length * change
    return integrals, gradients[:, [0, -1]] @ change


def _parts(
    function: ScalarOutput, baseline: Array, change: Array, intervals: Array, slopes: Array
) -> NDArray[np.float64]:
    """Two intervals for each: they meet where its tangents do, which is the kink if f is linear on both sides of one.

    They meet in the middle if the tangents have no such point, or if one part would be far shorter than the other.
    """
    start, end, at_start, at_end = intervals.T
    first, last = slopes.T
    length = end - start
    share = ((at_end - at_start) / length - last) / (first - last)
    share = np.where((share > MIN_SHARE) & (share < 1 - MIN_SHARE), share, 0.5)
    between = start + share * length
    at_between = function.values(baseline + between[:, None] * change)
    left, right = (start, between, at_start, at_between), (between, end, at_between, at_end)
    return np.concatenate([np.column_stack(left), np.column_stack(right)])
