"""A CSV or TSV file on disk becomes a Parquet file on disk and a description, a block at a time.

Every cell is read as text. A column is one of numbers while all its blocks are, by the rule in `columns`; the first
block makes the guess. Should a later value not fit, the rest is only looked through for more of them, and the file is
read once again: no value is lost to a guess, and the usual file is read once.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from backpropd.errors import EmptyDataset
from backpropd.tabular.blocks import blocks, refuse_open_quote
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.numerals import numbers_in
from backpropd.tabular.sniff import Dialect, sniff
from backpropd.tabular.statistics import statistics_for
from backpropd.tabular.writer import Writer


@dataclass(frozen=True)
class TableInfo:
    """What a file turned out to be."""

    format: str
    rows: int
    columns: tuple[ColumnInfo, ...]


def ingest(source: Path, destination: Path, *, delimiter: str | None = None) -> TableInfo:
    """Read the table at `source`, write it as Parquet to `destination`, and describe it.

    Memory stays bounded by a few blocks. Numbers are stored as float64, all else as strings.

    Raises:
        NotATable: the file stops being a table; the message names the row.
        EmptyDataset: there are no rows.
    """
    dialect = sniff(source, delimiter)
    refuse_open_quote(dialect)
    words: set[str] = set()
    with closing(blocks(dialect)) as every:
        for block in itertools.islice(every, 1):
            _typed(block, words)
    info = _read(dialect, destination, words) or _read(dialect, destination, words)
    assert info is not None  # noqa: S101 - the first reading has found every column of words
    return info


def _read(dialect: Dialect, destination: Path, words: set[str]) -> TableInfo | None:
    """Read the file once; None if more columns turned out to hold words, which then are in `words`, all of them."""
    known = frozenset(words)
    statistics = [statistics_for(name, name not in known) for name in dialect.names]
    schema = pa.schema([(name, pa.string() if name in known else pa.float64()) for name in dialect.names])
    rows = 0
    with Writer(destination, schema) as writer:
        for block in blocks(dialect):
            columns = _typed(block, words)
            if words != known:
                continue
            writer.put(pa.record_batch(columns, schema))
            rows += block.num_rows
            for each, column in zip(statistics, columns, strict=True):
                each.update(column)
    if words != known:
        return None
    if rows == 0:
        raise EmptyDataset("the table has a header and no rows: send at least one")
    kind = "tsv" if dialect.delimiter == "\t" else "csv"
    return TableInfo(kind, rows, tuple(each.info(rows) for each in statistics))


def _typed(block: pa.RecordBatch, words: set[str]) -> list[pa.Array]:
    """The block's columns as float64 or text; the name of each that holds another thing than numbers joins `words`."""
    columns = dict(zip(block.schema.names, block.columns, strict=True))
    hoped = [name for name in columns if name not in words]
    together = numbers_in(pa.concat_arrays([columns[name] for name in hoped])) if hoped else None
    for place, name in enumerate(hoped):
        # all at once is the usual case, and the fast one in a wide table
        rows = block.num_rows
        numbers = numbers_in(columns[name]) if together is None else together.slice(place * rows, rows)
        if numbers is None:
            words.add(name)
        else:
            columns[name] = numbers
    return list(columns.values())
