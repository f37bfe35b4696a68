"""A file as its reader yields it: written as Parquet, with what the columns show while they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from backpropd.tabular.plain_cells import PlainCells
from backpropd.tabular.read_again import ReadAgain
from backpropd.tabular.read_options import ReadOptions

MIN_ROWS = 200  # of a block, unless MAX_JOINED are joined to it
MAX_JOINED = 8
MAX_LEVELS_OF_TABLE = 1_000_000  # different values counted over all columns, because they are held in memory

USUAL_MARKERS = Markers()

Statistics = NumberStatistics | StringStatistics | DateStatistics


class Collector(Protocol):
    """What a column shows while its values pass."""

    def update(self, values: pa.Array) -> None:
        """Add a block of values."""


@dataclass(frozen=True)
class StagedTable:
    """A Parquet file, its number of rows, and its columns by name, of which those of strings may be more than words.

    `plain` holds the cells that lost characters.
    """

    path: Path
    rows: int
    columns: dict[str, NumberStatistics | DateStatistics | StringColumn]
    max_levels: int
    plain: PlainCells

    def statistics_of(self, name: str) -> Statistics:
        """The statistics of a column as it was staged."""
        column = self.columns[name]
        return column.statistics if isinstance(column, StringColumn) else column


def stage(reader: TableReader, destination: Path, limits: TableLimits, options: ReadOptions) -> StagedTable:
    """Read a file, and again if it is not what its beginning promised. Numbers in `options.missing` become null.

    Raises `TableTooLarge`, and what the reader raises.
    """
    while (table := _read(reader, destination, limits, options)) is None:
        pass
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


def _read(reader: TableReader, destination: Path, limits: TableLimits, options: ReadOptions) -> StagedTable | None:
    """Read the file once. Returns None if it has to be read again."""
    schema, markers = schema_of(reader), Markers.of(options.missing)
    max_levels = min(limits.category_levels, MAX_LEVELS_OF_TABLE // len(schema))
    max_shapes = min(MAX_SHAPES, MAX_LEVELS_OF_TABLE // len(schema))
    columns = {field.name: _column(field, max_levels, max_shapes, markers) for field in schema}
    plain = PlainCells(schema.names, {name for name, kind in options.kinds.items() if kind == "text"})
    with ParquetWriter(destination, schema) as writer:
        rows = write_blocks(reader, writer.put, schema, list(columns.values()), limits, markers, plain)
    if rows is None:
        return None
    finish([column for column in columns.values() if isinstance(column, StringColumn)], markers)
    return StagedTable(destination, rows, columns, max_levels, plain)


def write_blocks(
    reader: TableReader,
    put: Callable[[pa.RecordBatch], None],
    schema: pa.Schema,
    columns: Sequence[Collector],
    limits: TableLimits,
    markers: Markers = USUAL_MARKERS,
    plain: PlainCells | None = None,
) -> int | None:
    """Read the file once, `put` its blocks, and update the columns. Numbers among the markers become null.

    Returns the number of rows; None if the file has to be read again, because the reader raised `ReadAgain` or added to
    `text_columns`.
    """
    text_columns, rows, plain = frozenset(reader.text_columns), 0, plain or PlainCells(schema.names)
    try:
        for block in _in_larger_blocks(reader, text_columns):
            values = [
                _cleaned(name, each, rows, plain, markers) for name, each in zip(schema.names, block, strict=True)
            ]
            put(pa.record_batch(values, schema))
            rows += len(values[0])
            _check_size(rows, len(schema), limits)
            for column, each in zip(columns, values, strict=True):
                column.update(each)
    except ReadAgain:
        return None
    return rows if reader.text_columns == text_columns else None


def _cleaned(name: str, values: pa.Array, row: int, plain: PlainCells, markers: Markers) -> pa.Array:
    if values.type == pa.string():
        return plain.trim(name, values, row)
    return markers.without(values) if values.type == pa.float64() else values


def _in_larger_blocks(reader: TableReader, text_columns: frozenset[str]) -> Iterator[list[pa.Array]]:
    """The reader's blocks while it adds to no `text_columns`, short ones of a wide table together.

    What is done for each column of each block takes its time however few rows there are.
    """
    pending: list[list[pa.Array]] = []
    for block in reader:
        if reader.text_columns != text_columns:
            pending.clear()
            continue
        pending.append(block)
        if len(pending) == MAX_JOINED or sum(len(each[0]) for each in pending) >= MIN_ROWS:
            yield _join(pending)
            pending.clear()
    if pending:
        yield _join(pending)


def _join(blocks: Sequence[list[pa.Array]]) -> list[pa.Array]:
    return blocks[0] if len(blocks) == 1 else [pa.concat_arrays(each) for each in zip(*blocks, strict=True)]


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
