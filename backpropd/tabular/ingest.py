"""A CSV or TSV file on disk becomes a Parquet file on disk and a description, a block at a time.

Column types are guessed from the beginning. When a later value does not fit, the column becomes one of words and the
file is read again from the start: no value is lost to a guess, and the usual file is read once.
"""

from __future__ import annotations

import csv
import queue
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as pa_csv

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.columns import MISSING, ColumnInfo
from backpropd.tabular.sniff import Dialect, looks_numeric, sniff
from backpropd.tabular.statistics import DoesNotFit, statistics_for

BLOCK_BYTES = 768 * 1024  # measured by `make bench`: more is a little faster, and takes more memory
MOST_COLUMNS = 20_000


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
    if len(dialect.names) > MOST_COLUMNS:
        raise NotATable(f"the table has {len(dialect.names)} columns, and {MOST_COLUMNS} are the most taken here")
    columns = list(zip(*dialect.rows, strict=False)) or [()] * len(dialect.names)
    numeric = {name for name, values in zip(dialect.names, columns, strict=False) if looks_numeric(values)}
    while True:
        try:
            info = _pass(source, destination, dialect, numeric)
        except DoesNotFit as misfit:
            numeric.discard(misfit.column)
        except _NotUtf8:
            dialect = Dialect("latin-1", dialect.delimiter, dialect.header, dialect.names, dialect.rows)
        else:
            _refuse_open_quote(source, dialect)
            return info


class _NotUtf8(Exception):
    pass


def _pass(source: Path, destination: Path, dialect: Dialect, numeric: set[str]) -> TableInfo:
    statistics = [statistics_for(name, name in numeric) for name in dialect.names]
    rows = 0
    with _Writer(destination, _schema(dialect, numeric)) as writer:
        for batch in _batches(source, dialect, numeric):
            writer.put(batch)
            rows += batch.num_rows
            for each, column in zip(statistics, batch.columns, strict=True):
                each.update(column)
    if rows == 0:
        raise EmptyDataset("the table has a header and no rows: send at least one")
    kind = "tsv" if dialect.delimiter == "\t" else "csv"
    return TableInfo(kind, rows, tuple(each.info(rows) for each in statistics))


def _schema(dialect: Dialect, numeric: set[str]) -> pa.Schema:
    return pa.schema([(name, pa.float64() if name in numeric else pa.string()) for name in dialect.names])


def _batches(source: Path, dialect: Dialect, numeric: set[str]) -> Iterator[pa.RecordBatch]:
    schema = _schema(dialect, numeric)
    try:
        with source.open("rb") as file, _reader(file, dialect, schema) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        raise _explained(str(error), source, dialect, numeric) from error
    except UnicodeDecodeError as error:
        raise NotATable(f"the file is not {dialect.encoding} text all the way: {error}") from error


def _reader(file: BinaryIO, dialect: Dialect, schema: pa.Schema) -> pa_csv.CSVStreamingReader:
    encoding = "utf8" if dialect.encoding in ("utf-8", "utf-8-sig") else dialect.encoding
    return pa_csv.open_csv(
        file,
        read_options=pa_csv.ReadOptions(
            block_size=BLOCK_BYTES,
            column_names=list(dialect.names),
            encoding=encoding,
            skip_rows_after_names=1 if dialect.header else 0,
        ),
        parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=schema,
            null_values=list(MISSING),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _explained(message: str, source: Path, dialect: Dialect, numeric: set[str]) -> Exception:
    """Arrow's complaint in our words, with the place in the file."""
    if "invalid UTF8" in message and dialect.encoding.startswith("utf-8"):
        return _NotUtf8()
    if found := re.search(r"In CSV column #(\d+): (?:.*)conversion error", message, re.DOTALL | re.IGNORECASE):
        name = dialect.names[int(found[1])]
        if name in numeric:
            return DoesNotFit(name)
    if "Expected" in message and "columns, got" in message:
        return _ragged(source, dialect)
    if "straddling" in message:
        return NotATable(f"a single row is longer than {BLOCK_BYTES // 1024} KiB: is a quote left open?")
    return NotATable(f"the file cannot be read as a table: {message[:300]}")


def _ragged(source: Path, dialect: Dialect) -> NotATable:
    """Find the row that is wider or narrower than the others: only here is the file read cell by cell."""
    width = len(dialect.names)
    with source.open(encoding=dialect.encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=dialect.delimiter)
        for row in reader:
            if row and len(row) != width:
                where = min(len(row), width) + 1
                return NotATable(
                    f"line {reader.line_num} has {len(row)} cells where the others have {width} (it stops at "
                    f"column {where}): mend that line, or quote cells that hold the delimiter {dialect.delimiter!r}"
                )
    return NotATable(f"a row has another number of cells than the {width} of the first")


def _refuse_open_quote(source: Path, dialect: Dialect) -> None:
    """Arrow takes a quote that is never closed for a cell that reaches to the end of the file: we do not.

    Only an odd number of quotes makes it worth reading the file cell by cell; a quote within a word is no fault.
    """
    with source.open("rb") as raw:
        quotes = sum(block.count(b'"') for block in iter(lambda: raw.read(BLOCK_BYTES), b""))
    if quotes % 2 == 0:
        return
    with source.open(encoding=dialect.encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=dialect.delimiter, strict=True)
        began = 1
        try:
            for _ in reader:
                began = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise NotATable(f"the row that begins at line {began} opens a quote that is never closed") from error


class _Writer:
    """Writes Parquet in a thread of its own, so that parsing and compressing use a core each."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        words = [field.name for field in schema if field.type == pa.string()]
        self._writer = pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=words, write_statistics=False)
        self._batches: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=2)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> _Writer:
        self._thread.start()
        return self

    def put(self, batch: pa.RecordBatch) -> None:
        """Hand over a batch; waits when the writer is two behind."""
        if self._error is not None:
            raise self._error
        self._batches.put(batch)

    def __exit__(self, *_: object) -> None:
        self._batches.put(None)
        self._thread.join()
        self._writer.close()
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                if self._error is None:
                    self._writer.write_batch(batch)
            except BaseException as error:
                self._error = error
