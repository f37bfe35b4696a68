"""Workbooks recalculated by a spreadsheet engine, and their predictions."""

from typing import Any

import numpy as np
from formualizer import Workbook
from numpy.typing import NDArray

from backpropd.export.probe_rows import Probes
from backpropd.export.xlsx_examples import Cell, Examples, kind_of
from backpropd.learn import Model
from backpropd.tabular import Table


class Recalculated:
    """A workbook whose formulas are computed again; rows and columns count from 1."""

    def __init__(self, content: bytes) -> None:
        self.workbook: Any = Workbook.from_bytes(content)
        self.workbook.set_temporal_egress("serial")
        self.workbook.evaluate_all()

    def cell(self, sheet: str, row: int, column: int) -> Any:
        """The value of a cell."""
        return self.workbook.get_value(sheet, row, column)

    def change(self, sheet: str, row: int, column: int, value: Any) -> None:
        """Write a value into a cell, and compute what depends on it."""
        self.workbook.set_value(sheet, row, column, value)
        self.workbook.evaluate_all()

    def find(self, sheet: str, name: str) -> int:
        """The column whose head is `name`."""
        return next(column for column in range(1, 200) if self.cell(sheet, 1, column) == name)


def predictions(book: Recalculated, model: Model, rows: int) -> tuple[list[list[Any]], NDArray[np.float64]]:
    """The labels of each row, if there are any, and the probabilities or values (rows, outputs)."""
    count, of_labels, first = len(model.classes or model.spec.target), 0, 3
    if model.classes or model.spec.is_multi_label:
        of_labels = count if model.spec.is_multi_label else 1
    else:
        first = 8 if model.target.bounds else 6
    found = [
        [book.cell("output", first + row, 2 + column) for column in range(of_labels + count)] for row in range(rows)
    ]
    return [row[:of_labels] for row in found], np.array([row[of_labels:] for row in found], float)


def with_times_of_a_day(model: Model, probes: Probes) -> Probes:
    """The probe rows with times of day in [0, 24) hours: a spreadsheet takes no others."""
    columns, cells = {**probes.table.columns}, {**probes.cells}
    for info in model.encoder.column_infos:
        if kind_of(info) == "time":
            cells[info.name] = columns[info.name] = np.asarray(columns[info.name]) % 24
    return Probes(Table(columns, probes.table.rows), cells)


def as_examples(model: Model, probes: Probes) -> Examples:
    """Probe rows as cells of a spreadsheet; dates are texts in ISO 8601, times of day fractions of a day."""
    cells: dict[str, list[Cell]] = {}
    for info in model.encoder.column_infos:
        found = probes.cells[info.name].tolist()
        if kind_of(info) == "time":
            found = [each / 24 for each in found]
        cells[info.name] = [None if each != each or each == "" else each for each in found]
    return Examples(probes.table, cells)
