"""A trained neuron with a threshold and its encoders: raw rows in, labels out, each with certainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd import errors, nn
from backpropd.errors import Problem, pointer
from backpropd.learn.model import Model
from backpropd.learn.neurons import BOOLEAN_KINDS, neuron_of
from backpropd.tabular import Table, table_from_json_rows

Array = NDArray[Any]


class NeuronModel(Model):
    """A model whose network is one of `nn.NEURONS`."""

    @property
    def neuron(self) -> nn.Neuron:
        """The neuron, which takes encoded rows."""
        return neuron_of(self.spec, self.encoder.width)

    def neuron_with(self, learning_rate: float | None) -> nn.Neuron:
        """The same neuron, taught at another rate if one is given and it is taught at all."""
        neuron = self.neuron
        if learning_rate is None or not isinstance(neuron, nn.Perceptron | nn.PerceptronNetwork):
            return neuron
        return replace(neuron, learning_rate=learning_rate)

    def encode_target(self, table: Table) -> Array:
        """The targets as the neuron takes them: 0 and 1 (n, 1), or class indices (n,) for more than two classes."""
        encoded = self.target.encode(table)
        return encoded.reshape(-1, 1) if self.neuron.outputs == 1 else encoded

    def encode(self, rows: Sequence[Any]) -> Array:
        """Raw rows as the neuron takes them (n, width). Raises `errors.Invalid` with a pointer for every wrong cell."""
        table = table_from_json_rows(rows, self.encoder.infos, self.columns)
        if self.spec["network"]["kind"] in BOOLEAN_KINDS:
            self._refuse_other_values(table, rows)
        return self.encoder.transform(table)

    def predict(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Answers for raw rows: objects by column name, or arrays in the order of the features.

        Raises `errors.Invalid` with a pointer for every cell that is wrong.
        """
        x, neuron = self.encode(rows), self.neuron
        theta = np.concatenate([self.theta[name].ravel() for name in neuron.layout.shapes])
        h = neuron.predict(theta, x)
        answered = h[:, 0] if neuron.outputs == 1 else h.argmax(axis=1)
        labels = self.classes or []
        return [
            {"label": labels[best], "probabilities": {label: float(label == labels[best]) for label in labels}}
            for best in answered.astype(int).tolist()
        ]

    def _refuse_other_values(self, table: Table, rows: Sequence[Any]) -> None:
        problems = []
        for place, info in enumerate(self.encoder.infos):
            column = table.columns[info.name]
            right = np.isin(column, (0, 1)) if isinstance(column, np.ndarray) else column.codes >= 0
            for row in np.flatnonzero(~right).tolist():
                where = pointer("rows", row, info.name if isinstance(rows[row], dict) else place)
                problems.append(Problem(where, "this neuron takes 0 and 1, or false and true, alone"))
        if problems:
            raise errors.Invalid.from_problems(problems)
