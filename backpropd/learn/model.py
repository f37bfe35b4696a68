"""A trained model with its encoders: raw rows in, labels or values out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from backpropd import nn
from backpropd.learn.resolve import network_spec
from backpropd.nn import metrics
from backpropd.tabular import FeatureEncoder, Table, TargetEncoder

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
        """The labels in the order of the outputs, or None for regression."""
        return self.target.labels

    def encode_target(self, table: Table) -> Array:
        """The targets as the loss takes them: class indices (n,), 0 and 1 (n, 1), one-hot or scaled (n, outputs)."""
        encoded = self.target.encode(table)
        dtype, outputs = self.spec["training"]["dtype"], self.spec["network"]["outputs"]
        if self.classes is None:
            return encoded.astype(dtype)
        if outputs == 1:
            return encoded.astype(dtype).reshape(-1, 1)
        if self.spec["training"]["loss"] == "cross_entropy":
            return encoded
        return np.eye(outputs, dtype=dtype)[encoded]

    def predict(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Answers for raw rows: objects by column name, or arrays in the order of the features.

        Raises `errors.Invalid` with a pointer for every cell that is wrong.
        """
        table = Table.from_rows(rows, self.encoder.infos, self.columns)
        network = nn.Network(network_spec(self.spec, self.encoder.width))
        theta = np.concatenate([self.theta[name].ravel() for name in network.layout.shapes])
        h = network.predict(theta, self.encoder.transform(table))
        return self._labelled(h) if self.classes is not None else self._valued(h)

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
    """The figures of an epoch: accuracy, or errors in the target's own unit."""
    if model.classes is None:
        decode = model.target.decode
        return lambda h, y: metrics.regression(decode(h), decode(y))
    if model.spec["training"]["loss"] == "squared_error" and model.spec["network"]["outputs"] > 1:
        return lambda h, y: metrics.classification(h, y.argmax(axis=1))
    return metrics.classification


def weights_as(stored: bytes, format: str) -> bytes:
    """A safetensors file as it is, as `npz`, or as `json` (nested lists by name)."""
    if format == "safetensors":
        return stored
    arrays = load(stored)
    if format == "json":
        return json.dumps({name: array.tolist() for name, array in arrays.items()}).encode()
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()
