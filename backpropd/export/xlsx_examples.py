"""Example rows of a model, as its columns take them and as cells of a spreadsheet."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.learn import Model
from backpropd.tabular import ColumnInfo, Table
from backpropd.tabular.column_encoders import ColumnEncoder, OneHot, Scaled
from backpropd.tabular.columns import is_time_of_day
from backpropd.tabular.cycles import HOURS
from backpropd.tabular.table import CategoricalColumn, Column
from backpropd.tabular.target_encoder import boolean_labels

ROWS = 8
DEVIATIONS = (0.0, -1.0, 1.0, -0.5, 0.5, -1.5, 1.5, math.nan)
"""How far the numbers of each row are from the mean; the last row has missing values where training had some."""
UNIX_EPOCH = 25_569
"""1970-01-01 as a spreadsheet counts days."""
FIRST_DAY = 61
"""1900-03-01: before it, spreadsheets differ from each other or have no dates."""
LAST_DAY = 2_958_465
"""9999-12-31."""
LARGEST = 9e307
"""Spreadsheets take no larger number."""

Cell = float | str | None


class Examples(NamedTuple):
    """Rows as the model takes them, and by column as cells: numbers, texts, or None where a cell is empty."""

    table: Table
    cells: Mapping[str, Sequence[Cell]]


def kind_of(info: ColumnInfo) -> str:
    """What the cells of a column hold: `number`, `words`, `date` or `time`, which is a fraction of a day."""
    if info.kind in ("category", "boolean"):
        return "words"
    return "time" if is_time_of_day(info) else info.kind


def example_rows(model: Model) -> Examples:
    """Typical values: those that the encoders know."""
    columns, cells = dict[str, Column](), dict[str, Sequence[Cell]]()
    for index, (info, encoder) in enumerate(model.encoder.columns):
        columns[info.name], cells[info.name] = _column(info, encoder, index, model.spec.network.takes_booleans)
    return Examples(Table(columns, ROWS), cells)


def _column(info: ColumnInfo, encoder: ColumnEncoder, index: int, only_booleans: bool) -> tuple[Column, list[Cell]]:
    if info.kind in ("category", "boolean"):
        return _words(info, encoder, index, only_booleans)
    assert isinstance(encoder, Scaled)  # noqa: S101 - for the type checker
    if only_booleans:
        x = _bits(index)
        return x, x.tolist()
    x = _numbers(info, encoder)
    factor, offset = {"date": (1.0, UNIX_EPOCH), "time": (1 / HOURS, 0)}.get(kind_of(info), (1.0, 0))
    return x, [None if math.isnan(each) else each * factor + offset for each in x.tolist()]


def _bits(index: int) -> NDArray[np.float64]:
    """0 and 1 (rows,): of the first three columns all combinations."""
    return (np.arange(ROWS) >> index % 3 & 1).astype(np.float64)


def _words(
    info: ColumnInfo, encoder: ColumnEncoder, index: int, only_known: bool
) -> tuple[CategoricalColumn, list[Cell]]:
    """The levels in turn, and a missing value in the last row if training had some."""
    if isinstance(encoder, OneHot):
        levels, shown, may_miss = encoder.levels, encoder.levels, encoder.missing
    else:
        levels, shown, may_miss = ["false", "true"], boolean_labels(info), encoder.indicator
    codes = _bits(index).astype(np.int32) if only_known else (np.arange(ROWS) % max(1, len(levels))).astype(np.int32)
    if not levels or (may_miss and not only_known):
        codes[-1 if levels else slice(None)] = -1
    return CategoricalColumn(codes, levels), [shown[code] if code >= 0 else None for code in codes.tolist()]


def _numbers(info: ColumnInfo, encoder: Scaled) -> NDArray[np.float64]:
    """Numbers (rows,) around the mean, within the range of training, as coarse as the deviation allows."""
    low, high = encoder.low, encoder.high
    center, spread = encoder.mean, encoder.std
    if low is not None and high is not None and not low <= center <= high:
        center, spread = low / 2 + high / 2, high / 4 - low / 4
    with np.errstate(over="ignore"):
        x = center + spread * np.array(DEVIATIONS)
    if low is not None and high is not None:
        x = np.clip(x, low, high)
    if not encoder.indicator:
        x[-1] = center
    if info.kind == "date":
        return np.clip(np.floor(x), FIRST_DAY - UNIX_EPOCH, LAST_DAY - UNIX_EPOCH)
    x = np.clip(x, -LARGEST, LARGEST)
    if info.statistics.get("whole"):
        return np.round(x)
    digits = 2 - math.floor(math.log10(spread)) if spread > 0 else 6
    return np.round(x, digits) if abs(digits) < 300 else x
