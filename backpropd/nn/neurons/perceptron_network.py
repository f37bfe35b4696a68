"""A layered network of perceptrons that represents any boolean function of its inputs (Minsky and Papert 1969)."""

from dataclasses import dataclass

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.layout import Array, Layout
from backpropd.nn.neurons.step_units import (
    Interrupt,
    LayerValues,
    Neuron,
    boolean_rows,
    boolean_targets,
    learn_in_random_order,
    step,
)

MAX_INPUTS = 12  # 4096 hidden perceptrons; each further input doubles them


@dataclass(frozen=True)
class PerceptronNetwork(Neuron):
    """`inputs` booleans, 2^inputs hidden perceptrons of which exactly one fires for each row, one output perceptron.

    Inputs 0 and 1 are coded -1 and +1. The weights of hidden perceptron k are the binary digits of k (the first input
    the highest), coded the same way, and its bias is -inputs: it fires where x·w - inputs >= 0, which is for the one
    row that equals its weights. This layer is fixed. The output perceptron fires where h·w + b >= 0, and w and b are
    learned by the perceptron rule (Rosenblatt 1958); b is the negative of the textbook threshold w_0. Every row
    has its own hidden perceptron, and so its own weight: for any function, w separates the rows, and the rule
    converges (Novikoff 1962). A row that was not in training is answered by b alone.

    Raises `Invalid` for parameters out of range, such as more than 12 inputs.
    """

    inputs: int
    learning_rate: float = 1.0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if not 1 <= self.inputs <= MAX_INPUTS:
            raise Invalid(
                f"a network of perceptrons has one hidden perceptron for each of the 2^inputs rows: "
                f"give it 1 to {MAX_INPUTS} inputs, not {self.inputs}"
            )
        super().__post_init__()

    @property
    def hidden(self) -> int:
        """The number of hidden perceptrons."""
        return 1 << self.inputs

    @property
    def layout(self) -> Layout:
        """The positions of the weights and biases of both layers in theta."""
        return Layout(
            {
                "layers.0.weight": (self.inputs, self.hidden),
                "layers.0.bias": (self.hidden,),
                "layers.1.weight": (self.hidden, 1),
                "layers.1.bias": (1,),
            }
        )

    def initialize(self, rng: np.random.Generator) -> Array:
        """A theta whose hidden layer is the fixed one, and whose output perceptron is zero."""
        theta = super().initialize(rng)
        views = self.layout.views(theta)
        digits = np.arange(self.hidden) >> np.arange(self.inputs)[::-1, np.newaxis] & 1
        views["layers.0.weight"][:] = 2 * digits - 1
        views["layers.0.bias"][:] = -self.inputs
        return theta

    def forward(self, theta: Array, x: Array) -> list[LayerValues]:
        """For rows x (n, inputs) of 0 and 1: a and h of the hidden layer (n, 2^inputs), and of the output (n, 1).

        Raises `Invalid` for other values than 0 and 1.
        """
        hidden_weight, hidden_bias, weight, bias = self.layout.views(theta).values()
        coded = 2 * boolean_rows(x, self.inputs).astype(theta.dtype) - 1
        hidden = coded @ hidden_weight + hidden_bias
        h = step(hidden)
        a = h @ weight + bias
        return [LayerValues(hidden, h), LayerValues(a, step(a))]

    def batch(self, x: Array, y: Array) -> Batch:
        """For rows x (n, inputs) and targets y (n, 1), all 0 or 1: the hidden perceptron that fires, and y (n,).

        Each row is an index (n,) instead of 2^inputs activations, all but one of them 0. Raises `Invalid`.
        """
        units = boolean_rows(x, self.inputs) @ (1 << np.arange(self.inputs)[::-1])
        return Batch(units, boolean_targets(y, len(x)).astype(np.intp))

    def mistakes(self, theta: Array, batch: Batch) -> int:
        """The number of rows answered wrongly."""
        *_, weight, bias = self.layout.views(theta).values()
        return int(np.count_nonzero((weight[batch.x, 0] + bias >= 0) != batch.y))

    def learn(self, theta: Array, batch: Batch, rng: np.random.Generator, interrupt: Interrupt) -> bool:
        """One epoch of the perceptron rule for the output, in place; False if it was interrupted in the middle."""
        from backpropd.nn.kernels.perceptrons import learn_units  # and with it Numba, which only training needs

        *_, weight, bias = self.layout.views(theta).values()
        rate = theta.dtype.type(self.learning_rate)
        return learn_in_random_order(
            lambda order: learn_units(batch.x, batch.y, order, weight[:, 0], bias, rate), len(batch.x), rng, interrupt
        )
