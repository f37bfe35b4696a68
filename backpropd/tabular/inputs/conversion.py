"""Cells of a column, as they came, to the values that a model takes, by what the model knows of the column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.convert import convert_cells
from backpropd.tabular.cells.shapes import tidy, trimmed, trimmed_or_missing
from backpropd.tabular.columns import BOOLEAN_CELLS, ColumnInfo, are_booleans
from backpropd.tabular.inputs.known_column import KnownColumn
from backpropd.tabular.lossless_numbers import NUMBER
from backpropd.tabular.table import CategoricalColumn, Column, class_label, float_column

Mask = NDArray[np.bool_]

WORDS = pa.array([*BOOLEAN_CELLS], pa.string())
PLAIN_NUMBER = ColumnInfo("", "number", 0, None)
MEANINGS = np.array([*BOOLEAN_CELLS.values()])
WRONG = {
    "number": "is not a number, and this column holds numbers",
    "date": "is not a date in the format of this column, {format}",
    "boolean": "is neither true nor false, and this column holds booleans",
}
MAX_NUMBER_BYTES = 2000  # of a number or a date as text: the longest double has 1,075 digits
NO_NUMBER = "too long"
TOO_LARGE = "this number is too large: send a finite one"


class Cells(NamedTuple):
    """Cells (n,) as they came, float64 or strings; `numbers` marks the strings that came as numbers."""

    values: pa.Array
    numbers: Mask | None = None

    def slice(self, start: int, rows: int) -> Cells:
        """These rows."""
        numbers = None if self.numbers is None else self.numbers[start : start + rows]
        return Cells(self.values.slice(start, rows), numbers)


class Converted(NamedTuple):
    """The values of the cells, and which cells are `wrong`: their values are missing."""

    values: Column
    wrong: Mask


def convert_column(cells: Cells, column: KnownColumn) -> Converted:
    """The values of cells of a number, a date, a boolean or a category."""
    if column.info.kind in ("number", "date"):
        return _numbers(cells, column)
    return _booleans(cells, column) if column.info.kind == "boolean" else _categories(cells, column)


def explain(cell: Any, column: KnownColumn) -> str:
    """Why a cell is wrong."""
    if isinstance(cell, float) and not np.isfinite(cell):
        return TOO_LARGE
    if column.info.kind == "category":
        return f"{_meant(float(cell), column)!r} would be a value of this column, which holds words: send it as text"
    if column.info.kind == "number" and NUMBER.fullmatch(str(cell)):
        return TOO_LARGE
    shown = class_label(cell) if isinstance(cell, float) else str(cell)
    return f"{shown[:50]!r} {WRONG[column.info.kind].format_map(column.info.statistics)}"


def _numbers(cells: Cells, column: KnownColumn) -> Converted:
    values = cells.values
    if pa.types.is_floating(values.type) and column.info.kind == "number":
        x, wrong = column.markers.without(values).to_numpy(zero_copy_only=False), np.zeros(len(values), bool)
    elif pa.types.is_timestamp(values.type) and column.info.kind == "date":
        x, wrong = float_column(values), np.zeros(len(values), bool)
    else:
        strings, _ = as_strings(cells)
        x, wrong = _parse(strings, column)
    infinite = np.isinf(x)
    if infinite.any():
        x, wrong = np.where(infinite, np.nan, x), wrong | infinite
    return Converted(x, wrong)


def _parse(strings: pa.StringArray, column: KnownColumn) -> tuple[NDArray[np.float64], Mask]:
    """Strings as numbers or days, NaN where one is missing or is none; and where that is."""
    too_long = pc.greater(pc.binary_length(strings), MAX_NUMBER_BYTES)
    if pc.any(too_long).as_py():  # its notation would be searched for at length
        strings = pc.if_else(too_long, NO_NUMBER, strings)
    values, wrong = convert_cells(column.info, strings)
    x = float_column(values) if column.info.kind == "date" else values.to_numpy(zero_copy_only=False)
    if column.is_flag and wrong.any():
        codes = _boolean_codes(strings)
        taken = wrong & (codes >= 0)
        x, wrong = np.where(taken, codes, x), wrong & ~taken
    return x, wrong


def _booleans(cells: Cells, column: KnownColumn) -> Converted:
    values, _ = cells
    if pa.types.is_floating(values.type):
        x = column.markers.without(values).to_numpy(zero_copy_only=False)
        codes = np.where(x == 1, 1, np.where(x == 0, 0, -1))
        wrong = (codes < 0) & ~np.isnan(x)
    else:
        values, _ = as_strings(cells)
        codes = _boolean_codes(values)
        absent = column.markers.find(tidy(values)) | values.is_null().to_numpy(zero_copy_only=False)
        codes[absent] = -1
        wrong = (codes < 0) & ~absent
    return Converted(CategoricalColumn(codes.astype(np.int32), ["false", "true"]), wrong)


def _boolean_codes(strings: pa.StringArray) -> NDArray[np.int32]:
    """1 for the words of true, 0 for those of false, -1 for anything else."""
    found = pc.index_in(pc.utf8_lower(trimmed(strings)), WORDS)
    index = found.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(index < 0, -1, MEANINGS[index]).astype(np.int32)


def _categories(cells: Cells, column: KnownColumn) -> Converted:
    strings, came_as_number = as_strings(cells)
    if column.levels is None:
        return _any_levels(strings)
    known = pc.index_in(strings, column.levels)
    if not known.null_count:  # nearly always, and fastest
        return Converted(CategoricalColumn(known.to_numpy(), column.levels.to_pylist()), np.zeros(len(strings), bool))
    encoded = strings.dictionary_encode("encode")
    codes = _level_codes(encoded.dictionary, column, column.levels)[encoded.indices.to_numpy()]
    unseen = codes == len(column.levels)
    levels = column.levels.to_pylist()
    if not unseen.any():
        return Converted(CategoricalColumn(codes, levels), unseen)
    levels.append(strings[int(unseen.argmax())].as_py().strip())  # one name for all of them: the encoder knows none
    wrong = _wrong_numbers(strings, unseen & came_as_number, column)
    return Converted(CategoricalColumn(np.where(wrong, -1, codes), levels), wrong)


def _level_codes(strings: pa.StringArray, column: KnownColumn, levels: pa.StringArray) -> NDArray[np.int32]:
    """For each string the index of its level, -1 where it is missing, the number of levels where it is another."""
    plain = trimmed(strings)
    index = pc.coalesce(
        *(pc.index_in(*each) for each in ((strings, levels), (plain, levels), (plain, trimmed(levels))))
    )
    if are_booleans(levels.to_pylist()):
        index = pc.coalesce(index, pc.index_in(pc.utf8_lower(plain), pc.utf8_lower(levels)))
    absent = pc.equal(plain, "").fill_null(True).to_numpy(zero_copy_only=False)
    if column.markers.named is not None:
        absent = absent | column.markers.find(tidy(strings))
    codes: NDArray[np.int32] = index.fill_null(len(levels)).to_numpy(zero_copy_only=False).astype(np.int32)
    codes[absent & (codes == len(levels))] = -1
    return codes


def as_strings(cells: Cells) -> tuple[pa.StringArray, Mask]:
    """The cells as strings, whole numbers without a point, and dates in ISO 8601; and which came as numbers."""
    values, numbers = cells
    if pa.types.is_timestamp(values.type):
        return _iso_dates(values), np.zeros(len(values), bool)
    if not pa.types.is_floating(values.type):
        return values.cast(pa.string()), np.zeros(len(values), bool) if numbers is None else numbers
    encoded = values.dictionary_encode()
    labels = pa.array([class_label(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return labels.take(encoded.indices), np.ones(len(values), bool)


def _iso_dates(stamps: pa.TimestampArray) -> pa.StringArray:
    """Dates in ISO 8601, without their time at midnight."""
    shown = pc.replace_substring_regex(stamps.cast(pa.timestamp("us")).cast(pa.string()), r"( 00:00:00)?\.000000$", "")
    return pc.replace_substring(shown, " ", "T")


def _any_levels(strings: pa.StringArray) -> Converted:
    encoded = trimmed_or_missing(strings).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Converted(CategoricalColumn(codes, encoded.dictionary.to_pylist()), np.zeros(len(codes), bool))


def _wrong_numbers(strings: pa.StringArray, suspects: Mask, column: KnownColumn) -> Mask:
    """Which of the `suspects` are numbers that a level also is, written otherwise: `02134` for 2134."""
    if not suspects.any():
        return suspects
    assert column.levels is not None  # noqa: S101 - for the type checker
    numbers = _number_levels(column)
    x = _plain_numbers(trimmed(strings.filter(pa.array(suspects))))
    wrong = np.zeros(len(suspects), bool)
    wrong[suspects] = np.isin(x, list(numbers))
    return wrong


def _number_levels(column: KnownColumn) -> dict[float, str]:
    """The levels that are numbers, by their value."""
    assert column.levels is not None  # noqa: S101 - for the type checker
    x = _plain_numbers(column.levels)
    return {value: level for value, level in zip(x.tolist(), column.levels.to_pylist(), strict=True) if value == value}


def _plain_numbers(strings: pa.StringArray) -> NDArray[np.float64]:
    """Strings as plain numbers, NaN where one is none."""
    values, _ = convert_cells(PLAIN_NUMBER, strings)
    found: NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    return found


def _meant(number: float, column: KnownColumn) -> str:
    return _number_levels(column)[number]


def same_number(values: Iterable[str], column: KnownColumn) -> str | None:
    """A level that is the same number as one of the values, written otherwise."""
    if column.levels is None:
        return None
    x = _plain_numbers(pa.array(values, pa.string()))
    levels = _number_levels(column)
    return next((levels[value] for value in x.tolist() if value in levels), None)
