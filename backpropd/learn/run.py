"""One training run: a resolved spec and a table become epochs, checkpoints and in the end a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd import errors, nn, tabular
from backpropd.learn.checkpoint import pack, unpack
from backpropd.learn.model import Model, metrics_for
from backpropd.learn.resolve import network_spec
from backpropd.nn import Batch
from backpropd.tabular import ColumnInfo, FeatureEncoder, Table, TargetEncoder

SCALINGS = {"linear": "standard", "tanh": "symmetric", "logistic": "unit", "relu": "unit"}


class Run:
    """A job's training. Made again from the same spec, table and checkpoint, it goes on bit for bit.

    Randomness comes from the spec's seed alone, as three independent streams: the split, theta, the shuffling.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        columns: Sequence[Mapping[str, Any]],
        path: Path,
        checkpoint: bytes | None,
        interrupt: NDArray[np.int8],
    ) -> None:
        self.spec, self.interrupt = spec, interrupt
        splitting, training = np.random.SeedSequence(spec["training"]["seed"]).spawn(2)
        infos = [ColumnInfo.from_json(column) for column in columns]
        self._encode(infos, path, np.random.default_rng(splitting))
        self.training = _training(spec["training"], len(self.training_set.x))
        optimizer = self.training.optimizer
        if checkpoint is None:
            self.state = nn.State.start(self.network, optimizer, np.random.default_rng(training))
        else:
            self.state = nn.State.restore(self.network, optimizer, *unpack(checkpoint))

    def _encode(self, infos: Sequence[ColumnInfo], path: Path, rng: np.random.Generator) -> None:
        """Split, then fit the encoders on the training part alone, and encode both parts."""
        spec, dtype = self.spec, np.dtype(self.spec["training"]["dtype"])
        by_name = {info.name: info for info in infos}
        features = [by_name[name] for name in spec["features"]]
        targets = [by_name[name] for name in spec["target"]]
        table = Table.read(path, [*spec["features"], *spec["target"]]).with_values_in(spec["target"])
        classes = TargetEncoder.classes_of(table, targets[0]) if spec["task"] == "classification" else None
        strata = None if classes is None else classes.encode(table)
        fraction = spec["training"]["validation_fraction"]
        fitted, held_out = tabular.train_validation_split(table.rows, fraction, rng, strata)
        encoder = FeatureEncoder.fit(table, features, fitted, dtype)
        scaling = SCALINGS.get(spec["network"]["output_activation"], "standard")
        target = classes or TargetEncoder.scaling_of(table, targets, fitted, scaling)
        self.model_so_far = Model(spec, encoder, target, [info.name for info in infos], {})
        self.network = nn.Network(network_spec(spec, encoder.width))
        x, y = encoder.transform(table), self.model_so_far.encode_target(table)
        self.training_set = Batch(x[fitted], y[fitted])
        self.validation_set = Batch(x[held_out], y[held_out]) if len(held_out) else None

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.state.epoch

    @property
    def stop_reason(self) -> str | None:
        """Why training is over, or None while it is not."""
        return self.state.stop_reason

    def epochs(self) -> Iterator[nn.Epoch]:
        """Train, epoch after epoch, from where the state is. Raises `errors.Diverged`."""
        return nn.fit(
            self.network,
            self.training_set,
            self.validation_set,
            self.training,
            self.state,
            metrics=metrics_for(self.model_so_far),
            interrupt=self.interrupt,
        )

    def checkpoint(self) -> bytes:
        """All that decides the rest of this run, as it is between two epochs."""
        return pack(self.state.arrays(), self.state.meta())

    def model(self) -> dict[str, Any]:
        """The trained model as the store keeps it."""
        theta = {name: np.ascontiguousarray(view) for name, view in self.network.layout.views(self.state.theta).items()}
        model = Model(self.spec, self.model_so_far.encoder, self.model_so_far.target, self.model_so_far.columns, theta)
        weights = model.weights()
        return {
            "task": self.spec["task"],
            "network": self.spec["network"],
            "features": self.spec["features"],
            "target": self.spec["target"],
            "classes": model.classes,
            "parameters": self.network.parameters,
            "metrics": self._figures(self.training_set),
            "validation_metrics": self._figures(self.validation_set) if self.validation_set else None,
            "encoders": model.to_json(),
            "weights": weights,
            "size": len(weights),
            "sha256": hashlib.sha256(weights).hexdigest(),
        }

    def _figures(self, part: Batch) -> dict[str, float]:
        measure: Callable[..., dict[str, float]] = metrics_for(self.model_so_far)
        loss, h = self.network.evaluate(self.state.theta, self.network.batch(*part))
        return {"loss": float(loss), **measure(h, part.y)}


def _training(training: Mapping[str, Any], rows: int) -> nn.Training:
    if rows == 0:
        raise errors.EmptyDataset("no row is left to train on: every one lacks its target, or is held out")
    stopping = training["early_stopping"]
    size = training["batch_size"]
    return nn.Training(
        optimizer=_optimizer(training["optimizer"]),
        epochs=training["epochs"],
        batch_size=rows if size == "full" else min(size, rows),
        early_stopping=nn.EarlyStopping(**stopping) if stopping else None,
    )


def _optimizer(wanted: Mapping[str, Any]) -> nn.SGD | nn.Adam:
    settings = {name: value for name, value in wanted.items() if name != "name"}
    return nn.Adam(**settings) if wanted["name"] == "adam" else nn.SGD(**settings)
