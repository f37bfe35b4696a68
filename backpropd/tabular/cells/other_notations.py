"""Cells that are not written as their column is: read in another notation or format, where only one reading fits."""

from __future__ import annotations

import pyarrow as pa

from backpropd.tabular.cells.conversions import Conversion, DateCells, NumberCells
from backpropd.tabular.cells.infer_dates import infer_dates
from backpropd.tabular.cells.infer_numbers import infer_numbers
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.notation import NumberNotation
from backpropd.tabular.cells.profile import CellProfile


def other_conversion(kind: str, cells: pa.StringArray) -> Conversion | None:
    """The conversion of these cells of a column of numbers or dates; None if there is none, or several fit.

    Numbers with a currency, a unit or a multiplier are none, because the column's numbers may have another.
    """
    profile = CellProfile(Markers())
    profile.add(cells)
    if kind == "number":
        guess = infer_numbers(profile.shapes)
        if guess is None or not guess.fitting or guess.alternative:
            return None
        has_marks_alone = guess.notation == NumberNotation(guess.notation.decimal, guess.notation.thousands)
        return NumberCells(guess.notation, exact=False) if has_marks_alone else None
    dates = infer_dates(profile.shapes, profile.filled, lambda: [(cells, None)])
    return None if dates is None or dates.ambiguous or dates.form.is_time else DateCells(dates.form)
