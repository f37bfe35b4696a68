"""A file as its reader yields it: written as Parquet, with what the columns show while they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from backpropd.errors import TableTooLarge
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.profile import MAX_SHAPES
from backpropd.tabular.cells.string_column import StringColumn, finish
from backpropd.tabular.column_statistics import NumberStatistics, StringStatistics
from backpropd.tabular.date_statistics import DateStatistics
from backpropd.tabular.formats import TableReader
from backpropd.tabular.limits import TableLimits, check_rows
from backpropd.tabular.parquet_writer import ParquetWriter

MAX_LEVELS_OF_TABLE = 1_000_000  # different values counted over all columns, because they are held in memory

USUAL_MARKERS = Markers()

Statistics = NumberStatistics | StringStatistics | DateStatistics


class Collector(Protocol):
    """What a column shows while its values pass."""

    def update(self, values: pa.Array) -> None:
        """Add a block of values."""


@dataclass(frozen=True)
class StagedTable:
    """A Parquet file, its number of rows, and its columns by name, of which those of strings may be more than words."""

    path: Path
    rows: int
    columns: dict[str, NumberStatistics | DateStatistics | StringColumn]
    max_levels: int

    def statistics_of(self, name: str) -> Statistics:
        """The statistics of a column as it was staged."""
        column = self.columns[name]
        return column.statistics if isinstance(column, StringColumn) else column


def stage(reader: TableReader, destination: Path, limits: TableLimits, missing: tuple[str, ...] | None) -> StagedTable:
    """Read a file, a second time if a column of numbers turned out to hold words. Numbers in `missing` become null.

    Raises `TableTooLarge`, and what the reader raises.
    """
    table = _read(reader, destination, limits, missing) or _read(reader, destination, limits, missing)
    assert table is not None  # noqa: S101 - the first pass found every text column
    return table


def new_statistics(type_: pa.DataType, name: str, max_levels: int) -> Statistics:
    """A new collector for a column of this Arrow type, which counts up to `max_levels` different values."""
    if type_ == pa.float64():
        return NumberStatistics(name, max_levels)
    return StringStatistics(name, max_levels) if type_ == pa.string() else DateStatistics(name, max_levels)


def schema_of(reader: TableReader) -> pa.Schema:
    """The names and the types of the blocks' columns, as far as the file was read."""
    dates: Iterable[str] = getattr(reader, "date_columns", ())
    types = {**dict.fromkeys(dates, pa.timestamp("us")), **dict.fromkeys(reader.text_columns, pa.string())}
    return pa.schema([(name, types.get(name, pa.float64())) for name in reader.names])


def _read(
    reader: TableReader, destination: Path, limits: TableLimits, missing: tuple[str, ...] | None
) -> StagedTable | None:
    """Read the file once. Returns None if it added to `reader.text_columns`, which then is complete."""
    schema, markers = schema_of(reader), Markers.of(missing)
    max_levels = min(limits.category_levels, MAX_LEVELS_OF_TABLE // len(schema))
    max_shapes = min(MAX_SHAPES, MAX_LEVELS_OF_TABLE // len(schema))
    columns = {field.name: _column(field, max_levels, max_shapes, markers) for field in schema}
    with ParquetWriter(destination, schema) as writer:
        rows = write_blocks(reader, writer.put, schema, list(columns.values()), limits, markers)
    if rows is None:
        return None
    finish([column for column in columns.values() if isinstance(column, StringColumn)], markers)
    return StagedTable(destination, rows, columns, max_levels)


def write_blocks(
    reader: TableReader,
    put: Callable[[pa.RecordBatch], None],
    schema: pa.Schema,
    columns: Sequence[Collector],
    limits: TableLimits,
    markers: Markers = USUAL_MARKERS,
) -> int | None:
    """Read the file once, `put` its blocks, and update the columns. Numbers among the markers become null.

    Returns the number of rows, None if the reader added to `text_columns`, which then is complete.
    """
    text_columns, rows = frozenset(reader.text_columns), 0
    for block in reader:
        if reader.text_columns != text_columns:
            continue
        values = [markers.without(each) if each.type == pa.float64() else each for each in block]
        put(pa.record_batch(values, schema))
        rows += len(values[0])
        _check_size(rows, len(schema), limits)
        for column, each in zip(columns, values, strict=True):
            column.update(each)
    return rows if reader.text_columns == text_columns else None


def _column(
    field: pa.Field, max_levels: int, max_shapes: int, markers: Markers
) -> NumberStatistics | DateStatistics | StringColumn:
    if field.type == pa.string():
        return StringColumn(field.name, max_levels, max_shapes, markers)
    statistics = new_statistics(field.type, field.name, max_levels)
    assert not isinstance(statistics, StringStatistics)  # noqa: S101 - for the type checker
    return statistics


def _check_size(rows: int, columns: int, limits: TableLimits) -> None:
    check_rows(rows, limits.rows)
    if rows * columns > limits.cells:
        raise TableTooLarge(f"the table has more than {limits.cells} cells, the maximum: send fewer rows or columns")
