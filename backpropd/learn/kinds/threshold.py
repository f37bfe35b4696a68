"""The threshold neurons: their resolved specs, and how they are built and trained by rules without a gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from backpropd import errors, nn
from backpropd.learn.kinds.kind import Array, FitInputs, Metrics, ResolvedNetwork, ResolvedSpec, ResolvedTraining
from backpropd.nn.inspection.trace import ModelTrace, trace_neuron
from backpropd.nn.neurons.perceptron_network import MAX_INPUTS
from backpropd.tabular import ColumnInfo, TargetEncoder

DTYPE = "float64"
SEARCH = "search"


class ThresholdNetwork(ResolvedNetwork):
    """One kind of threshold neuron."""

    takes_booleans: ClassVar[bool] = True
    """Whether inputs and target are 0 and 1, or false and true, alone."""
    iterative: ClassVar[bool] = True
    """Whether it is learned epoch by epoch, instead of set or found in one."""

    @classmethod
    @abstractmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        """From the network of a request. Raises `errors.Invalid` and its subclasses."""

    @abstractmethod
    def neuron(self, width: int, features: Sequence[str], optimizer: nn.SGD | None) -> nn.Neuron:
        """The neuron over `width` encoded inputs."""

    def describe(self, theta: Array, features: Sequence[str]) -> dict[str, Any]:
        """The trained network, for the model record."""
        return self.to_json()


@dataclass(frozen=True)
class McCullochPittsNetwork(ThresholdNetwork):
    """The inhibitory inputs by name, and the threshold; each may be left to the search."""

    kind: ClassVar[str] = "mcculloch_pitts"
    iterative: ClassVar[bool] = False
    inhibitory: Sequence[str] | str
    threshold: int | str
    outputs = 1

    @classmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        inhibitory = requested["inhibitory"]
        for index, name in enumerate([] if inhibitory == SEARCH else inhibitory):
            pointer = f"/network/inhibitory/{index}"
            if name not in features:
                detail = f"{name!r} is no input; the inputs are: {', '.join(features)}"
                raise errors.UnknownColumn(detail, pointer=pointer)
            if inhibitory.index(name) != index:
                raise errors.Invalid(f"{name!r} is listed twice: name it once", pointer=pointer)
        return cls(inhibitory, requested["threshold"])

    def neuron(self, width: int, features: Sequence[str], optimizer: nn.SGD | None) -> nn.McCullochPitts:
        inhibitory = None if self.inhibitory == SEARCH else tuple(features.index(name) for name in self.inhibitory)
        threshold = self.threshold if isinstance(self.threshold, int) else None
        return nn.McCullochPitts(len(features), inhibitory, threshold, DTYPE, tuple(features))

    def describe(self, theta: Array, features: Sequence[str]) -> dict[str, Any]:
        """With what was found in place of "search"."""
        found, threshold = self.neuron(len(features), features, None).decode(theta)
        return {
            "kind": self.kind,
            "inhibitory": [features[index] for index in found],
            "excitatory": [name for index, name in enumerate(features) if index not in found],
            "threshold": threshold,
        }


@dataclass(frozen=True)
class PerceptronLayer(ThresholdNetwork):
    """One perceptron for two classes, one a class for more, over inputs of any kind."""

    kind: ClassVar[str] = "perceptron"
    takes_booleans: ClassVar[bool] = False
    outputs: int

    @classmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        return cls(1 if target.distinct == 2 else target.level_count)

    def neuron(self, width: int, features: Sequence[str], optimizer: nn.SGD | None) -> nn.Neuron:
        return nn.Perceptron(width, max(self.outputs, 2), rate_of(optimizer), DTYPE)


@dataclass(frozen=True)
class PerceptronNetwork(ThresholdNetwork):
    """A hidden perceptron for each row of the truth table, and an output perceptron."""

    kind: ClassVar[str] = "perceptron_network"
    hidden_units: int
    outputs: int = 1

    @classmethod
    def resolve(cls, requested: Mapping[str, Any], features: Sequence[str], target: ColumnInfo) -> ThresholdNetwork:
        if len(features) > MAX_INPUTS:
            raise errors.Invalid(
                f"{len(features)} inputs would need 2^{len(features)} hidden perceptrons: a {cls.kind} has at most "
                f"{MAX_INPUTS} inputs; name fewer features",
                pointer="/features",
            )
        return cls(2 ** len(features))

    def neuron(self, width: int, features: Sequence[str], optimizer: nn.SGD | None) -> nn.Neuron:
        return nn.PerceptronNetwork(width, rate_of(optimizer), DTYPE)


NETWORKS: Mapping[str, type[ThresholdNetwork]] = {
    network.kind: network for network in (McCullochPittsNetwork, PerceptronLayer, PerceptronNetwork)
}


def rate_of(optimizer: nn.SGD | None) -> float:
    """The learning rate of the perceptron rule."""
    return 1.0 if optimizer is None else optimizer.learning_rate


@dataclass(frozen=True, kw_only=True)
class ThresholdTraining(ResolvedTraining):
    """Training by the perceptron rule, stochastic gradient descent in its plainest form; no optimizer for a search."""

    optimizer: nn.SGD | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ThresholdTraining:
        """From JSON."""
        optimizer = data.get("optimizer")
        return super().from_json({**data, "optimizer": optimizer and nn.SGD(optimizer["learning_rate"])})

    def to_json(self) -> dict[str, Any]:
        """The fields that mean something for a threshold neuron."""
        rule = {"optimizer": {"name": "sgd", "learning_rate": self.optimizer.learning_rate}} if self.optimizer else {}
        return {
            **rule,
            "epochs": self.epochs,
            "validation_fraction": self.validation_fraction,
            "seed": self.seed,
            "dtype": self.dtype,
        }


class TrainableThreshold:
    """A threshold neuron and how it is trained: a `TrainableNetwork`."""

    differentiable = None

    def __init__(self, spec: ThresholdSpec, width: int) -> None:
        self.spec, self.neuron = spec, spec.network.neuron(width, spec.features, spec.training.optimizer)
        self.layout = self.neuron.layout
        self.parameters = self.layout.size
        self.activations = ["step"] * (len(self.layout.shapes) // 2)

    def start(self, rng: np.random.Generator) -> nn.State:
        return nn.start_neuron(self.neuron, rng)

    def restore(self, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> nn.State:
        return nn.restore_neuron(self.neuron, arrays, meta)

    def epochs(self, inputs: FitInputs) -> Iterator[nn.Epoch]:
        return nn.fit_neuron(
            self.neuron,
            inputs.training_set,
            inputs.validation_set,
            inputs.state,
            epochs=self.spec.training.epochs,
            interrupt=inputs.interrupt,
        )

    def epoch_chunks(self, inputs: FitInputs) -> Iterator[list[nn.Epoch]]:
        return ([epoch] for epoch in self.epochs(inputs))

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

    def describe(self, theta: Array) -> dict[str, Any]:
        return self.spec.network.describe(theta, self.spec.features)


@dataclass(frozen=True)
class ThresholdSpec(ResolvedSpec):
    """A threshold neuron and its training."""

    network: ThresholdNetwork
    training: ThresholdTraining

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ThresholdSpec:
        network = NETWORKS[data["network"]["kind"]].from_json(data["network"])
        training = ThresholdTraining.from_json(data["training"])
        return cls(data["target"], data["features"], data["task"], network, training)

    @property
    def takes_booleans(self) -> bool:
        return self.network.takes_booleans

    @property
    def scales_booleans(self) -> bool:
        return False

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
        """None: the mistakes are all there is."""


def count_mistakes(h: Array, y: Array) -> dict[str, float]:
    """How many of the outputs h (n, outputs) are not the targets y: 0 and 1 (n, 1), or class indices (n,)."""
    wrong = h != y if h.shape[1] == 1 else h.argmax(axis=1) != y
    return {"mistakes": float(np.count_nonzero(wrong))}
