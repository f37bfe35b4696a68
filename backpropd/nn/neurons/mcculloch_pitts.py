"""The McCulloch-Pitts neuron: boolean inputs that excite or inhibit, and a threshold (McCulloch and Pitts 1943)."""

from dataclasses import dataclass

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch
from backpropd.nn.interrupts import STOP
from backpropd.nn.layout import Array, Layout
from backpropd.nn.neurons.step_units import Interrupt, LayerValues, Neuron, boolean_rows, boolean_targets, step
from backpropd.nn.neurons.truth_table_search import SearchSpace, ThresholdGate, represent

LARGEST_THRESHOLD = 2**24  # whole numbers up to this one are exact in float32


@dataclass(frozen=True)
class McCullochPitts(Neuron):
    """A neuron over `inputs` booleans: the aggregate g(x) is the sum of the excitatory inputs that are active.

    It answers f(g) = 1 where g >= `threshold`, else 0; and 0 wherever an inhibitory input is active, for any g:
    absolute inhibition, as in McCulloch and Pitts (1943). `inhibitory` has the indices of the inhibitory inputs;
    where it or `threshold` is None, training searches it. `names` (x1, x2, ... by default) are for messages.

    In theta an excitatory weight is 1, an inhibitory one -inputs, and the bias -threshold. Since g is less than
    `inputs` if any input is inhibitory, the veto and the threshold are then one step: x·w + bias >= 0.

    Raises `Invalid` for parameters out of range.
    """

    inputs: int
    inhibitory: tuple[int, ...] | None = ()
    threshold: int | None = None
    dtype: str = "float32"
    names: tuple[str, ...] = ()

    learning_rate = 0.0  # nothing is learned
    iterative = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.inhibitory or ()) <= set(range(self.inputs)):
            raise Invalid(f"inhibitory inputs are indices from 0 to {self.inputs - 1}")
        if not 0 <= (self.threshold or 0) <= LARGEST_THRESHOLD:
            raise Invalid(f"a threshold is a whole number from 0 to {LARGEST_THRESHOLD}")
        if self.names and len(self.names) != self.inputs:
            raise Invalid(f"{len(self.names)} names do not fit {self.inputs} inputs: give each its own")

    @property
    def layout(self) -> Layout:
        """The positions of the weights and the threshold in theta (inputs + 1,)."""
        return Layout({"layers.0.weight": (self.inputs, 1), "layers.0.bias": (1,)})

    def initialize(self, rng: np.random.Generator) -> Array:
        """The theta (inputs + 1,) of the given neuron; zeros if `inhibitory` or `threshold` is searched."""
        if self.inhibitory is None or self.threshold is None:
            return super().initialize(rng)
        return self._theta(ThresholdGate(self._mask(self.inhibitory), self.threshold))

    def decode(self, theta: Array) -> tuple[tuple[int, ...], int]:
        """The indices of the inhibitory inputs, and the threshold, from theta."""
        weight, bias = theta[:-1], theta[-1]
        return tuple(np.flatnonzero(weight < 0).tolist()), int(-bias)

    def g(self, theta: Array, x: Array) -> Array:
        """The aggregate (n,) of rows x (n, inputs): the number of active excitatory inputs in each."""
        return np.asarray(boolean_rows(x, self.inputs) @ (theta[:-1] > 0).astype(np.intp))

    def forward(self, theta: Array, x: Array) -> list[LayerValues]:
        """For rows x (n, inputs) of 0 and 1: a = x·w + bias (n, 1), and the answer h, its step.

        Without a veto a is g - threshold; every active inhibitory input lowers it by `inputs`. Raises `Invalid` for
        other values than 0 and 1.
        """
        weight, bias = self.layout.views(theta).values()
        a = boolean_rows(x, self.inputs).astype(theta.dtype) @ weight + bias
        return [LayerValues(a, step(a))]

    def batch(self, x: Array, y: Array) -> Batch:
        """Rows x (n, inputs) and targets y (n, 1), all 0 or 1, as booleans (n, inputs) and (n,). Raises `Invalid`."""
        return Batch(boolean_rows(x, self.inputs), boolean_targets(y, len(x)))

    def learn(self, theta: Array, batch: Batch, rng: np.random.Generator, interrupt: Interrupt) -> bool:
        """Write the neuron into theta, as given or as the search finds it. False if it was interrupted before.

        `TIME_IS_UP` does not keep the search, which is short, from its result: without one there is no neuron.
        Raises `NotRepresentable` if the search finds no neuron that answers every row correctly.
        """
        if interrupt[0] == STOP:
            return False
        if self.inhibitory is not None and self.threshold is not None:
            theta[:] = self.initialize(rng)
            return True
        mask = None if self.inhibitory is None else self._mask(self.inhibitory)
        names = self.names or [f"x{index + 1}" for index in range(self.inputs)]
        theta[:] = self._theta(represent(batch.x, batch.y, SearchSpace(mask, self.threshold), names, interrupt))
        return True

    def _mask(self, inhibitory: tuple[int, ...]) -> Array:
        return np.isin(np.arange(self.inputs), inhibitory)

    def _theta(self, gate: ThresholdGate) -> Array:
        weight = np.where(gate.inhibitory, -self.inputs, 1)
        return np.append(weight, -gate.threshold).astype(self.dtype)
