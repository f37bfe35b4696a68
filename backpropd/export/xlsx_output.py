"""The sheet of predictions: labels and probabilities, or values in the target's units."""

from collections.abc import Sequence

import numpy as np

from backpropd.export.xlsx_inputs import ExampleBlock
from backpropd.export.xlsx_sheet import Sheet, Styles
from backpropd.learn import Model
from backpropd.learn.predictions import probabilities
from backpropd.nn.layout import Array

SCALING = ("scale", "offset", "lowest", "highest")


class OutputSheet:
    """The sheet: a row for each example."""

    def __init__(self, sheet: Sheet, styles: Styles) -> None:
        self.sheet, self.styles = sheet, styles

    def write(self, model: Model, h: ExampleBlock) -> None:
        """Write the predictions of the outputs `h` (rows, outputs) of the network."""
        self._head(0, 0, ["example"])
        if model.spec.is_multi_label:
            self._labels(model.spec.target, h)
        elif model.target.labels is None:
            self._values(model, h)
        else:
            self._classes(model.target.labels, h)
        self.sheet.widen(0, 0, 12)

    def _head(self, row: int, column: int, titles: Sequence[str]) -> None:
        for index, title in enumerate(titles):
            self.sheet.text(row, column + index, title, self.styles.head)

    def _number_rows(self, first: int, count: int) -> None:
        for row in range(count):
            self.sheet.number(first + row, 0, row + 1)
        self.sheet.freeze(first, 1)

    def _classes(self, labels: Sequence[str], h: ExampleBlock) -> None:
        """The label of the largest probability, and the probabilities; the names of the classes are in row 1."""
        sheet, by_class = self.sheet, probabilities(h.values)
        self._head(0, 1, ["label", *["probability"] * len(labels)])
        self._head(1, 2, labels)
        self._number_rows(2, len(by_class))
        names = sheet.range(1, 2, 1, 1 + len(labels))
        for row, numbers in enumerate(by_class.tolist(), 2):
            own = sheet.range(row, 2, row, 1 + len(labels))
            best = labels[int(np.argmax(numbers))]
            sheet.formula(row, 1, f"INDEX({names},1,MATCH(MAX({own}),{own},0))", best)
            for index, number in enumerate(numbers):
                sheet.formula(row, 2 + index, _probability(h, row - 2, index), number)

    def _labels(self, names: Sequence[str], h: ExampleBlock) -> None:
        """For each target its label, true or false, and the probability that it is true."""
        count = len(names)
        self._head(0, 1, [*["label"] * count, *["probability"] * count])
        self._head(1, 1, [*names, *names])
        self._number_rows(2, len(h.values))
        for row, numbers in enumerate(h.values.tolist(), 2):
            for index, number in enumerate(numbers):
                here = self.sheet.cell(row, 1 + count + index)
                self.sheet.formula(row, 1 + index, f"{here}>=0.5", number >= 0.5)
                self.sheet.formula(row, 1 + count + index, h.cell(row - 2, index), number)

    def _values(self, model: Model, h: ExampleBlock) -> None:
        """Outputs times `scale` plus `offset`, within the bounds if there are any; these are in the first rows."""
        sheet, target = self.sheet, model.target
        parameters = [target.scale, target.offset, *(target.bounds or ())]
        for row, (title, numbers) in enumerate(zip(SCALING, parameters, strict=False), 1):
            self._head(row, 0, [title])
            for column, number in enumerate(numbers, 1):
                sheet.number(row, column, number)
        first = 3 + len(parameters)
        self._head(0, 1, ["value"] * len(target.names))
        self._head(first - 1, 0, ["example", *target.names])
        self._number_rows(first, len(h.values))
        values: Array = target.decode(h.values)
        for row, numbers in enumerate(values.tolist()):
            for column, number in enumerate(numbers, 1):
                scale, offset, *bounds = (sheet.cell(each, column) for each in range(1, 1 + len(parameters)))
                formula = f"{h.cell(row, column - 1)}*{scale}+{offset}"
                if bounds:
                    formula = f"MIN({bounds[1]},MAX({bounds[0]},{formula}))"
                sheet.formula(first + row, column, formula, number)


def _probability(h: ExampleBlock, row: int, index: int) -> str:
    """As the service has them: both of one output, else h divided by its sum, or equal where that is 0."""
    count = h.values.shape[1]
    if count == 1:
        return h.cell(row, 0) if index else f"1-{h.cell(row, 0)}"
    total = f"SUM({h.cells(row)})"
    return f"IF({total}>0,{h.cell(row, index)}/{total},1/{count})"
