"""The threshold neurons: their resolved specs, and how they are built and trained by rules without a gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from backpropd import errors, nn
from backpropd.learn.json_fields import algorithm
from backpropd.learn.network_kinds.base import (
    FitInputs,
    ResolvedNetwork,
    ResolvedSpec,
    ResolvedTraining,
    TrainableNetwork,
)
from backpropd.nn.inspection.trace import ModelTrace, trace_neuron
from backpropd.nn.layout import Array
from backpropd.nn.neurons.perceptron_network import MAX_INPUTS
from backpropd.nn.training.epochs import Metrics
from backpropd.tabular import ColumnInfo, TargetEncoder

DTYPE = "float64"
SEARCH = "search"
DEFAULT_RATE = 1.0
"""The learning rate of the perceptron rule."""


class ThresholdNetwork(ResolvedNetwork):
    """One kind of threshold neuron."""

    takes_booleans: ClassVar[bool] = True
    scales_booleans: ClassVar[bool] = False
    iterative: ClassVar[bool] = True
    """Whether it is trained over several epochs."""
    fixed: ClassVar[Mapping[str, str]] = {}
    """By name, why a parameter keeps its value."""

    @classmethod
    @abstractmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        """From the network of a request. Raises `errors.Invalid` and its subclasses."""

    @abstractmethod
    def neuron(self, width: int, features: Sequence[str], learning_rate: float) -> nn.Neuron:
        """The neuron over `width` encoded inputs."""


@dataclass(frozen=True, kw_only=True)
class McCullochPittsNetwork(ThresholdNetwork):
    """The inhibitory inputs by name, and the threshold; either may be "search"."""

    kind: str = "mcculloch_pitts"
    iterative: ClassVar[bool] = False
    inhibitory: Sequence[str] | str
    threshold: int | str
    outputs = 1
    initial_parameters = None

    @classmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        inhibitory, inputs, seen = requested["inhibitory"], set(features), set[str]()
        for index, name in enumerate([] if inhibitory == SEARCH else inhibitory):
            pointer = f"/network/inhibitory/{index}"
            if name not in inputs:
                listed = ", ".join(features)
                raise errors.UnknownColumn(f"{name!r} is no input; the inputs are: {listed}", pointer=pointer)
            if name in seen:
                raise errors.Invalid(f"{name!r} is listed twice: name it once", pointer=pointer)
            seen.add(name)
        return cls(inhibitory=inhibitory, threshold=requested["threshold"])

    def neuron(self, width: int, features: Sequence[str], learning_rate: float) -> nn.McCullochPitts:
        places = {name: index for index, name in enumerate(features)}
        inhibitory = None if self.inhibitory == SEARCH else tuple(places[name] for name in self.inhibitory)
        threshold = self.threshold if isinstance(self.threshold, int) else None
        return nn.McCullochPitts(len(features), inhibitory, threshold, DTYPE, tuple(features))

    def describe(self, theta: Array, features: Sequence[str]) -> dict[str, Any]:
        """The inhibitory inputs and the threshold that were set or found."""
        found, threshold = self.neuron(len(features), features, DEFAULT_RATE).decode(theta)
        inhibitory = set(found)
        return {
            "kind": self.kind,
            "inhibitory": [features[index] for index in sorted(inhibitory)],
            "excitatory": [name for index, name in enumerate(features) if index not in inhibitory],
            "threshold": threshold,
        }


@dataclass(frozen=True, kw_only=True)
class PerceptronLayer(ThresholdNetwork):
    """One perceptron for two classes, else one for each class, over inputs of any kind."""

    kind: str = "perceptron"
    takes_booleans: ClassVar[bool] = False
    outputs: int
    initial_parameters: Mapping[str, Any] | None = None

    @classmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        outputs = 1 if target.distinct == 2 else target.level_count
        return cls(outputs=outputs, initial_parameters=requested.get("initial_parameters"))

    def neuron(self, width: int, features: Sequence[str], learning_rate: float) -> nn.Neuron:
        return nn.Perceptron(width, max(self.outputs, 2), learning_rate, DTYPE)


@dataclass(frozen=True, kw_only=True)
class PerceptronNetwork(ThresholdNetwork):
    """A hidden perceptron for each row of the truth table, and an output perceptron."""

    kind: str = "perceptron_network"
    fixed: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("layers.0.weight", "layers.0.bias"), "the hidden perceptrons are fixed, one for each row of the truth table"
    )
    hidden_units: int
    outputs: int = 1
    initial_parameters: Mapping[str, Any] | None = None

    @classmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        if len(features) > MAX_INPUTS:
            detail = f"a {cls.kind} has 2^inputs hidden perceptrons, and at most {MAX_INPUTS} inputs: name fewer"
            raise errors.Invalid(detail, pointer="/features")
        return cls(hidden_units=2 ** len(features), initial_parameters=requested.get("initial_parameters"))

    def neuron(self, width: int, features: Sequence[str], learning_rate: float) -> nn.Neuron:
        return nn.PerceptronNetwork(width, learning_rate, DTYPE)


NETWORKS: Mapping[str, type[ThresholdNetwork]] = {
    network.kind: network for network in (McCullochPittsNetwork, PerceptronLayer, PerceptronNetwork)
}


@dataclass(frozen=True, kw_only=True)
class ThresholdTraining(ResolvedTraining):
    """Training by the perceptron rule, given as SGD; a McCulloch-Pitts neuron has no optimizer."""

    optimizer: nn.SGD | None = field(default=None, metadata=algorithm({"sgd": nn.SGD}))

    def to_json(self) -> dict[str, Any]:
        """The fields that mean something for a threshold neuron."""
        stored = {name: getattr(self, name) for name in ("epochs", "validation_fraction", "seed", "dtype")}
        if self.max_seconds is not None:
            stored["max_seconds"] = self.max_seconds
        if self.feature_scaling != "standard":
            stored["feature_scaling"] = self.feature_scaling
        if self.snapshots is not None:
            stored["snapshots"] = self.snapshots
        rate = self.learning_rate
        return stored if rate is None else {"optimizer": {"name": "sgd", "learning_rate": rate}, **stored}


class TrainableThreshold(TrainableNetwork):
    """A threshold neuron and how it is trained."""

    def __init__(self, spec: ThresholdSpec, width: int) -> None:
        self.spec = spec
        self.neuron = spec.network.neuron(width, spec.feature_names, spec.training.learning_rate or DEFAULT_RATE)
        self.layout, self.dtype, self.fixed = self.neuron.layout, DTYPE, spec.network.fixed
        self.parameters = self.layout.size
        self.activations = ["step"] * (len(self.layout.shapes) // 2)

    def start(self, rng: np.random.Generator) -> nn.State:
        return nn.start_neuron(self.neuron, rng)

    def restore(self, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> nn.State:
        return nn.restore_neuron(self.neuron, arrays, meta)

    def epoch_chunks(self, inputs: FitInputs, max_epochs: int | None) -> Iterator[list[nn.Epoch]]:
        training_set, validation_set, state = inputs.training_set, inputs.validation_set, inputs.state
        fit = nn.fit_neuron(
            self.neuron,
            training_set,
            validation_set,
            state,
            epochs=self.spec.training.epochs,
            max_seconds=inputs.max_seconds,
            interrupt=inputs.interrupt,
            clock=inputs.clock,
        )
        return ([epoch] for epoch in fit)

    def evaluate(self, theta: Array, batch: nn.Batch) -> tuple[float, Array]:
        mistakes = self.neuron.mistakes(theta, self.neuron.batch(batch.x, batch.y))
        return mistakes / len(batch.y), self.predict(theta, batch.x)

    def predict(self, theta: Array, x: Array) -> Array:
        return self.neuron.predict(theta, x)

    def trace(self, theta: Array, x: Array, y: Array | None, learning_rate: float) -> ModelTrace:
        neuron = self.neuron
        if isinstance(neuron, nn.Perceptron | nn.PerceptronNetwork):
            neuron = replace(neuron, learning_rate=learning_rate)
        return trace_neuron(neuron, theta, x, y)


@dataclass(frozen=True)
class ThresholdSpec(ResolvedSpec):
    """A threshold neuron and its training."""

    network: ThresholdNetwork = field(metadata={"parse": lambda data: NETWORKS[data["kind"]].from_json(data)})
    training: ThresholdTraining = field(metadata={"parse": ThresholdTraining.from_json})

    @property
    def target_scaling(self) -> str:
        return "none"

    @property
    def takes_class_indices(self) -> bool:
        return self.network.outputs > 1

    def build(self, width: int) -> TrainableThreshold:
        return TrainableThreshold(self, width)

    def metrics(self, target: TargetEncoder) -> Metrics:
        """The number of rows answered wrongly."""
        return count_mistakes

    def report(self, target: TargetEncoder, h: Array, y: Array) -> None:
        """None: the metrics count the mistakes already."""


def count_mistakes(h: Array, y: Array) -> dict[str, float]:
    """How many of the outputs h (n, outputs) are not the targets y: 0 and 1 (n, 1), or class indices (n,)."""
    wrong = h != y if h.shape[1] == 1 else h.argmax(axis=1) != y
    return {"mistakes": float(np.count_nonzero(wrong))}
