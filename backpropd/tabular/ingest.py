"""A CSV or TSV file on disk becomes a Parquet file on disk and a description, a block at a time.

A column is one of numbers while all its blocks are, by the rule in `columns`; the first block makes the guess. Should a
later value not fit, the rest is only looked through for more of them, and the file is read once again: no value is lost
to a guess, and the usual file is read once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from backpropd.errors import EmptyDataset, TableTooLarge
from backpropd.tabular.column_statistics import statistics_for
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.delimited.blocks import Blocks
from backpropd.tabular.delimited.csv_errors import refuse_open_quote
from backpropd.tabular.delimited.sniff import sniff
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.parquet_writer import Writer

UNLIMITED = TableLimits()
MOST_LEVELS_IN_ALL = 1_000_000  # different values, counted over all columns of a table: they are held in memory


@dataclass(frozen=True)
class IngestedTable:
    """What a file turned out to be."""

    format: str
    rows: int
    columns: tuple[ColumnInfo, ...]


def ingest(
    source: Path, destination: Path, *, delimiter: str | None = None, limits: TableLimits = UNLIMITED
) -> IngestedTable:
    """Read the table at `source`, write it as Parquet to `destination`, and describe it.

    Memory stays bounded by a few blocks. Numbers are stored as float64, all else as strings.

    Raises:
        NotATable: the file stops being a table; the message names the row.
        EmptyDataset: there are no rows.
        TableTooLarge: there are more rows, columns or cells than the limits say.
    """
    dialect = sniff(source, delimiter, limits.columns)
    refuse_open_quote(dialect)
    blocks = Blocks(dialect)
    blocks.guess()
    info = _read(blocks, destination, limits) or _read(blocks, destination, limits)
    assert info is not None  # noqa: S101 - the first reading has found every column of words
    return info


def _read(blocks: Blocks, destination: Path, limits: TableLimits) -> IngestedTable | None:
    """Read the file once; None if more columns turned out to hold words, which then are in `words`, all of them."""
    names, known = blocks.dialect.names, frozenset(blocks.words)
    levels = min(limits.category_levels, MOST_LEVELS_IN_ALL // len(names))
    statistics = [statistics_for(name, name not in known, levels) for name in names]
    schema = pa.schema([(name, pa.string() if name in known else pa.float64()) for name in names])
    rows = 0
    with Writer(destination, schema) as writer:
        for columns in blocks:
            if blocks.words != known:
                continue
            writer.put(pa.record_batch(columns, schema))
            rows += len(columns[0])
            _refuse_too_many(rows, len(names), limits)
            for each, column in zip(statistics, columns, strict=True):
                each.update(column)
    if blocks.words != known:
        return None
    if rows == 0:
        raise EmptyDataset("the table has a header and no rows: send at least one")
    kind = "tsv" if blocks.dialect.delimiter == "\t" else "csv"
    return IngestedTable(kind, rows, tuple(each.info(rows) for each in statistics))


def _refuse_too_many(rows: int, columns: int, limits: TableLimits) -> None:
    if rows > limits.rows:
        raise TableTooLarge(f"the table has more than {limits.rows} rows, the most taken here: send fewer")
    if rows * columns > limits.cells:
        raise TableTooLarge(
            f"the table has more than {limits.cells} cells, rows times {columns} columns, the most taken here: send "
            "fewer rows, or fewer columns"
        )
