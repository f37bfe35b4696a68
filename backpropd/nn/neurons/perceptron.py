"""The perceptron: a weighted sum and a step, learned row by row from its mistakes (Rosenblatt 1958)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.layout import Array, Layout
from backpropd.nn.neurons.step_units import (
    BLOCK_ROWS,
    Interrupt,
    LayerValues,
    Neuron,
    boolean_targets,
    checked_rows,
    learn_in_random_order,
    step,
)


@dataclass(frozen=True)
class Perceptron(Neuron):
    """One perceptron for two classes, one per class for more; a = x·w + b over real inputs.

    A single perceptron fires, which answers the second class, where a >= 0. Of several, the one with the largest a
    fires, the first in a tie (Duda and Hart 1973, Kesler's construction; Crammer and Singer 2003).

    For each row, in a new random order every epoch, theta changes only if the answer is wrong: w += learning_rate * x
    (y - h) and b += learning_rate * (y - h), where y and h are 0 or 1, of each perceptron: x is added to the weights of
    the correct class and subtracted from those of the answered one. If a plane (or one per class) separates the rows,
    the number of mistakes is bounded and the rule converges (Novikoff 1962); otherwise it never does (Minsky and
    Papert 1969).

    `engine` is "numba" for the compiled loop over rows, "numpy" for its readable reference: the same bytes. Raises
    `Invalid` for parameters out of range.
    """

    inputs: int
    classes: int = 2
    learning_rate: float = 1.0
    dtype: str = "float32"
    engine: Literal["numba", "numpy"] = "numba"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes < 2:
            raise Invalid("a perceptron has at least two classes")

    @property
    def outputs(self) -> int:
        """The number of perceptrons."""
        return 1 if self.classes == 2 else self.classes

    @property
    def layout(self) -> Layout:
        """The positions of the weights and biases in theta ((inputs + 1) * outputs,)."""
        return Layout({"layers.0.weight": (self.inputs, self.outputs), "layers.0.bias": (self.outputs,)})

    @np.errstate(all="ignore")
    def forward(self, theta: Array, x: Array) -> list[LayerValues]:
        """For rows x (n, inputs): the pre-activations a (n, outputs), and h, 1 for the perceptron that fires.

        Raises `Invalid` if x has another shape.
        """
        a = preactivation(checked_rows(x, self.inputs, self.dtype), *self.layout.views(theta).values())
        return [LayerValues(a, fire(a))]

    @np.errstate(all="ignore")
    def batch(self, x: Array, y: Array) -> Batch:
        """Rows in theta's dtype, and the classes (n,) of targets y: (n, 1) of 0 and 1, or class indices (n,).

        Raises `Invalid` where shapes do not fit, there are no rows, a class is out of range, or an x is not finite.
        """
        rows = checked_rows(x, self.inputs, self.dtype)
        if not np.isfinite(rows).all():
            raise Invalid(f"x holds numbers that are not finite in {self.dtype}: scale the inputs, or leave them out")
        if self.outputs == 1:
            return Batch(rows, boolean_targets(y, len(x)).astype(np.intp))
        if y.shape != (len(x),) or y.dtype.kind not in "iu" or not len(x):
            raise Invalid(
                f"y is {y.dtype}{y.shape} for {len(x)} rows: give a class index for each, and one row at least"
            )
        if not 0 <= int(y.min()) <= int(y.max()) < self.classes:
            raise Invalid(f"classes run from {y.min()} to {y.max()}: there are {self.classes} perceptrons")
        return Batch(rows, y.astype(np.intp))

    def mistakes(self, theta: Array, batch: Batch) -> int:
        """The number of rows answered wrongly."""
        if self.outputs == 1:
            return super().mistakes(theta, batch)
        return int(np.count_nonzero(self.predict(theta, batch.x).argmax(axis=1) != batch.y))

    def learn(self, theta: Array, batch: Batch, rng: np.random.Generator, interrupt: Interrupt) -> bool:
        """One epoch of the perceptron rule, in place; False if it was interrupted in the middle."""
        learn_rows = _compiled_rule() if self.engine == "numba" else learn_rows_numpy
        weight, bias = self.layout.views(theta).values()
        rate = theta.dtype.type(self.learning_rate)
        return learn_in_random_order(
            lambda order: learn_rows(batch.x, batch.y, order, weight, bias, rate), len(batch.x), rng, interrupt
        )


def preactivation(x: Array, weight: Array, bias: Array) -> Array:
    """a = x·w + b (n, outputs), summed input by input.

    Every row's sum is rounded in the same order, here and in the compiled loop, whatever the other rows are. BLAS
    guarantees neither. So a row that is learned correctly is also predicted correctly.
    """
    a = np.empty((len(x), len(bias)), weight.dtype)
    for start in range(0, len(x), BLOCK_ROWS):
        block, rows = a[start : start + BLOCK_ROWS], x[start : start + BLOCK_ROWS]
        block[:] = bias
        for index in range(x.shape[1]):
            block += rows[:, index, np.newaxis] * weight[index]
    return a


def fire(a: Array) -> Array:
    """The activations h (n, outputs): the step of one output; of several 1 for the largest a, else 0."""
    if a.shape[1] == 1:
        return step(a)
    return np.asarray(np.eye(a.shape[1], dtype=a.dtype)[a.argmax(axis=1)])


def learn_rows_numpy(x: Array, y: Array, order: Array, weight: Array, bias: Array, rate: np.floating) -> None:
    """The perceptron rule for the rows x (n, inputs), of classes y (n,), whose indices are in `order`."""
    for i in order:
        h = fire(preactivation(x[i : i + 1], weight, bias))[0]
        target = y[i : i + 1] if len(bias) == 1 else np.arange(len(bias)) == y[i]
        change = rate * (target - h).astype(weight.dtype)  # 0 for every correct perceptron
        weight += np.outer(x[i], change)
        bias += change


def _compiled_rule() -> Callable[[Array, Array, Array, Array, Array, np.floating], None]:
    """`learn_rows_numpy`, compiled."""
    from backpropd.nn.kernels.perceptrons import learn_rows  # and with it Numba, which only training needs

    return learn_rows
