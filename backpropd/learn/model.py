"""A trained model with its encoders: raw rows in, labels or values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.learn.network_kinds.base import ResolvedSpec, TrainableNetwork
from backpropd.learn.network_kinds.registry import spec_from_json
from backpropd.nn import Layout
from backpropd.nn.evaluation.metrics import normalized_rows
from backpropd.nn.layout import Array
from backpropd.tabular import FeatureEncoder, Table, TargetEncoder, table_from_json_rows


@dataclass(frozen=True)
class Model:
    """The parameters of a network by name, and the encoders that were fitted on its training set.

    `columns` are the names of the whole table: rows may hold them all, as they were uploaded.
    """

    spec: ResolvedSpec
    encoder: FeatureEncoder
    target: TargetEncoder
    columns: list[str]
    theta: Mapping[str, Array]

    @classmethod
    def load(cls, encoders: Mapping[str, Any], weights: bytes) -> Model:
        """The model whose `to_json()` and `weights()` these are."""
        return cls(
            spec_from_json(encoders["spec"]),
            FeatureEncoder.from_json(encoders["features"]),
            TargetEncoder.from_json(encoders["target"]),
            encoders["columns"],
            load(weights),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the weights, for JSON."""
        return {
            "spec": self.spec.to_json(),
            "features": self.encoder.to_json(),
            "target": self.target.to_json(),
            "columns": self.columns,
        }

    def weights(self) -> bytes:
        """The parameters by name as a safetensors file: the same parameters are the same bytes."""
        return bytes(save(dict(self.theta)))

    @property
    def classes(self) -> list[str] | None:
        """The labels in the order of the probabilities, or None for regression."""
        return self.spec.classes(self.target)

    @property
    def network(self) -> TrainableNetwork:
        """The network, which takes encoded rows."""
        return self.spec.build(self.encoder.width)

    def flat_theta(self, layout: Layout) -> Array:
        """The parameters as a flat theta (size,)."""
        return np.concatenate([self.theta[name].ravel() for name in layout.shapes])

    def encode(self, rows: Sequence[Any]) -> Array:
        """Raw rows as inputs (n, width). Raises `errors.Invalid` with a pointer for every cell that is wrong."""
        table = table_from_json_rows(rows, self.encoder.infos, self.columns)
        if self.spec.network.takes_booleans:
            self._check_booleans(table, rows)
        return self.encoder.transform(table)

    def _check_booleans(self, table: Table, rows: Sequence[Any]) -> None:
        problems = []
        for index, info in enumerate(self.encoder.infos):
            column = table.columns[info.name]
            valid = np.isin(column, (0, 1)) if isinstance(column, np.ndarray) else column.codes >= 0
            for row in np.flatnonzero(~valid).tolist():
                cell = pointer("rows", row, info.name if isinstance(rows[row], dict) else index)
                problems.append(Problem(cell, "this neuron takes only 0 and 1, or false and true"))
        if problems:
            raise errors.Invalid.from_problems(problems)

    def predict(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Predictions for raw rows: objects by column name, or arrays in the order of the features.

        Raises `errors.Invalid` with a pointer for every cell that is wrong.
        """
        network = self.network
        h = network.predict(self.flat_theta(network.layout), self.encode(rows))
        if self.spec.is_multi_label:
            return self._multi_label_predictions(h)
        return self._values(h) if self.classes is None else self._labels(h, self.classes)

    def _multi_label_predictions(self, h: Array) -> list[dict[str, Any]]:
        names = self.spec.target
        return [
            {"labels": {name: probability >= 0.5 for name, probability in row.items()}, "probabilities": row}
            for row in (dict(zip(names, outputs, strict=True)) for outputs in h.astype(np.float64).tolist())
        ]

    def _labels(self, h: Array, labels: Sequence[str]) -> list[dict[str, Any]]:
        by_class = probabilities(h)
        return [
            {"label": labels[best], "probabilities": dict(zip(labels, row, strict=True))}
            for best, row in zip(by_class.argmax(axis=1).tolist(), by_class.tolist(), strict=True)
        ]

    def _values(self, h: Array) -> list[dict[str, Any]]:
        values = self.target.decode(h).tolist()
        names = self.spec.target
        if len(names) == 1:
            return [{"value": row[0]} for row in values]
        return [{"value": dict(zip(names, row, strict=True))} for row in values]


def probabilities(h: Array) -> Array:
    """Outputs (n, outputs) as probabilities (n, classes) that sum to 1, in float64."""
    h = h.astype(np.float64)
    return np.hstack([1 - h, h]) if h.shape[1] == 1 else normalized_rows(h)
