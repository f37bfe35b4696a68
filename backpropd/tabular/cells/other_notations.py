"""Cells that are not written as their column is: each is read in another notation or format, if all that fit agree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.tabular.cells.date_formats import DATE_FORMATS, DAY_FIRST, MONTH_FIRST, DateFormat
from backpropd.tabular.cells.dates import read_dates
from backpropd.tabular.cells.infer_dates import DOTTED
from backpropd.tabular.cells.notation import NUMBER_MARKS, NumberNotation
from backpropd.tabular.cells.numbers import plain_numbers, to_float64
from backpropd.tabular.cells.shapes import by_value, shapes, tidy

Form = TypeVar("Form", NumberNotation, DateFormat)

NOTATIONS = [NumberNotation(*marks) for marks in NUMBER_MARKS]
DATES = [form for form in DATE_FORMATS.values() if not form.is_time and not form.named_only]


def read_otherwise(kind: str, cells: pa.StringArray) -> pa.Array:
    """The values (n,) of cells of a column of numbers or dates, null where none or several different ones fit the cell.

    What a cell means does not depend on the others. Numbers with a currency, a unit or a multiplier are null, because
    the column's numbers may have another.
    """
    return by_value(_numbers if kind == "number" else _dates, tidy(cells))


def _numbers(cells: pa.StringArray) -> pa.DoubleArray:
    readings = [to_float64(plain_numbers(cells, each), exact=False) for each in _matching(NOTATIONS, cells)]
    return _agreed([pa.nulls(len(cells), pa.float64()), *readings])


def _dates(cells: pa.StringArray) -> pa.TimestampArray:
    forms = _matching(DATES, cells)
    readings = [read_dates(cells, form) for form in forms]
    if DAY_FIRST in forms and MONTH_FIRST in forms:
        second = forms.index(MONTH_FIRST)
        day_first = pc.and_(
            pc.match_substring_regex(cells, DOTTED.pattern), readings[forms.index(DAY_FIRST)].is_valid()
        )
        readings[second] = pc.if_else(day_first, None, readings[second])
    return _agreed([pa.nulls(len(cells), pa.timestamp("us")), *readings])


def _matching(candidates: Sequence[Form], cells: pa.StringArray) -> list[Form]:
    """The notations or formats whose pattern a cell matches."""
    cells = cells.drop_null()
    if not len(cells):
        return []
    different = pc.unique(shapes(cells)[0]).to_pylist()
    return [each for each in candidates if any(re.match(each.pattern, shape) for shape in different)]


def _agreed(readings: Sequence[pa.Array]) -> pa.Array:
    """The value (n,) that all readings (n,) which have one share, else null."""
    first = pc.coalesce(*readings)
    equal = [pc.fill_null(pc.equal(each, first), True) for each in readings]
    return pc.if_else(reduce(pc.and_, equal), first, None)
