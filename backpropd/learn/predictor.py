"""Predictions for many rows, block by block: looked at first, so that nothing fails once an answer has begun."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from backpropd import errors
from backpropd.learn import predictions
from backpropd.learn.model import Model
from backpropd.learn.predictions import Output
from backpropd.nn.layout import Array
from backpropd.prefetch import prefetched
from backpropd.tabular import ColumnInfo, Table
from backpropd.tabular.inputs.conversion import Cells, Converted, convert_column
from backpropd.tabular.inputs.findings import Finding, InputFindings
from backpropd.tabular.inputs.input_rows import InputRows, listed

BLOCK_CELLS = 2**18  # cells, inputs and outputs of a block: 2 MiB of numbers
MIN_BLOCK_ROWS = 64
FEW_ROWS = 200  # objects of Python take longer for more
ALL = "*"


@dataclass(frozen=True)
class Block:
    """Predictions for consecutive rows, and the columns of the input that were to be kept, by name."""

    kept: Mapping[str, pa.Array]
    model: Model
    h: Array

    @cached_property
    def outputs(self) -> list[Output]:
        """The predictions as arrays."""
        return self.model.outputs_of(self.h)

    @property
    def objects(self) -> list[dict[str, Any]] | None:
        """The predictions as objects for JSON; None if there are more rows than are faster so, or kept columns."""
        if self.kept or len(self.h) > FEW_ROWS:
            return None
        return predictions.objects(self.model.spec, self.model.target, self.h)


class Predictor:
    """The predictions of one model for some rows, which keep the columns `keep` (`*` is every one).

    Raises `errors.Invalid` for columns that are missing.
    """

    def __init__(self, model: Model, rows: InputRows, keep: Sequence[str] = ()) -> None:
        self._model, self._rows = model, rows
        self._columns = model.known_columns
        if not rows.rows:
            raise errors.EmptyDataset(
                "the table has no rows below its header: send at least one, or header=false if the first line is a row"
            )
        rows.require(list(self._columns))
        self._keep = _kept_names(rows, keep)
        self._converted: dict[str, Converted] = {}
        self._x: Array | None = None
        outputs = len(model.classes or model.spec.target)
        width = len(self._columns) + len(self._keep) + model.encoder.width + outputs
        self._block_rows = max(BLOCK_CELLS // width, MIN_BLOCK_ROWS)
        self.cells = rows.rows * (outputs + len(self._keep))
        """The number of values in the answer, labels aside."""
        self.multiplications = rows.rows * model.parameters

    @property
    def is_long(self) -> bool:
        """Whether there are several blocks."""
        return self._rows.rows > self._block_rows

    def findings(self) -> list[Finding]:
        """Look at every row that may be unlike training. Raises `errors.Invalid` for cells that are wrong."""
        if (x := self._plain_inputs()) is not None:
            self._x = x
            return []
        found, start = InputFindings(self._rows, self._columns, self._model.columns, self._model.derived_columns), 0
        names = [name for name in self._columns if not self.is_long or self._may_differ(name)]
        for cells in self._rows.blocks(names, self._block_rows) if names else ():
            self._converted = self._checked(found, start, cells, names)
            table = _table(self._converted)
            found.add(start, cells, self._converted, self._model.encoder.findings(table))
            self._check_booleans(start, table)
            start += table.rows
        return found.to_list()

    def _plain_inputs(self) -> Array | None:
        """The inputs (n, width) of rows that are numbers like those of training, in which there is nothing to find."""
        plan = self._model.array_plan
        if plan is None or self.is_long or self._keep:
            return None
        x = self._rows.numbers(list(self._columns))
        return None if x is None else plan.encode(x)

    def _checked(
        self, found: InputFindings, start: int, cells: Mapping[str, Cells], names: Iterable[str]
    ) -> dict[str, Converted]:
        """The values of a block. Raises `errors.Invalid` for the first cells that are wrong, and converts no more."""
        converted, problems = dict[str, Converted](), list[errors.Problem]()
        for name in names:
            converted[name] = convert_column(cells[name], self._columns[name])
            problems += found.problems(start, name, cells[name], converted[name])
            if len(problems) > errors.MAX_PROBLEMS:
                break
        if problems:
            raise errors.Invalid.from_problems(problems)
        return converted

    def _may_differ(self, name: str) -> bool:
        """Whether a column may have cells of another kind, or such as training had none like."""
        info, column = self._rows.described(name), self._columns[name]
        is_warned = any(each.column == name for each in self._rows.read_warnings)
        if self._model.encoder.derived_from(name):
            return True
        if info is None or is_warned or column.markers.numbers or info.kind != column.info.kind:
            return True
        values = _values_of(info)
        if values is None or self._model.spec.network.takes_booleans:
            return True
        converted = convert_column(Cells(values), column)
        (found,) = self._model.encoder.findings(Table({name: converted.values}, len(values))).values()
        return any(mask.any() for mask in (converted.wrong, *found))

    def blocks(self) -> Generator[Block, None, None]:
        """The predictions, after `findings`. If there are several blocks, the next is made while the last is used."""
        return prefetched(self._blocks()) if self.is_long else self._blocks()

    def _blocks(self) -> Generator[Block, None, None]:
        if self._x is not None:
            yield Block({}, self._model, self._model.network_outputs(self._x))
            return
        names = list(dict.fromkeys([*self._columns, *self._keep]))
        for cells in self._rows.blocks(names, self._block_rows):
            converted = self._convert(cells, self._columns) if self.is_long else self._converted
            x = self._model.encoder.transform(_table(converted))
            block = Block(
                {name: cells[name].values for name in self._keep}, self._model, self._model.network_outputs(x)
            )
            if self.is_long:
                _ = block.outputs  # computed here, in the thread that prefetches
            yield block

    def _convert(self, cells: Mapping[str, Cells], names: Iterable[str]) -> dict[str, Converted]:
        return {name: convert_column(cells[name], self._columns[name]) for name in names}

    def _check_booleans(self, start: int, table: Table) -> None:
        for name, wrong, detail in self._model.wrong_booleans(table):
            if len(wrong):
                problems = (self._rows.problem(start + row, name, detail) for row in wrong.tolist())
                raise errors.Invalid.from_problems(problems)


def _values_of(info: ColumnInfo) -> pa.Array | None:
    """Values that show whether any of a described column is unlike training: extremes or all levels, and a missing one.

    None where the description does not show it.
    """
    missing = [None] if info.missing else []
    if info.kind == "number":
        extremes = [info.statistics.get("min"), info.statistics.get("max")]
        return None if None in extremes else pa.array([*extremes, *missing], pa.float64())
    if info.kind == "category":
        return pa.array([*(level["value"] for level in info.statistics["levels"]), *missing], pa.string())
    return None


def _table(converted: Mapping[str, Converted]) -> Table:
    return Table({name: each.values for name, each in converted.items()}, len(next(iter(converted.values())).wrong))


def _kept_names(rows: InputRows, keep: Sequence[str]) -> list[str]:
    names = list(rows.names()) if keep else []
    if list(keep) == [ALL]:
        return names
    having = set(names)
    if unknown := [name for name in keep if name not in having]:
        detail = f"there is no column {unknown[0]!r} to keep; the input has: {listed(names)}"
        raise errors.UnknownColumn(detail, pointer="/keep")
    return list(dict.fromkeys(keep))
