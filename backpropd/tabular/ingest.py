"""Ingest an uploaded file: write it as Parquet and describe its columns, block by block.

A column holds numbers while all its blocks do, by the rule in `columns`; the reader guesses from the first block. If a
later value does not fit, the rest is only searched for more such columns and the file is read a second time: a guess
never costs a value, and most files are read once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from backpropd.errors import EmptyDataset, TableTooLarge
from backpropd.tabular.column_statistics import statistics_for
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.file_signatures import reject_other_formats
from backpropd.tabular.formats import DEFAULT_FORMAT, FORMATS, TableReader
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.parquet_writer import ParquetWriter
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.warnings import TableWarning

UNLIMITED = TableLimits()
GUESS_ALL = ReadOptions()
MAX_LEVELS_OF_TABLE = 1_000_000  # different values counted over all columns, because they are held in memory


@dataclass(frozen=True)
class IngestedTable:
    """The description of an ingested file; `format` is the one found in it, `dialect` that of text, as in the API."""

    format: str
    rows: int
    columns: tuple[ColumnInfo, ...]
    dialect: Mapping[str, Any] | None = None
    warnings: tuple[TableWarning, ...] = ()


def ingest(
    source: Path,
    destination: Path,
    *,
    format: str = DEFAULT_FORMAT,
    options: ReadOptions = GUESS_ALL,
    limits: TableLimits = UNLIMITED,
) -> IngestedTable:
    """Read the table at `source`, write it as Parquet to `destination`, and describe it.

    Memory is bounded by a few blocks. Numbers are stored as float64, everything else as strings.

    Raises:
        NotATable: the file is not a table, or stops being one; the message names the line.
        EmptyDataset: there are no rows.
        TableTooLarge: there are more rows, columns or cells than `limits` allows.
    """
    reject_other_formats(source)
    reader = FORMATS[format].open(source, options, limits.columns)
    table = _read(reader, destination, limits) or _read(reader, destination, limits)
    assert table is not None  # noqa: S101 - the first pass found every text column
    return table


def _read(reader: TableReader, destination: Path, limits: TableLimits) -> IngestedTable | None:
    """Read the file once. Returns None if it added to `reader.text_columns`, which then is complete."""
    names, text_columns = reader.names, frozenset(reader.text_columns)
    max_levels = min(limits.category_levels, MAX_LEVELS_OF_TABLE // len(names))
    statistics = [statistics_for(name, name not in text_columns, max_levels) for name in names]
    schema = pa.schema([(name, pa.string() if name in text_columns else pa.float64()) for name in names])
    rows = 0
    with ParquetWriter(destination, schema) as writer:
        for columns in reader:
            if reader.text_columns != text_columns:
                continue
            writer.put(pa.record_batch(columns, schema))
            rows += len(columns[0])
            _check_size(rows, len(names), limits)
            for each, column in zip(statistics, columns, strict=True):
                each.update(column)
    if reader.text_columns != text_columns:
        return None
    if rows == 0:
        raise EmptyDataset("the table has a header and no rows: send at least one")
    infos = tuple(each.info(rows) for each in statistics)
    return IngestedTable(reader.format, rows, infos, reader.dialect, tuple(reader.warnings.to_list()))


def _check_size(rows: int, columns: int, limits: TableLimits) -> None:
    if rows > limits.rows:
        raise TableTooLarge(f"the table has more than {limits.rows} rows, the maximum: send fewer")
    if rows * columns > limits.cells:
        raise TableTooLarge(f"the table has more than {limits.cells} cells, the maximum: send fewer rows or columns")
