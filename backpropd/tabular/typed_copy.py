"""A table to predict that holds the values themselves: copied to an Arrow file, described by ranges and levels.

Tables whose columns have types do, and text where no column turns out to need another notation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from backpropd.tabular.binary.typed_reader import TypedReader
from backpropd.tabular.cells.candidate import Candidate
from backpropd.tabular.cells.decide import decide
from backpropd.tabular.cells.profile import MAX_SHAPES
from backpropd.tabular.cells.string_column import StringColumn, finish
from backpropd.tabular.column_statistics import StringStatistics
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.delimited.reader import DelimitedReader
from backpropd.tabular.formats import TableReader
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.read_options import UNUSED, ReadOptions
from backpropd.tabular.staging import MAX_LEVELS_OF_TABLE, USUAL_MARKERS, schema_of, write_blocks
from backpropd.tabular.writer_thread import WriterThread

MAX_LEVELS, MAX_LEVEL_CHARACTERS = 50, 100  # of a column of text, that are described
MAX_DESCRIBED_LEVELS = 20_000  # of all columns

Copied = tuple[int, list[ColumnInfo]]


def holds_values(reader: TableReader, options: ReadOptions) -> bool:
    """Whether a file to predict holds the values themselves, so that no text has to be read as numbers."""
    if not (isinstance(reader, TypedReader) and options.known_kinds) or options.kinds or options.missing is not None:
        return False
    return all(options.known_kinds.get(name) != "number" for name in reader.text_columns)


def copy_table(reader: TableReader, destination: Path, limits: TableLimits) -> Copied:
    """Write the file's blocks as they come, a second time if whole numbers turned out to be too large for float64.

    Returns the number of rows and the columns: those of numbers have the statistics `min` and `max`, those of few
    different words are categories with their `levels`. Raises `TableTooLarge`, and what the reader raises.
    """
    columns = _columns(reader, _words)
    rows = _copy(reader, destination, limits, columns)
    if rows is None:
        columns = _columns(reader, _words)
        rows = _copy(reader, destination, limits, columns)
    assert rows is not None  # noqa: S101 - the first pass found every text column
    return rows, [_info(each, len(columns)) for each in columns]


def may_hold_values(reader: TableReader, options: ReadOptions) -> bool:
    """Whether text to predict may do, as far as its beginning shows; `options` are those for its columns."""
    known = options.known_kinds
    if not isinstance(reader, DelimitedReader) or not known or options.kinds.keys() - known.keys():
        return False
    marks = options.missing, options.decimal, options.thousands
    if any(each is not None for each in marks) or (reader.dialect or {}).get("delimiter") == ";":
        return False
    return not any(
        known[name] == "number" or (known[name] == UNUSED and reader.may_be_numbers(index))
        for index, name in enumerate(reader.names)
        if name in reader.text_columns
    )


def copy_text(reader: TableReader, options: ReadOptions, destination: Path, limits: TableLimits) -> Copied | None:
    """As `copy_table`, where `may_hold_values`; None if a column turned out to need another reading."""
    columns = _columns(reader, _cells)
    rows = _copy(reader, destination, limits, columns)
    if rows is None or _are_converted([each for each in columns if isinstance(each, StringColumn)], reader, options):
        return None
    return rows, [_info(each, len(columns)) for each in columns]


def _are_converted(columns: Sequence[StringColumn], reader: TableReader, options: ReadOptions) -> bool:
    """Whether one of the columns of text is converted, or shows that the file has another decimal mark."""
    finish(columns, USUAL_MARKERS)
    candidates = [Candidate(each.name, each.profile, lambda: iter(()), lambda: iter(())) for each in columns]
    decisions = decide(candidates, options, reader.line_of)
    return bool(decisions.conversions) or decisions.decimal != "."


def _copy(reader: TableReader, destination: Path, limits: TableLimits, columns: Sequence[_Column]) -> int | None:
    """The number of rows, None if numbers turned out to be text."""
    schema = schema_of(reader)
    with (
        pa.OSFile(str(destination), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
        WriterThread(writer.write_batch) as thread,
    ):
        return write_blocks(reader, thread.put, schema, columns, limits)


def _columns(reader: TableReader, text: Callable[[str, int], StringStatistics | StringColumn]) -> list[_Column]:
    schema = schema_of(reader)
    return [
        text(each.name, len(schema)) if each.type == pa.string() else _Range(each.name, each.type == pa.float64())
        for each in schema
    ]


def _words(name: str, columns: int) -> StringStatistics:
    return StringStatistics(name, _max_levels(columns))


def _cells(name: str, columns: int) -> StringColumn:
    share = MAX_LEVELS_OF_TABLE // columns
    return StringColumn(name, min(MAX_SHAPES, share), min(MAX_SHAPES, share), USUAL_MARKERS)


def _max_levels(columns: int) -> int:
    return min(MAX_LEVELS, MAX_DESCRIBED_LEVELS // columns)


class _Range:
    """The least and the greatest number of a column, and how many values are missing; of dates only these."""

    def __init__(self, name: str, is_number: bool) -> None:
        self.name, self.is_number = name, is_number
        self.missing, self.low, self.high = 0, math.inf, -math.inf

    def update(self, values: pa.Array) -> None:
        """Add a block of values."""
        self.missing += values.null_count
        if self.is_number and values.null_count < len(values):
            x = (values.drop_null() if values.null_count else values).to_numpy()
            self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))


_Column = _Range | StringStatistics | StringColumn


def _info(column: _Column, columns: int) -> ColumnInfo:
    """The description of a column, one of so many."""
    if isinstance(column, _Range):
        extremes = {"min": column.low, "max": column.high} if column.low <= column.high else {}
        return ColumnInfo(column.name, "number" if column.is_number else "text", column.missing, None, extremes)
    found = column.statistics if isinstance(column, StringColumn) else column
    levels = found.levels
    if levels is None or len(levels) > _max_levels(columns) or (found.longest or 0) > MAX_LEVEL_CHARACTERS:
        return ColumnInfo(found.name, "text", found.missing, None)
    described = [{"value": level, "count": count} for level, count in levels.items()]
    return ColumnInfo(found.name, "category", found.missing, len(levels), {"levels": described})
