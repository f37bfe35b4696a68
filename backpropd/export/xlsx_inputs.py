"""The sheet of encoded values: the inputs of the network, as formulas of the values of each column."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backpropd.export.xlsx_sheet import Sheet, Styles
from backpropd.export.xlsx_values import ValueReferences
from backpropd.nn.layout import Array
from backpropd.tabular.column_encoders import MAX_DEVIATIONS, SMOOTH_LIMIT, ColumnEncoder, Cyclic, OneHot, Scaled
from backpropd.tabular.cycles import HOURS, THURSDAY, WEEK

PARAMETERS = ("mean", "deviation", "number of the level", "input for the level", "for another", "for an unknown one")
MEAN, DEVIATION, LEVEL, ON, OFF, UNKNOWN = range(1, 1 + len(PARAMETERS))  # rows
FIRST_ROW = 3 + len(PARAMETERS)


class ExampleBlock(NamedTuple):
    """Examples (rows, columns) on a sheet: the first cell, and their stored results (rows, columns)."""

    sheet: Sheet
    row: int
    column: int
    values: Array

    def cell(self, row: int, column: int) -> str:
        """A reference to the cell of an example."""
        return self.sheet.cell(self.row + row, self.column + column)

    def cells(self, row: int) -> str:
        """A reference to the row of an example."""
        last = self.column + self.values.shape[1] - 1
        return self.sheet.range(self.row + row, self.column, self.row + row, last)


class InputSheet:
    """The sheet: a column for each input, with the parameters of its encoder above the examples."""

    def __init__(self, sheet: Sheet, styles: Styles, values: Array) -> None:
        self.sheet, self.styles, self.block, self.next_column = (
            sheet,
            styles,
            ExampleBlock(sheet, FIRST_ROW, 1, values),
            0,
        )
        for row, title in enumerate(("input", *PARAMETERS, "", "example")):
            sheet.text(row, 0, title, styles.head)
        for row in range(len(values)):
            sheet.number(FIRST_ROW + row, 0, row + 1)
        sheet.freeze(FIRST_ROW, 1)
        sheet.widen(0, 0, 20)

    def add(self, names: Sequence[str], encoder: ColumnEncoder, values: ValueReferences) -> None:
        """Add the inputs of a column."""
        formulas = self._levels(encoder, values) if isinstance(encoder, OneHot) else self._numbers(encoder, values)
        for name, by_row in zip(names, formulas, strict=True):
            self.sheet.text(0, 1 + self.next_column, name, self.styles.head)
            for row, formula in enumerate(by_row):
                value = float(self.block.values[row, self.next_column])
                self.sheet.formula(FIRST_ROW + row, 1 + self.next_column, formula, value)
            self.next_column += 1

    def _parameter(self, row: int, value: float) -> str:
        """A parameter of the next input; gives the reference to it."""
        self.sheet.number(row, 1 + self.next_column, value)
        return self.sheet.cell(row, 1 + self.next_column)

    def _levels(self, encoder: OneHot, values: ValueReferences) -> Iterator[list[str]]:
        """What `OneHot.write` computes, an input after the other."""
        count = len(encoder.levels) + encoder.missing
        first = count - encoder.width
        on, off = encoder.on or [1.0] * count, encoder.off or [0.0] * count
        shares = [0.0] * (count - 1) + [1.0]
        if encoder.frequencies is not None:
            shares = [*encoder.frequencies, *([0.0] if encoder.missing else [])]
        for index in range(first, count):
            level, own = self._parameter(LEVEL, index + 1), self._parameter(ON, on[index])
            other = self._parameter(OFF, off[index])
            unknown = self._parameter(UNKNOWN, off[index] + shares[index] * (on[index] - off[index]))
            yield [f"IF({each}={level},{own},IF({each}=0,{unknown},{other}))" for each in values.values]

    def _numbers(self, encoder: Scaled, values: ValueReferences) -> Iterator[list[str]]:
        """What `Scaled.write` and `Cyclic.write` compute, an input after the other."""
        mean, deviation = self._parameter(MEAN, encoder.mean), self._parameter(DEVIATION, encoder.std)
        scaled = []
        for each in values.values:
            z = f"MAX(-{MAX_DEVIATIONS:.0E},MIN({MAX_DEVIATIONS:.0E},({each}-{mean})/{deviation}))"
            clipped = f"{z}/SQRT(1+({z}/{SMOOTH_LIMIT:g})^2)" if encoder.smooth else z
            scaled.append(f'IF({each}="",0,{clipped})')
        yield scaled
        if encoder.indicator:
            yield [f'IF({each}="",1,0)' for each in values.values]
        for cycle in encoder.cycles if isinstance(encoder, Cyclic) else ():
            at = _positions(cycle, values)
            for wave in ("SIN", "COS"):
                pairs = zip(values.values, at, strict=True)
                yield [f'IF({each}="",0,{wave}(2*PI()*{position}))' for each, position in pairs]


def _positions(cycle: str, values: ValueReferences) -> list[str]:
    """Where in the cycle each value is, in [0, 1)."""
    if cycle == "clock":
        return [f"MOD({each}/{HOURS},1)" for each in values.values]
    if cycle == "hour":
        return [f"MOD({each},1)" for each in values.values]
    if cycle == "weekday":
        return [f"MOD(INT({each})+{THURSDAY},{WEEK})/{WEEK}" for each in values.values]
    parts = zip(values.values, values.year_starts, values.year_lengths, strict=True)
    return [f"(INT({each})-{start})/{length}" for each, start, length in parts]
