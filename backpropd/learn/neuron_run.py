"""One training run of a neuron with a threshold, with the interface of `Run`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd import errors, nn, tabular
from backpropd.learn.checkpoint import pack, unpack
from backpropd.learn.neuron_model import NeuronModel
from backpropd.learn.neurons import BOOLEAN_KINDS, DTYPE
from backpropd.learn.resolve.columns import is_truth
from backpropd.nn import Batch
from backpropd.tabular import ColumnInfo, FeatureEncoder, Table, TargetEncoder


class NeuronRun:
    """A job's training. Made again from the same spec, table and checkpoint, it goes on bit for bit.

    Randomness comes from the spec's seed alone, as two independent streams: the split, and the order of the rows.
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
        infos = {column["name"]: ColumnInfo.from_json(column) for column in columns}
        self._encode(infos, path, np.random.default_rng(splitting))
        self.neuron = self.model_so_far.neuron
        if checkpoint is None:
            self.state = nn.start_neuron(self.neuron, np.random.default_rng(training))
        else:
            self.state = nn.restore_neuron(self.neuron, *unpack(checkpoint))

    def _encode(self, infos: Mapping[str, ColumnInfo], path: Path, rng: np.random.Generator) -> None:
        """Split, then fit the encoder on the training part alone, and encode both parts."""
        spec = self.spec
        table = Table.read(path, [*spec["target"], *spec["features"]])
        rows = table.complete_rows(spec["target"])
        targets = table.take(rows, spec["target"])
        target = self._classes(targets, infos[spec["target"][0]])
        fraction = spec["training"]["validation_fraction"]
        parts = tabular.train_validation_split(len(rows), fraction, rng, target.encode(targets))
        if not len(parts[0]):
            raise errors.EmptyDataset("no row is left to train on: every one lacks its target, or is held out")
        features = [infos[name] for name in spec["features"]]
        encoder = FeatureEncoder.fit(table, features, rows[parts[0]], np.dtype(DTYPE))
        encoder = encoder.without_scaling(info.name for info in features if is_truth(info))
        self.model_so_far = NeuronModel(spec, encoder, target, list(infos), {})
        y = self.model_so_far.encode_target(targets)
        fitted, held_out = encoder.transform_subsets(table, [rows[part] for part in parts])
        self.training_set = Batch(fitted, y[parts[0]])
        self.validation_set = Batch(held_out, y[parts[1]]) if len(held_out) else None

    def _classes(self, table: Table, info: ColumnInfo) -> TargetEncoder:
        """The classes of the target; a boolean function has two, though one of them may never come."""
        if self.spec["network"]["kind"] not in BOOLEAN_KINDS:
            return TargetEncoder.fit_classes(table, info)
        return TargetEncoder([info.name], ["false", "true"] if info.kind == "boolean" else ["0", "1"], [], [])

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.state.epoch

    @property
    def stop_reason(self) -> str | None:
        """Why training is over, or None while it is not."""
        return self.state.stop_reason

    def epochs(self) -> Iterator[nn.Epoch]:
        """Train, epoch after epoch, from where the state is. Raises `errors.NotRepresentable`."""
        return nn.fit_neuron(
            self.neuron,
            self.training_set,
            self.validation_set,
            self.state,
            epochs=self.spec["training"]["epochs"],
            interrupt=self.interrupt,
        )

    def epoch_chunks(self) -> Iterator[list[nn.Epoch]]:
        """The epochs, one a chunk."""
        return ([epoch] for epoch in self.epochs())

    def checkpoint(self) -> bytes:
        """All that decides the rest of this run, as it is between two epochs."""
        return pack(self.state.arrays(), self.state.meta())

    def model(self) -> dict[str, Any]:
        """The trained model as the store keeps it."""
        views = self.neuron.layout.views(self.state.theta)
        theta = {name: np.ascontiguousarray(view) for name, view in views.items()}
        so_far = self.model_so_far
        model = NeuronModel(self.spec, so_far.encoder, so_far.target, so_far.columns, theta)
        weights = model.weights()
        return {
            "task": self.spec["task"],
            "network": self._network(),
            "features": self.spec["features"],
            "target": self.spec["target"],
            "classes": model.classes,
            "parameters": self.neuron.layout.size,
            "metrics": self._figures(self.training_set),
            "validation_metrics": self._figures(self.validation_set) if self.validation_set else None,
            "encoders": model.to_json(),
            "weights": weights,
            "size": len(weights),
            "sha256": hashlib.sha256(weights).hexdigest(),
        }

    def _network(self) -> dict[str, Any]:
        """The spec's network; for a McCulloch-Pitts neuron with what was found in place of "search"."""
        network: dict[str, Any] = self.spec["network"]
        if not isinstance(self.neuron, nn.McCullochPitts):
            return network
        found, threshold = self.neuron.decode(self.state.theta)
        features = self.spec["features"]
        return {
            "kind": network["kind"],
            "inhibitory": [features[index] for index in found],
            "excitatory": [name for index, name in enumerate(features) if index not in found],
            "threshold": threshold,
        }

    def _figures(self, part: Batch) -> dict[str, float]:
        mistakes = self.neuron.mistakes(self.state.theta, self.neuron.batch(part.x, part.y))
        return {"loss": mistakes / len(part.y), "mistakes": float(mistakes)}
