"""Layers and activations as ONNX nodes."""

import math
from collections.abc import Callable

import numpy as np

from backpropd.export.network_layers import FIRE, STEP, PlainLayer
from backpropd.export.onnx_graph import Graph
from backpropd.nn.feedforward.activations import LEAK, SELU_ALPHA, SELU_SCALE
from backpropd.nn.feedforward.normalization import EPSILON


class NetworkGraph:
    """Adds layers that compute in `dtype` to a graph."""

    def __init__(self, graph: Graph, dtype: str) -> None:
        self.graph, self.add, self.dtype = graph, graph.add, np.dtype(dtype)

    def constant(self, value: object) -> str:
        return self.graph.constant(value, self.dtype)

    def layer(self, layer: PlainLayer, h: str) -> str:
        """The activations (n, fan_out) of the inputs h (n, fan_in)."""
        a = self.add("Add", self.add("MatMul", h, self.constant(layer.weight)), self.constant(layer.bias))
        if layer.normalization:
            a = self._normalized(layer, a)
        return ACTIVATIONS[layer.activation](self, a)

    def _normalized(self, layer: PlainLayer, a: str) -> str:
        if layer.normalization == "batch":
            centered, inverse_std = self.add("Sub", a, self.constant(layer.mean)), self.constant(layer.inverse_std)
        else:
            axis = self.graph.constant([1], np.int64)
            centered = self.add("Sub", a, self.add("ReduceMean", a, axis, keepdims=1))
            variance = self.add("ReduceMean", self.add("Mul", centered, centered), axis, keepdims=1)
            std = self.add("Sqrt", self.add("Add", variance, self.constant(EPSILON)))
            inverse_std = self.add("Reciprocal", std)
        scaled = self.add("Mul", self.add("Mul", centered, inverse_std), self.constant(layer.scale))
        return self.add("Add", scaled, self.constant(layer.shift))

    def times(self, x: str, factor: float) -> str:
        return self.add("Mul", x, self.constant(factor))

    def plus(self, x: str, term: float) -> str:
        return self.add("Add", x, self.constant(term))

    def softplus(self, a: str) -> str:
        """max(a, 0) + log(1 + exp(-|a|))."""
        small = self.add("Log", self.plus(self.add("Exp", self.add("Neg", self.add("Abs", a))), 1.0))
        return self.add("Add", self.add("Max", a, self.constant(0.0)), small)

    def expm1_below(self, a: str) -> str:
        """exp(min(a, 0)) - 1."""
        return self.plus(self.add("Exp", self.add("Min", a, self.constant(0.0))), -1.0)

    def logistic(self, a: str) -> str:
        """1 / (1 + exp(-a))."""
        exponent = self.add("Min", self.add("Neg", a), self.constant(80.0))
        return self.add("Reciprocal", self.plus(self.add("Exp", exponent), 1.0))

    def gelu(self, a: str) -> str:
        """The error function exists in single precision alone."""
        erf = self.graph.cast(self.add("Erf", self.graph.cast(self.times(a, math.sqrt(0.5)), np.float32)), self.dtype)
        return self.add("Mul", a, self.times(self.plus(erf, 1.0), 0.5))

    def selu(self, a: str) -> str:
        below = self.times(self.expm1_below(a), SELU_ALPHA)
        is_above = self.add("Greater", a, self.constant(0.0))
        return self.times(self.add("Where", is_above, a, below), SELU_SCALE)

    def exponential(self, a: str) -> str:
        largest = math.floor(math.log(np.finfo(self.dtype).max))
        return self.add("Exp", self.add("Min", a, self.constant(float(largest))))

    def step(self, a: str) -> str:
        return self.graph.cast(self.add("GreaterOrEqual", a, self.constant(0.0)), self.dtype)

    def softmax(self, a: str) -> str:
        return self.add("Softmax", a, axis=1)


Activation = Callable[[NetworkGraph, str], str]

ACTIVATIONS: dict[str, Activation] = {
    "linear": lambda net, a: net.add("Identity", a),
    "logistic": NetworkGraph.logistic,
    "tanh": lambda net, a: net.add("Tanh", a),
    "relu": lambda net, a: net.add("Relu", a),
    "softmax": NetworkGraph.softmax,
    "leaky_relu": lambda net, a: net.add("Max", a, net.times(a, LEAK)),
    "elu": lambda net, a: net.add("Max", a, net.expm1_below(a)),
    "selu": NetworkGraph.selu,
    "gelu": NetworkGraph.gelu,
    "silu": lambda net, a: net.add("Mul", a, net.logistic(a)),
    "mish": lambda net, a: net.add("Mul", a, net.add("Tanh", net.softplus(a))),
    "softplus": NetworkGraph.softplus,
    "softsign": lambda net, a: net.add("Div", a, net.plus(net.add("Abs", a), 1.0)),
    "exponential": NetworkGraph.exponential,
    STEP: NetworkGraph.step,
    FIRE: lambda net, a: net.add("Hardmax", a, axis=1),
}
