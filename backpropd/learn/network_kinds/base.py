"""The interface of every kind of network: its resolved spec, and the network that is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.learn.json_fields import JsonFields
from backpropd.learn.request import TrainingOptions
from backpropd.nn.inspection.trace import ModelTrace
from backpropd.nn.layout import Array
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.training.epochs import Metrics
from backpropd.tabular import Feature, TargetEncoder, feature_names, input_columns


class ResolvedNetwork(JsonFields):
    """The architecture, a dataclass. `kind` is its name in requests, `outputs` the number of its outputs.

    `initial_parameters` are numbers by name that training starts from instead of drawn ones, None if none are given.
    """

    kind: str
    outputs: int
    initial_parameters: Mapping[str, Any] | None
    takes_booleans: ClassVar[bool] = False
    """Whether inputs and target must be booleans, or 0 and 1."""
    scales_booleans: ClassVar[bool] = True
    """Whether columns of 0 and 1 are standardized, as other numbers are."""

    def to_json(self) -> dict[str, Any]:
        """Every field; the initial parameters if they are given."""
        data = super().to_json()
        if self.initial_parameters is None:
            data.pop("initial_parameters", None)
        return data

    def describe(self, theta: Array, features: Sequence[str]) -> dict[str, Any]:
        """The trained network, for the model record."""
        return self.to_json()


@dataclass(frozen=True, kw_only=True)
class ResolvedTraining(TrainingOptions, JsonFields):
    """The training options that every kind of network has; those that a kind lacks keep their default."""

    epochs: int
    seed: int
    dtype: str
    validation_fraction: float | None
    optimizer: Optimizer | LBFGS | None = None
    feature_scaling: str = "standard"
    target_scaling: str = "auto"
    snapshots: Mapping[str, int] | None = None
    clip_predictions: bool = False
    refit: bool = False
    ensemble_size: int = 1

    @property
    def snapshot_every(self) -> int | None:
        """Every how many epochs the state of training is stored; None if it is not."""
        return self.snapshots["every"] if self.snapshots else None

    @property
    def learning_rate(self) -> float | None:
        """That of the optimizer; None for L-BFGS, which searches its step length, and without an optimizer."""
        return vars(self.optimizer).get("learning_rate") if self.optimizer else None


class FitInputs(NamedTuple):
    """The inputs of training; `state` is changed in place. `max_seconds` is compared with `state.seconds`."""

    training_set: nn.Batch
    validation_set: nn.Batch | None
    state: nn.State
    metrics: Metrics | None
    interrupt: NDArray[np.int8]
    clock: Callable[[], float]
    max_seconds: float | None = None


class TrainableNetwork(ABC):
    """A network of one kind over encoded rows. It has no parameters of its own: theta is passed in.

    `parameters` is the number of those that are learned, `activations` has the name of each layer's. `differentiable`
    is the network whose loss has a gradient; None for threshold neurons. `fixed` says why a parameter keeps its value.
    """

    layout: nn.Layout
    dtype: str
    fixed: Mapping[str, str] = MappingProxyType({})
    parameters: int
    activations: list[str]
    differentiable: nn.Network | None = None

    @abstractmethod
    def start(self, rng: np.random.Generator) -> nn.State:
        """The state before the first epoch."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> nn.State:
        """The state of a checkpoint. Raises `errors.Invalid` if it belongs to another network."""

    @abstractmethod
    def epoch_chunks(self, inputs: FitInputs, max_epochs: int | None) -> Iterator[list[nn.Epoch]]:
        """Continue from the state, in chunks of at most `max_epochs`. Raises `errors.JobFailed` and subclasses."""

    @abstractmethod
    def evaluate(self, theta: Array, batch: nn.Batch) -> tuple[float, Array]:
        """The loss over a batch, and the outputs (n, outputs)."""

    @abstractmethod
    def predict(self, theta: Array, x: Array) -> Array:
        """The outputs (n, outputs) for encoded rows x (n, inputs)."""

    @abstractmethod
    def trace(self, theta: Array, x: Array, y: Array | None, learning_rate: float) -> ModelTrace:
        """Every number of one forward and one backward pass."""


@dataclass(frozen=True)
class ResolvedSpec(JsonFields, ABC):
    """A job with every `auto` decided, as it is stored with the job and the model, and as the API shows it.

    `kinds` are those of columns that have another kind in this job than in the dataset. A feature is the name of a
    column, or a derived one such as `{"square": "x1"}`.
    """

    target: list[str]
    features: list[Feature]
    task: str
    network: ResolvedNetwork
    training: ResolvedTraining
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns that the features are or are derived from, each once, in the order of their first use."""
        return input_columns(self.features)

    @property
    def feature_names(self) -> list[str]:
        """The names of the features, of derived ones such as `square(x1)`."""
        return feature_names(self.features)

    @property
    def is_multi_label(self) -> bool:
        """Whether the answer is true or false for each of several targets."""
        return self.task == "classification" and len(self.target) > 1

    def classes(self, target: TargetEncoder) -> list[str] | None:
        """The labels in the order of the probabilities; None for regression."""
        return list(self.target) if self.is_multi_label else target.labels

    @property
    @abstractmethod
    def takes_class_indices(self) -> bool:
        """Whether targets are class indices (n,) instead of numbers (n, outputs)."""

    @property
    @abstractmethod
    def target_scaling(self) -> str:
        """How numeric targets are scaled, as `TargetEncoder.fit_scaling` names it."""

    def of_model(self) -> ResolvedSpec:
        """That of the trained model, which needs no parameters to start from."""
        if self.network.initial_parameters is None:
            return self
        network: Any = self.network  # every network is a dataclass
        return replace(self, network=replace(network, initial_parameters=None))

    def for_refit(self) -> ResolvedSpec:
        """The same network and training on all rows, without validation, and without rules that end it early.

        The time of the whole run limits it.
        """
        raise NotImplementedError(f"a {self.network.kind} is not trained again")

    def for_member(self, number: int) -> ResolvedSpec:
        """That of a further member of an ensemble, from 1 on: the same with a seed of its own."""
        seed = int(np.random.SeedSequence([self.training.seed, number]).generate_state(1)[0])
        training = replace(self.training, seed=seed, ensemble_size=1, max_seconds=None)
        return replace(self, training=training)

    def side_by_side(self, members: int) -> ResolvedSpec:
        """That of the network with the hidden layers of this number of members side by side."""
        raise NotImplementedError(f"a {self.network.kind} has no members")

    @abstractmethod
    def build(self, width: int) -> TrainableNetwork:
        """The network over `width` encoded inputs. Raises `errors.Invalid` for an invalid architecture."""

    @abstractmethod
    def metrics(self, target: TargetEncoder) -> Metrics:
        """The metrics of an epoch, from outputs and encoded targets."""

    @abstractmethod
    def report(self, target: TargetEncoder, h: Array, y: Array) -> dict[str, Any] | None:
        """The report at the end of training, if this kind has one."""
