"""The predictions for rows: arrays, by the names that they have in JSON and as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from backpropd.learn.network_kinds.base import ResolvedSpec
from backpropd.nn.evaluation.metrics import normalized_rows
from backpropd.nn.layout import Array
from backpropd.tabular import TargetEncoder

PREFIXES = {"probabilities": "probability", "labels": "label", "value": "value"}


@dataclass(frozen=True)
class Output:
    """One number, label or truth value for each row.

    In JSON it is the member `member` of a prediction, or under `key` of the object that has this name. Numbers may not
    be finite. Labels are strings, as a dictionary.
    """

    member: str
    key: str | None
    values: pa.Array

    @property
    def column(self) -> str:
        """Its name as a column: `label`, `value`, `probability_setosa`."""
        return self.member if self.key is None else f"{PREFIXES[self.member]}_{self.key}"


def outputs(spec: ResolvedSpec, target: TargetEncoder, h: Array) -> list[Output]:
    """The predictions of a network's outputs h (n, outputs)."""
    if spec.is_multi_label:
        return _multi_label(spec.target, h.astype(np.float64))
    if target.labels is None:
        return _values(spec.target, target.decode(h))
    return _classes(target.labels, probabilities(h))


def _multi_label(names: Sequence[str], h: Array) -> list[Output]:
    labels = [Output("labels", name, pa.array(h[:, index] >= 0.5)) for index, name in enumerate(names)]
    return labels + _named("probabilities", names, h)


def _classes(labels: Sequence[str], by_class: Array) -> list[Output]:
    best = pa.array(by_class.argmax(axis=1).astype(np.int32))
    label = pa.DictionaryArray.from_arrays(best, pa.array(labels, pa.string()))
    return [Output("label", None, label), *_named("probabilities", labels, by_class)]


def _values(names: Sequence[str], values: Array) -> list[Output]:
    return [Output("value", None, pa.array(values[:, 0]))] if len(names) == 1 else _named("value", names, values)


def _named(member: str, names: Sequence[str], columns: Array) -> list[Output]:
    return [Output(member, name, pa.array(columns[:, index])) for index, name in enumerate(names)]


def objects(spec: ResolvedSpec, target: TargetEncoder, h: Array) -> list[dict[str, Any]]:
    """What `to_json` makes of `outputs`, without arrays: faster for a few rows."""
    if spec.is_multi_label or target.labels is None:
        return to_json(outputs(spec, target, h))
    by_class, labels = probabilities(h), target.labels
    rows = zip(by_class.argmax(axis=1).tolist(), by_class.tolist(), strict=True)
    return [{"label": labels[best], "probabilities": dict(zip(labels, row, strict=True))} for best, row in rows]


def probabilities(h: Array) -> Array:
    """Outputs (n, outputs) as probabilities (n, classes) that sum to 1, in float64."""
    h = h.astype(np.float64)
    return np.hstack([1 - h, h]) if h.shape[1] == 1 else normalized_rows(h)


def to_json(found: Sequence[Output]) -> list[dict[str, Any]]:
    """One object for each row."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(found[0].values))]
    for output in found:
        for row, value in zip(rows, output.values.to_pylist(), strict=True):
            if output.key is None:
                row[output.member] = value
            else:
                row.setdefault(output.member, {})[output.key] = value
    return rows
