"""What all kinds of network have in common: a resolved spec, and a network that can be trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.learn.request import TrainingOptions
from backpropd.nn.inspection.trace import ModelTrace
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.tabular import TargetEncoder

Array = NDArray[Any]
Metrics = Callable[[Array, Array], dict[str, float]]
Part = TypeVar("Part", bound="JsonFields")


class JsonFields:
    """A dataclass whose fields are those of its JSON. A field that older rows lack has a default."""

    @classmethod
    def from_json(cls: type[Part], data: Mapping[str, Any]) -> Part:
        """From JSON; names that are no fields are ignored."""
        return cls(**{each.name: data[each.name] for each in fields(cls) if each.name in data})  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """Every field, as JSON."""
        fields: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return fields


class ResolvedNetwork(JsonFields):
    """The architecture, a dataclass. `kind` is its name in requests, `outputs` the number of its outputs."""

    kind: ClassVar[str]
    outputs: int

    def to_json(self) -> dict[str, Any]:
        """The kind and every field."""
        return {"kind": self.kind, **super().to_json()}


@dataclass(frozen=True, kw_only=True)
class ResolvedTraining(TrainingOptions, JsonFields):
    """The training options that every kind of network has; those that a kind lacks keep their default."""

    epochs: int
    seed: int
    dtype: str
    validation_fraction: float | None
    optimizer: Optimizer | LBFGS | None = None

    @property
    def learning_rate(self) -> float | None:
        """That of the optimizer; None for one that searches its own steps, or where there is no optimizer."""
        return vars(self.optimizer).get("learning_rate") if self.optimizer else None


class FitInputs(NamedTuple):
    """What training goes on from and works with; `state` is changed in place."""

    training_set: nn.Batch
    validation_set: nn.Batch | None
    state: nn.State
    metrics: Metrics
    interrupt: NDArray[np.int8]
    clock: Callable[[], float]


class TrainableNetwork(Protocol):
    """A network of one kind over encoded rows. It has no parameters of its own: theta is passed in."""

    @property
    def layout(self) -> nn.Layout: ...

    @property
    def parameters(self) -> int:
        """The number of parameters that are learned."""

    @property
    def activations(self) -> list[str]:
        """The activation of each layer, by its name."""

    @property
    def differentiable(self) -> nn.Network | None:
        """The network whose loss has a slope; None for one that answers by steps."""

    def start(self, rng: np.random.Generator) -> nn.State:
        """The state before the first epoch."""

    def restore(self, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> nn.State:
        """The state of a checkpoint. Raises `errors.Invalid` if it belongs to another network."""

    def epochs(self, inputs: FitInputs) -> Iterator[nn.Epoch]:
        """Train on from the state, epoch by epoch. Raises `errors.JobFailed` and subclasses such as `Diverged`."""

    def epoch_chunks(self, inputs: FitInputs) -> Iterator[list[nn.Epoch]]:
        """The same epochs, several at a time where nothing is to be done between them."""

    def evaluate(self, theta: Array, batch: nn.Batch) -> tuple[float, Array]:
        """The loss over a batch, and the outputs (n, outputs)."""

    def predict(self, theta: Array, x: Array) -> Array:
        """The outputs (n, outputs) for encoded rows x (n, inputs)."""

    def trace(self, theta: Array, x: Array, y: Array | None, learning_rate: float) -> ModelTrace:
        """Every number of one forward and one backward pass."""

    def describe(self, theta: Array) -> dict[str, Any]:
        """The trained network, for the model record."""


@dataclass(frozen=True)
class ResolvedSpec(ABC):
    """A job with every choice made: what is stored with the job and the model, and shown by the API."""

    target: Sequence[str]
    features: Sequence[str]
    task: str
    network: ResolvedNetwork
    training: ResolvedTraining

    @classmethod
    @abstractmethod
    def from_json(cls, data: Mapping[str, Any]) -> ResolvedSpec:
        """From a stored spec of this kind, of this version or an older one."""

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {
            "target": self.target,
            "features": self.features,
            "task": self.task,
            "network": self.network.to_json(),
            "training": self.training.to_json(),
        }

    @property
    def is_multi_label(self) -> bool:
        """Whether the answer is true or false for each of several targets."""
        return self.task == "classification" and len(self.target) > 1

    def classes(self, target: TargetEncoder) -> list[str] | None:
        """The labels in the order of the probabilities; None for regression."""
        return list(self.target) if self.is_multi_label else target.labels

    @property
    def takes_booleans(self) -> bool:
        """Whether inputs and target are 0 and 1, or false and true, alone."""
        return False

    @property
    def scales_booleans(self) -> bool:
        """Whether columns of 0 and 1 are standardized, as other numbers are."""
        return True

    @property
    @abstractmethod
    def takes_class_indices(self) -> bool:
        """Whether targets are class indices (n,) instead of numbers (n, outputs)."""

    @property
    @abstractmethod
    def target_scaling(self) -> str:
        """How targets that are no classes are scaled, by a name that `TargetEncoder.fit_scaling` takes."""

    @abstractmethod
    def build(self, width: int) -> TrainableNetwork:
        """The network over `width` encoded inputs. Raises `errors.Invalid` for a spec that cannot mean anything."""

    @abstractmethod
    def metrics(self, target: TargetEncoder) -> Metrics:
        """The metrics of an epoch, from outputs and encoded targets."""

    @abstractmethod
    def report(self, target: TargetEncoder, h: Array, y: Array) -> dict[str, Any] | None:
        """The report at the end of training, if this kind has one."""
