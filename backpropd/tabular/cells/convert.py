"""Cells of a column that is known: as predictions need it, and as the rewriting of an upload needs it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.conversions import Conversion, NumberCells, conversion_of
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.notation import PLAIN
from backpropd.tabular.cells.numbers import mask_of_nulls
from backpropd.tabular.cells.other_notations import read_otherwise
from backpropd.tabular.cells.shapes import by_value, tidy
from backpropd.tabular.columns import ColumnInfo, is_time_of_day
from backpropd.tabular.lossless_numbers import parse_numbers

Mask = NDArray[np.bool_]


def convert_cells(info: ColumnInfo, cells: pa.StringArray) -> tuple[pa.Array, Mask]:
    """The values (n,) of string cells (n,) by the description of their column, and which cells (n,) do not fit it.

    Values are float64 for the kind number, `timestamp[us]` for date, and strings for all others. A cell is null where
    it is missing, or does not fit: then its mask is true. The usual markers of a missing value are missing in numbers
    and dates, and only the empty cell is in words; or those are that the upload named (`markers`). Numbers may be in
    the column's notation, or plain (`-1234.5`), and times of day plain hours; other notations and formats of dates are
    read where only one reading fits the cell. Booleans keep their spelling. `table.float_column` makes a column of a
    table from numbers and timestamps.
    """
    conversion, markers = conversion_of(info.kind, info.statistics), Markers.of(info.statistics.get("markers"))
    is_plain = isinstance(conversion, NumberCells) and conversion.notation.is_plain
    if is_plain and markers.named is None and (plain := parse_numbers(cells)) is not None:
        return plain, np.zeros(len(cells), bool)
    values, misfits = convert(conversion, cells, markers)
    if info.kind == "number" and not is_plain and misfits.any():
        plain, _ = convert(NumberCells(PLAIN, exact=False), _suspects(cells, misfits), markers)
        values, misfits = _filled_in(values, misfits, plain)
    if info.kind in ("number", "date") and not is_time_of_day(info) and misfits.any():
        values, misfits = _filled_in(values, misfits, read_otherwise(info.kind, _suspects(cells, misfits)))
    return values, misfits


def _suspects(cells: pa.StringArray, misfits: Mask) -> pa.StringArray:
    """The misfits among the cells (n,), null elsewhere."""
    return pc.if_else(pa.array(misfits), cells, pa.scalar(None, pa.string()))


def _filled_in(values: pa.Array, misfits: Mask, others: pa.Array) -> tuple[pa.Array, Mask]:
    """The values (n,) with those that the misfits have in another reading, and the remaining misfits."""
    return pc.coalesce(values, others), misfits & mask_of_nulls(others)


def convert(conversion: Conversion, cells: pa.StringArray, markers: Markers) -> tuple[pa.Array, Mask]:
    """The values (n,) of cells (n,), and which cells (n,) neither fit nor are missing. Raises `LossyNumberError`."""
    tidied = tidy(cells)
    if conversion.type != pa.string():
        missing = markers.find(tidied)
        cells = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), tidied)
    elif markers.named is not None:
        cells = pc.if_else(pa.array(markers.find(tidied)), pa.scalar(None, pa.string()), cells)
    values = by_value(conversion.apply, cells)
    return values, mask_of_nulls(values) & ~mask_of_nulls(cells) & ~_is_empty(cells)


def _is_empty(cells: pa.StringArray) -> Mask:
    empty: Mask = pc.fill_null(pc.equal(cells, ""), False).to_numpy(zero_copy_only=False)
    return empty
