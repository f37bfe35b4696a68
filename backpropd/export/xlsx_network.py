"""The sheet of a layer: weights and biases as cells, pre-activations a and activations h as formulas of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from backpropd.export.network_layers import FIRE, STEP, PlainLayer
from backpropd.export.xlsx_inputs import ExampleBlock
from backpropd.export.xlsx_sheet import Sheet, Styles
from backpropd.nn.feedforward.activations import ACTIVATIONS, LEAK, SELU_ALPHA, SELU_SCALE
from backpropd.nn.feedforward.normalization import EPSILON
from backpropd.nn.layout import Array

FIRST_UNIT = 2  # row
STATISTICS = ("mean", "inverse_std", "scale", "shift")
MOST_EXPONENT = 80
"""The service's limit of -a in the logistic function."""


class LayerSheet:
    """Writes a layer whose inputs are `h` (rows, fan_in), for a network that the service computes in `dtype`."""

    def __init__(self, sheet: Sheet, styles: Styles, layer: PlainLayer, h: ExampleBlock, dtype: str) -> None:
        self.sheet, self.styles, self.layer, self.inputs = sheet, styles, layer, h
        self.dtype, self.rows, self.units = np.dtype(dtype), len(h.values), len(layer.bias)
        self.next_row = FIRST_UNIT + self.units + 1

    def write(self, inputs: Sequence[str], units: Sequence[str]) -> ExampleBlock:
        """Write everything; gives the activations. The names are those of the inputs and of the units."""
        columns = self._parameters(inputs, units)
        biases = [self.sheet.cell(FIRST_UNIT + unit, 1) for unit in range(self.units)]
        first, last = 2 + len(columns), 1 + len(columns) + self.layer.weight.shape[0]
        weights = [self.sheet.range(FIRST_UNIT + unit, first, FIRST_UNIT + unit, last) for unit in range(self.units)]
        rows = [self.inputs.cells(row) for row in range(self.rows)]
        values = self.inputs.values @ self.layer.weight.astype(np.float64) + self.layer.bias.astype(np.float64)
        a = self._block(
            "pre-activations a",
            units,
            values,
            lambda row, unit: f"SUMPRODUCT({rows[row]},{weights[unit]})+{biases[unit]}",
        )
        if self.layer.normalization:
            a = self._normalized(a, units, columns)
        return self._activated(a, units)

    def _parameters(self, inputs: Sequence[str], units: Sequence[str]) -> dict[str, int]:
        """Write a row for each unit: bias, normalization, weights; gives the columns of the normalization."""
        sheet, layer = self.sheet, self.layer
        sheet.text(0, 0, f"{len(units)} units: h = {layer.activation}(a)", self.styles.title)
        own = {name: getattr(layer, name) for name in STATISTICS if getattr(layer, name) is not None}
        for column, name in enumerate(("unit", "bias", *own, *(f"weight of {name}" for name in inputs))):
            sheet.text(1, column, name, self.styles.head)
        table = np.column_stack([layer.bias, *own.values(), layer.weight.T]).astype(np.float64)
        for unit, row in enumerate(table.tolist()):
            sheet.text(FIRST_UNIT + unit, 0, units[unit], self.styles.head)
            for column, number in enumerate(row, 1):
                sheet.number(FIRST_UNIT + unit, column, number)
        sheet.freeze(2, 1)
        sheet.widen(0, 0, 20)
        return {name: column for column, name in enumerate(own, 2)}

    def _block(
        self, title: str, names: Sequence[str], values: Array, formula: Callable[[int, int], str]
    ) -> ExampleBlock:
        """Write a table with a row for each example below what there is."""
        sheet, start = self.sheet, self.next_row
        sheet.text(start, 0, title, self.styles.title)
        for column, name in enumerate(("example", *names)):
            sheet.text(start + 1, column, name, self.styles.head)
        for row, numbers in enumerate(values.tolist()):
            sheet.number(start + 2 + row, 0, row + 1)
            for column, number in enumerate(numbers):
                sheet.formula(start + 2 + row, 1 + column, formula(row, column), number)
        self.next_row = start + 3 + self.rows
        return ExampleBlock(sheet, start + 2, 1, values)

    def _normalized(self, a: ExampleBlock, units: Sequence[str], columns: dict[str, int]) -> ExampleBlock:
        layer = self.layer
        own = {name: np.asarray(getattr(layer, name), np.float64) for name in columns}
        if layer.normalization == "layer":
            variance = a.values.var(axis=1, keepdims=True)
            own["mean"], own["inverse_std"] = a.values.mean(axis=1, keepdims=True), 1 / np.sqrt(variance + EPSILON)
            of_rows = self._block(
                "mean and inverse deviation of a", ("mean", "inverse_std"),
                np.hstack([own["mean"], own["inverse_std"]]),
                lambda row, column: f"1/SQRT(VARP({a.cells(row)})+{EPSILON:E})" if column
                else f"AVERAGE({a.cells(row)})",
            )  # fmt: skip

        def reference(name: str, row: int, unit: int) -> str:
            if name in columns:
                return self.sheet.cell(FIRST_UNIT + unit, columns[name])
            return of_rows.cell(row, ("mean", "inverse_std").index(name))

        def formula(row: int, unit: int) -> str:
            mean, inverse_std, scale, shift = (reference(name, row, unit) for name in STATISTICS)
            return f"({a.cell(row, unit)}-{mean})*{inverse_std}*{scale}+{shift}"

        values = (a.values - own["mean"]) * own["inverse_std"] * own["scale"] + own["shift"]
        return self._block(f"pre-activations, normalized ({layer.normalization})", units, values, formula)

    def _activated(self, a: ExampleBlock, units: Sequence[str]) -> ExampleBlock:
        name, values = self.layer.activation, self._activations(a.values)
        title = f"activations h = {name}(a)"
        if name == "softmax":
            powers = np.exp(a.values - a.values.max(axis=1, keepdims=True))
            exp = self._block(
                "exp(a - largest a)", units, powers, lambda row, unit: f"EXP({a.cell(row, unit)}-MAX({a.cells(row)}))"
            )
            return self._block(title, units, values, lambda row, unit: f"{exp.cell(row, unit)}/SUM({exp.cells(row)})")
        if name == FIRE:
            return self._block(
                title, units, values,
                lambda row, unit: f"IF(MATCH(MAX({a.cells(row)}),{a.cells(row)},0)={unit + 1},1,0)",
            )  # fmt: skip
        form = FORMULAS[name].replace("LARGEST", str(self._largest))
        return self._block(title, units, values, lambda row, unit: form.replace("#", a.cell(row, unit)))

    def _activations(self, a: Array) -> Array:
        """The stored activations, in double precision."""
        name = self.layer.activation
        if name == STEP:
            return (a >= 0).astype(np.float64)
        if name == FIRE:
            fires: Array = np.eye(self.units)[a.argmax(axis=1)]
            return fires
        out = np.empty_like(a)
        ACTIVATIONS[name].forward(np.minimum(a, self._largest) if name == "exponential" else a, out)
        return out

    @property
    def _largest(self) -> int:
        """The largest exponent of `exponential`."""
        return math.floor(math.log(np.finfo(self.dtype).max))


SOFTPLUS = "(MAX(#,0)+LN(1+EXP(-ABS(#))))"
BELOW = "(EXP(MIN(#,0))-1)"

FORMULAS = {
    "linear": "#",
    "logistic": f"1/(1+EXP(MIN(-#,{MOST_EXPONENT})))",
    "tanh": "TANH(#)",
    "relu": "MAX(#,0)",
    "leaky_relu": f"MAX(#,{LEAK}*#)",
    "elu": f"MAX(#,{BELOW})",
    "selu": f"{SELU_SCALE}*IF(#>0,#,{SELU_ALPHA}*{BELOW})",
    "gelu": "#*NORMSDIST(#)",
    "silu": "#/(1+EXP(MIN(-#,700)))",
    "mish": f"#*TANH({SOFTPLUS})",
    "softplus": SOFTPLUS,
    "softsign": "#/(1+ABS(#))",
    "exponential": "EXP(MIN(#,LARGEST))",
    STEP: "IF(#>=0,1,0)",
}
"""h of each activation, # the cell of a. Softmax and `FIRE` take the whole row."""
