"""Feed-forward networks, trained by gradient descent: their resolved spec, and how they are built and trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from backpropd import nn
from backpropd.learn.json_fields import algorithm, to_shortest
from backpropd.learn.network_kinds.base import (
    FitInputs,
    ResolvedNetwork,
    ResolvedSpec,
    ResolvedTraining,
    TrainableNetwork,
)
from backpropd.nn.evaluation import metrics, report
from backpropd.nn.feedforward.losses import Loss
from backpropd.nn.inspection.trace import ModelTrace
from backpropd.nn.inspection.trace import trace as trace_network
from backpropd.nn.layout import Array
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.schedules import Constant, Schedule
from backpropd.nn.training.epochs import Metrics
from backpropd.tabular import TargetEncoder

MAX_THETAS = 200  # of a path


@dataclass(frozen=True, kw_only=True)
class FeedforwardNetwork(ResolvedNetwork):
    """Hidden layers and the output layer. `initializer` is the requested default of the layers' own.

    Fields with a default are those that older rows may lack.
    """

    kind: str = "feedforward"
    hidden: list[nn.LayerSpec] = field(metadata={"parse": lambda layers: [nn.LayerSpec(**layer) for layer in layers]})
    output_activation: str
    outputs: int
    initializer: str | Mapping[str, Any]
    output_initializer: str | Mapping[str, Any]
    input_scaling: bool = False
    parametrization: str = "standard"
    initial_parameters: Mapping[str, Any] | None = None

    @property
    def layers(self) -> tuple[nn.LayerSpec, ...]:
        """All layers, the output layer last."""
        output = nn.LayerSpec(self.outputs, self.output_activation, self.output_initializer)
        return (*self.hidden, output)


@dataclass(frozen=True, kw_only=True)
class FeedforwardTraining(ResolvedTraining):
    """Training by gradient descent. Fields with a default are those that older rows may lack."""

    loss: Loss = field(metadata=algorithm(nn.LOSSES))
    optimizer: Optimizer | LBFGS = field(metadata=algorithm(nn.OPTIMIZERS))
    schedule: Schedule = field(default_factory=Constant, metadata=algorithm(nn.SCHEDULES))
    preset: str | None = None
    label_smoothing: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    batch_size: int | str
    early_stopping: nn.EarlyStopping | None = field(
        default=None, metadata={"parse": lambda rule: nn.EarlyStopping(**rule)}
    )
    metrics_every: int = 1
    engine: str

    def to_json(self) -> dict[str, Any]:
        """Every field. A loss without parameters is its name; label smoothing and warmup are fields of their own."""
        data = super().to_json()
        del data["schedule"]["warmup_epochs"]
        data["loss"].pop("label_smoothing", None)
        return {**data, "loss": to_shortest(data["loss"])}

    @property
    def path_every(self) -> int | None:
        """Every how many epochs theta is stored, so that there are at most 200 of them; None if it is not."""
        return -(-self.epochs // MAX_THETAS) if self.keep_path else None

    def config(self, rows: int) -> nn.Training:
        """How to train on this many rows, which are at least one."""
        return nn.Training(
            optimizer=self.optimizer,
            epochs=self.epochs,
            batch_size=rows if isinstance(self.batch_size, str) else min(self.batch_size, rows),
            early_stopping=self.early_stopping,
            schedule=replace(self.schedule, warmup_epochs=self.warmup_epochs),
            regularization=nn.Regularization(
                l1=self.l1,
                l2=self.l2,
                weight_decay=self.weight_decay,
                max_norm=self.max_norm,
                clip_norm=self.gradient_clip_norm,
                clip_value=self.gradient_clip_value,
            ),
            target_loss=self.target_loss,
            metrics_every=self.metrics_every,
            path_every=self.path_every,
            snapshot_every=self.snapshot_every,
            engine="numba" if self.engine == "numba" else "numpy",
        )


class TrainableFeedforward(TrainableNetwork):
    """A feed-forward network and how it is trained."""

    differentiable: nn.Network

    def __init__(self, spec: FeedforwardSpec, width: int) -> None:
        self.spec, self.differentiable = spec, nn.Network(spec.network_spec(width))
        self.layout, self.parameters = self.differentiable.layout, self.differentiable.parameters
        self.dtype, self.activations = spec.training.dtype, [layer.activation for layer in spec.network.layers]

    def start(self, rng: np.random.Generator) -> nn.State:
        return nn.State.start(self.differentiable, self.spec.training.optimizer, rng)

    def restore(self, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> nn.State:
        return nn.State.restore(self.differentiable, self.spec.training.optimizer, arrays, meta)

    def epoch_chunks(self, inputs: FitInputs, max_epochs: int | None) -> Iterator[list[nn.Epoch]]:
        return nn.fit_in_chunks(
            self.differentiable,
            inputs.training_set,
            inputs.validation_set,
            replace(self.spec.training.config(len(inputs.training_set.x)), max_seconds=inputs.max_seconds),
            inputs.state,
            metrics=inputs.metrics,
            interrupt=inputs.interrupt,
            clock=inputs.clock,
            max_epochs=max_epochs,
        )

    def evaluate(self, theta: Array, batch: nn.Batch) -> tuple[float, Array]:
        return self.differentiable.evaluate(theta, self.differentiable.batch(*batch))

    def predict(self, theta: Array, x: Array) -> Array:
        return self.differentiable.predict(theta, x)

    def trace(self, theta: Array, x: Array, y: Array | None, learning_rate: float) -> ModelTrace:
        return trace_network(self.differentiable, theta, x, y, learning_rate)


@dataclass(frozen=True)
class FeedforwardSpec(ResolvedSpec):
    """A feed-forward network and its training by gradient descent."""

    network: FeedforwardNetwork = field(metadata={"parse": FeedforwardNetwork.from_json})
    training: FeedforwardTraining = field(metadata={"parse": FeedforwardTraining.from_json})

    @property
    def takes_class_indices(self) -> bool:
        return self.training.loss.takes_classes

    @property
    def target_scaling(self) -> str:
        if self.task == "classification" or self.training.loss.takes_counts:
            return "none"
        if self.training.target_scaling != "auto":  # rows from before it was stored have "auto"
            return self.training.target_scaling
        return nn.ACTIVATIONS[self.network.output_activation].target_scaling

    def network_spec(self, width: int) -> nn.Spec:
        """The network over `width` encoded inputs, as `nn` takes it."""
        training = self.training
        parameters = asdict(training.loss)  # type: ignore[call-overload]  # every loss is a dataclass
        if training.label_smoothing:
            parameters["label_smoothing"] = training.label_smoothing
        network = self.network
        return nn.Spec(
            width,
            network.layers,
            training.loss.name,
            training.dtype,
            parameters,
            network.input_scaling,
            network.parametrization,
        )

    def for_refit(self) -> FeedforwardSpec:
        training = replace(
            self.training, validation_fraction=0.0, early_stopping=None, target_loss=None, refit=False,
            ensemble_size=1, metrics_every=self.training.epochs, max_seconds=None,
        )  # fmt: skip
        return replace(self, training=training)

    def side_by_side(self, members: int) -> FeedforwardSpec:
        hidden = [replace(layer, units=members * layer.units) for layer in self.network.hidden]
        return replace(self, network=replace(self.network, hidden=hidden))

    def build(self, width: int) -> TrainableFeedforward:
        return TrainableFeedforward(self, width)

    def metrics(self, target: TargetEncoder) -> Metrics:
        """Those of labels, of classes, or of regression in the target's own unit."""
        if self.is_multi_label:
            return metrics.multi_label
        if target.labels is not None:
            return metrics.classification
        return lambda h, y: metrics.regression(target.decode(h), target.values(y))

    def report(self, target: TargetEncoder, h: Array, y: Array) -> dict[str, Any]:
        """That of labels, of classes, or of each target of a regression in its own unit."""
        if self.is_multi_label:
            return report.multi_label_report(h, y, self.target)
        if target.labels is not None:
            return report.classification_report(h, y, target.labels)
        outputs = report.regression_report(target.decode(h), target.values(y))["outputs"]
        return {"outputs": [{"target": name, **output} for name, output in zip(self.target, outputs, strict=True)]}
