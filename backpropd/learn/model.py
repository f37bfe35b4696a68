"""A trained model with its encoders: raw rows in, labels or values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from backpropd import nn
from backpropd.learn import data
from backpropd.learn.build import is_multi_label, network_spec
from backpropd.nn.evaluation import metrics, report
from backpropd.tabular import FeatureEncoder, Table, TargetEncoder, table_from_json_rows

Array = NDArray[Any]


class Model:
    """A network's parameters, and the encoders that were fitted on its training part."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        encoder: FeatureEncoder,
        target: TargetEncoder,
        columns: Sequence[str],
        theta: Mapping[str, Array],
    ) -> None:
        """`columns` are those of the whole table: rows may hold them all, as they were uploaded."""
        self.spec, self.encoder, self.target = spec, encoder, target
        self.columns, self.theta = list(columns), theta

    @classmethod
    def load(cls, encoders: Mapping[str, Any], weights: bytes) -> Model:
        """The model whose `to_json()` and `weights()` these are."""
        return cls(
            encoders["spec"],
            FeatureEncoder.from_json(encoders["features"]),
            TargetEncoder.from_json(encoders["target"]),
            encoders["columns"],
            load(weights),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the weights, for JSON."""
        return {
            "spec": dict(self.spec),
            "features": self.encoder.to_json(),
            "target": self.target.to_json(),
            "columns": self.columns,
        }

    def weights(self) -> bytes:
        """The parameters by name as a safetensors file: the same parameters are the same bytes."""
        data: bytes = save(dict(self.theta))
        return data

    @property
    def classes(self) -> list[str] | None:
        """The labels in the order of the probabilities, or None for regression."""
        return list(self.spec["target"]) if is_multi_label(self.spec) else self.target.labels

    def encode_target(self, table: Table) -> Array:
        """The targets as the loss takes them."""
        return data.encode_target(self.spec, self.target, table)

    def flat(self, network: nn.Network) -> Array:
        """The parameters as the network's theta."""
        return np.concatenate([self.theta[name].ravel() for name in network.layout.shapes])

    def encode(self, rows: Sequence[Any]) -> Array:
        """Raw rows as inputs (n, width). Raises `errors.Invalid` with a pointer for every cell that is wrong."""
        return self.encoder.transform(table_from_json_rows(rows, self.encoder.infos, self.columns))

    def predict(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Answers for raw rows: objects by column name, or arrays in the order of the features.

        Raises `errors.Invalid` with a pointer for every cell that is wrong.
        """
        network = nn.Network(network_spec(self.spec, self.encoder.width))
        h = network.predict(self.flat(network), self.encode(rows))
        if is_multi_label(self.spec):
            return self._multi_labelled(h)
        return self._labelled(h) if self.classes is not None else self._valued(h)

    def _multi_labelled(self, h: Array) -> list[dict[str, Any]]:
        names = self.spec["target"]
        return [
            {"labels": {name: share >= 0.5 for name, share in row.items()}, "probabilities": row}
            for row in (dict(zip(names, shares, strict=True)) for shares in h.astype(np.float64).tolist())
        ]

    def _labelled(self, h: Array) -> list[dict[str, Any]]:
        probabilities = self.probabilities(h)
        labels = self.classes or []
        return [
            {"label": labels[best], "probabilities": dict(zip(labels, row, strict=True))}
            for best, row in zip(probabilities.argmax(axis=1).tolist(), probabilities.tolist(), strict=True)
        ]

    def probabilities(self, h: Array) -> Array:
        """Outputs (n, outputs) as probabilities (n, classes) that sum to 1, in float64."""
        h = h.astype(np.float64)
        if h.shape[1] == 1:
            return np.hstack([1 - h, h])
        total = h.sum(axis=1, keepdims=True)
        shares: Array = np.divide(h, total, out=np.full_like(h, 1 / h.shape[1]), where=total > 0)
        return shares

    def _valued(self, h: Array) -> list[dict[str, Any]]:
        values = self.target.decode(h).tolist()
        names = self.spec["target"]
        if len(names) == 1:
            return [{"value": row[0]} for row in values]
        return [{"value": dict(zip(names, row, strict=True))} for row in values]


def metrics_for(model: Model) -> Callable[[Array, Array], dict[str, float]]:
    """The figures of an epoch: those of classes or of labels, or errors in the target's own unit."""
    if is_multi_label(model.spec):
        return metrics.multi_label
    if model.classes is not None:
        return metrics.classification
    decode = model.target.decode
    return lambda h, y: metrics.regression(decode(h), decode(y))


def report_for(model: Model, h: Array, y: Array) -> dict[str, Any]:
    """The report at the end of training; of regression with the target that each of its outputs stands for."""
    if is_multi_label(model.spec):
        return report.multi_label_report(h, y, model.spec["target"])
    if model.classes is not None:
        return report.classification_report(h, y, model.classes)
    decode, names = model.target.decode, model.spec["target"]
    outputs = report.regression_report(decode(h), decode(y))["outputs"]
    return {"outputs": [{"target": name, **output} for name, output in zip(names, outputs, strict=True)]}
