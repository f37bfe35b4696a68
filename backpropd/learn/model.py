"""A trained model with its encoders: raw rows in, labels or values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from backpropd import errors
from backpropd.learn import predictions
from backpropd.learn.network_kinds.base import ResolvedSpec, TrainableNetwork
from backpropd.learn.network_kinds.registry import spec_from_json
from backpropd.learn.predictions import Output, outputs
from backpropd.nn import Layout
from backpropd.nn.layout import Array
from backpropd.tabular import FeatureEncoder, Table, TargetEncoder
from backpropd.tabular.inputs.array_plan import ArrayPlan
from backpropd.tabular.inputs.findings import DerivedColumn
from backpropd.tabular.inputs.json_rows import JsonRows, parse_columns
from backpropd.tabular.inputs.known_column import KnownColumn, known_columns


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

    @cached_property
    def parameters(self) -> int:
        """How many numbers the network has learned."""
        return sum(array.size for array in self.theta.values())

    def flat_theta(self, layout: Layout) -> Array:
        """The parameters as a flat theta (size,)."""
        return np.concatenate([self.theta[name].ravel() for name in layout.shapes])

    @cached_property
    def known_columns(self) -> dict[str, KnownColumn]:
        """What is known of each column that the features need."""
        return known_columns(self.encoder)

    @cached_property
    def derived_columns(self) -> dict[str, DerivedColumn]:
        """What is known of each derived feature."""
        infos = {info.name: info for info in self.encoder.infos}
        return {name: DerivedColumn(each, infos[name]) for name, each in self.encoder.derived.items()}

    @cached_property
    def array_plan(self) -> ArrayPlan | None:
        """The encoders as arrays, if every column is a number."""
        return None if self.spec.network.takes_booleans else ArrayPlan.of(self.encoder)

    @cached_property
    def _predicting(self) -> tuple[TrainableNetwork, Array]:
        network = self.network
        return network, self.flat_theta(network.layout)

    def encode(self, rows: Sequence[Any]) -> Array:
        """Raw rows as inputs (n, width). Raises `errors.Invalid` with a pointer for every cell that is wrong."""
        return self.encoder.transform(self._parse(rows))

    def _parse(self, rows: Sequence[Any]) -> Table:
        columns = self.known_columns
        parsed = JsonRows(rows, list(columns))
        table = parse_columns(parsed, columns)
        for name, wrong, detail in self.wrong_booleans(table):
            if len(wrong):
                raise errors.Invalid.from_problems(parsed.problem(row, name, detail) for row in wrong.tolist())
        return table

    def wrong_booleans(self, table: Table) -> Iterator[tuple[str, NDArray[np.intp], str]]:
        """For each column the rows whose value the network does not take, with the reason."""
        if not self.spec.network.takes_booleans:
            return
        for info in self.encoder.infos:
            column = table.columns[info.name]
            valid = np.isin(column, (0, 1)) if isinstance(column, np.ndarray) else column.codes >= 0
            yield info.name, np.flatnonzero(~valid), "this neuron takes only 0 and 1, or false and true"

    def outputs(self, x: Array) -> list[Output]:
        """The predictions for encoded rows x (n, width)."""
        return self.outputs_of(self.network_outputs(x))

    def outputs_of(self, h: Array) -> list[Output]:
        """The predictions of the network's outputs h (n, outputs)."""
        return outputs(self.spec, self.target, h)

    def network_outputs(self, x: Array) -> Array:
        """The network's outputs h (n, outputs) for encoded rows x (n, width)."""
        network, theta = self._predicting
        return network.predict(theta, x)

    def predict(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Predictions for raw rows: objects by column name, or arrays in the order of the features.

        Raises `errors.Invalid` with a pointer for every cell that is wrong.
        """
        return predictions.to_json(self.outputs(self.encode(rows)))
