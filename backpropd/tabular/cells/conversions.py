"""How the cells of a column become its values: numbers, hours, dates, booleans or words.

A `Conversion` has the `kind` that the column becomes, None if its words decide it, and the Arrow `type` of its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.cells.centuries import POSIX_FIRST_YEAR
from backpropd.tabular.cells.date_formats import DATE_FORMATS, DateFormat
from backpropd.tabular.cells.dates import read_dates, read_hours
from backpropd.tabular.cells.notation import NumberNotation
from backpropd.tabular.cells.numbers import plain_numbers, to_float64
from backpropd.tabular.columns import BOOLEAN_CELLS


class LossyNumberError(Exception):
    """A float64 would lose something of a number."""


@dataclass(frozen=True)
class NumberCells:
    """Numbers in a notation. `exact`: raise an error where a float64 loses something, by the rule in `columns`."""

    notation: NumberNotation
    exact: bool = True
    kind = "number"
    type = pa.float64()

    def apply(self, cells: pa.StringArray) -> pa.Array:
        """The values of tidied cells, null where a cell is null or does not fit. Raises `LossyNumberError`."""
        numbers = to_float64(plain_numbers(cells, self.notation), exact=self.exact)
        if numbers is None:
            raise LossyNumberError
        return numbers

    def describe(self) -> dict[str, Any]:
        """What to add to the column's statistics, from which `conversion_of` restores the conversion."""
        return {} if self.notation.is_plain else {"notation": self.notation.to_json()}


@dataclass(frozen=True)
class DateCells:
    """Dates in a format, in UTC where they have a zone; a time alone becomes a number of hours.

    `first_year` is that of the hundred years to which years of two digits belong, None if there are none.
    """

    form: DateFormat
    first_year: int | None = None

    @property
    def kind(self) -> str:
        """`date`, or `number` for a time alone."""
        return "number" if self.form.is_time else "date"

    @property
    def type(self) -> pa.DataType:
        """Timestamps, or float64 for a time alone."""
        return pa.float64() if self.form.is_time else pa.timestamp("us")

    def apply(self, cells: pa.StringArray) -> pa.Array:
        """The values of tidied cells, null where a cell is null or does not fit."""
        if self.form.is_time:
            return read_hours(cells, self.form)
        return read_dates(cells, self.form, POSIX_FIRST_YEAR if self.first_year is None else self.first_year)

    def describe(self) -> dict[str, Any]:
        """What to add to the column's statistics, from which `conversion_of` restores the conversion."""
        return {"format": self.form.name} | ({} if self.first_year is None else {"first_year": self.first_year})


@dataclass(frozen=True)
class WordCells:
    """Words as they stand; of kind `boolean` only the words of a boolean."""

    kind: str | None = None
    type = pa.string()

    def apply(self, cells: pa.StringArray) -> pa.Array:
        """The cells as they stand, null where a cell is null, empty or does not fit."""
        if self.kind != "boolean":
            return pc.if_else(pc.equal(cells, ""), None, cells)
        known = pc.is_in(pc.utf8_lower(cells), value_set=pa.array([*BOOLEAN_CELLS], pa.string()))
        return pc.if_else(known, cells, None)

    def describe(self) -> dict[str, Any]:
        """What to add to the column's statistics, from which `conversion_of` restores the conversion."""
        return {}


Conversion = NumberCells | DateCells | WordCells


def conversion_of(kind: str, statistics: Mapping[str, Any]) -> Conversion:
    """The conversion of a stored column; numbers that a float64 does not hold exactly are rounded."""
    if kind == "date":
        return DateCells(DATE_FORMATS[statistics.get("format", "year-month-day")], statistics.get("first_year"))
    if kind != "number":
        return WordCells(kind)
    if (form := DATE_FORMATS.get(statistics.get("format", ""))) and form.is_time:
        return DateCells(form)
    return NumberCells(NumberNotation.from_json(statistics.get("notation")), exact=False)
