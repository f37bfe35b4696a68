"""The reader of CSV and TSV: blocks of columns, float64 where every cell is a number, strings elsewhere.

A file without quotes is split at line ends, and Arrow converts its numbers unless a float64 could lose something of
them. A file with quotes or very many columns is read by Arrow as strings, which are then converted by the exact rule.
Blocks are read in parallel.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import csv as pa_csv

from backpropd.errors import NotATable
from backpropd.tabular.columns import MISSING_VALUES
from backpropd.tabular.delimited import lossy_numbers
from backpropd.tabular.delimited.byte_scan import scan
from backpropd.tabular.delimited.csv_errors import check_quotes, explain, long_row_error, max_row_bytes
from backpropd.tabular.delimited.lossless_numbers import parse_numbers
from backpropd.tabular.delimited.sniff import Dialect, sniff
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.warnings import WarningLog

THREADS = 2
READ_AHEAD = 4  # blocks
CHUNK_BYTES = 1536 * 1024
FIRST_CHUNK_BYTES = 64 * 1024  # for the guess
WIDE = 500  # columns; beyond, Arrow's set-up for each column of each chunk costs more than parsing its numbers
# Missing values with a space on either side: `1, NA, red` is common.
NULLS = [before + value + after for value in MISSING_VALUES for before in ("", " ") for after in ("", " ")]

Columns = list[pa.Array]
Item = TypeVar("Item")


def open_delimited(
    path: Path, options: ReadOptions, max_columns: int, *, declared: str | None = None
) -> DelimitedReader:
    """Open a CSV or TSV file; the delimiter is detected unless the options or the `declared` format give it.

    Raises `NotATable`, `TableTooLarge` for too many columns, and `EmptyDataset` for an empty file.
    """
    dialect = sniff(path, options.delimiter or declared, max_columns)
    check_quotes(dialect)
    with dialect.text.open_utf8() as file:
        _skip(file, dialect.start)
        found = scan(file, dialect.delimiter, '"', len(dialect.names))
    reader = DelimitedReader(dialect, found.rows if found.clean else None)
    reader.guess_text_columns()
    return reader


class DelimitedReader:
    """Iterates over the blocks of a file. A column found to hold words joins `text_columns` and stays text."""

    def __init__(self, dialect: Dialect, rows: int | None) -> None:
        self._dialect, self._expected_rows = dialect, rows
        self.format = "tsv" if dialect.delimiter == "\t" else "csv"
        self.names: Sequence[str] = dialect.names
        self.dialect: Mapping[str, Any] | None = dialect.to_json()
        self.warnings = WarningLog()
        self.text_columns: set[str] = set()
        self.date_columns: frozenset[str] = frozenset()

    def line_of(self, row: int) -> int:
        """See `TableReader`."""
        return row + 1 + self._dialect.has_header

    def guess_text_columns(self) -> None:
        """Find `text_columns` in the first block. Raises `NotATable`."""
        with _explained_errors(self._dialect), closing(self._tasks()) as tasks:
            next(tasks, list)()

    def __iter__(self) -> Generator[Columns, None, None]:
        """The columns of each block. Raises `NotATable`, which names the line."""
        rows = 0
        with _explained_errors(self._dialect), closing(self._tasks()) as tasks, closing(_in_parallel(tasks)) as blocks:
            for columns in blocks:
                rows += len(columns[0])
                yield columns
        if self._expected_rows is not None and rows != self._expected_rows:
            raise NotATable(f"{rows} rows were read of {self._expected_rows}: report this file, so that none is lost")

    def _tasks(self) -> Generator[Callable[[], Columns], None, None]:
        """A function for each block, which reads it."""
        if self._dialect.text.quotes or len(self.names) > WIDE:
            yield from (partial(self._convert, batch) for batch in _stream(self._dialect))
        else:
            yield from (partial(self._read_chunk, chunk) for chunk in _chunks(self._dialect))

    def _read_chunk(self, chunk: memoryview) -> Columns:
        """Let Arrow convert the numbers of a chunk without quotes, unless a float64 may lose something of them."""
        try:
            if not lossy_numbers.may_have_leading_zeros(chunk, self._dialect.delimiter):
                batch = _read(chunk, self._dialect, set(self.names) - self.text_columns)
                if not lossy_numbers.may_be_out_of_range(batch, chunk):
                    return list(batch.columns)
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error):
                raise
        return self._convert(_read(chunk, self._dialect, ()))

    def _convert(self, batch: pa.RecordBatch) -> Columns:
        """Convert strings to numbers by the exact rule, except in text columns."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        names = [name for name in columns if name not in self.text_columns]
        # all columns at once first: it usually succeeds, and is faster in a wide table
        joined = parse_numbers(pa.concat_arrays([columns[name] for name in names])) if names else None
        rows = batch.num_rows
        for index, name in enumerate(names):
            numbers = parse_numbers(columns[name]) if joined is None else joined.slice(index * rows, rows)
            if numbers is None:
                self.text_columns.add(name)
            else:
                columns[name] = numbers
        return list(columns.values())


def _in_parallel(tasks: Iterable[Callable[[], Item]]) -> Generator[Item, None, None]:
    """The tasks' results in order; threads run a few tasks ahead."""
    pending: deque[Future[Item]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for task in tasks:
                pending.append(pool.submit(task))
                if len(pending) > READ_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _explained_errors(dialect: Dialect) -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        raise explain(str(error), dialect) from error


def _chunks(dialect: Dialect) -> Iterator[memoryview]:
    """The UTF-8 bytes of the rows, split at line ends. Raises `NotATable` for a row that is too long."""
    max_bytes = max(CHUNK_BYTES, max_row_bytes(dialect))
    with dialect.text.open_utf8() as file:
        _skip(file, dialect.start)
        target, rest = FIRST_CHUNK_BYTES, b""
        while data := rest + file.read(max_bytes - len(rest)):
            end = _last_line_end(data, target) or _last_line_end(data, max_bytes) or len(data)
            if end == max_bytes and not data.endswith((b"\n", b"\r")):
                raise long_row_error(dialect)
            yield memoryview(data)[:end]
            target, rest = max_bytes, data[end:]


def _skip(file: io.BufferedReader, size: int) -> None:
    while size and (skipped := len(file.read(min(size, CHUNK_BYTES)))):
        size -= skipped


def _last_line_end(data: bytes, limit: int) -> int:
    """The offset behind the last line end within `limit` bytes; 0 if there is none."""
    return data.rfind(b"\n", 0, limit) + 1 or data.rfind(b"\r", 0, limit) + 1


def _read(chunk: memoryview, dialect: Dialect, numbers: Collection[str]) -> pa.RecordBatch:
    """The rows of a chunk without quotes as one batch, however many Arrow made of them."""
    read, parse, convert = _options(dialect, numbers, len(chunk) + 1)
    parse.quote_char = False
    parse.newlines_in_values = False
    read.use_threads = False
    table = pa_csv.read_csv(pa.BufferReader(chunk), read, parse, convert).combine_chunks()
    return next(iter(table.to_batches()), pa.RecordBatch.from_pylist([], table.schema))  # blank lines have no batch


def _stream(dialect: Dialect) -> Iterator[pa.RecordBatch]:
    """The rows block by block, every column as strings."""
    with dialect.text.open_utf8() as file:
        _skip(file, dialect.start)
        if not file.peek(1):
            return
        with pa_csv.open_csv(pa.PythonFile(file, "r"), *_options(dialect, (), max_row_bytes(dialect))) as batches:
            yield from batches


def _options(
    dialect: Dialect, numbers: Collection[str], block_bytes: int
) -> tuple[pa_csv.ReadOptions, pa_csv.ParseOptions, pa_csv.ConvertOptions]:
    return (
        pa_csv.ReadOptions(block_size=block_bytes, column_names=list(dialect.names)),
        pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        pa_csv.ConvertOptions(
            check_utf8=False,  # the whole text was decoded when its encoding was found
            column_types={name: pa.float64() if name in numbers else pa.string() for name in dialect.names},
            null_values=NULLS,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
