"""The rows of a CSV or TSV file as blocks of columns: of numbers where every cell is one, of text elsewhere.

A file without quotes is cut into pieces at line ends, and Arrow reads their numbers by itself where nothing makes them
doubtful. A file with quotes, or very many columns, comes from Arrow block by block as text, and becomes numbers by the
exact rule. Either way blocks are read side by side.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import TypeVar

import pyarrow as pa
from pyarrow import csv as pa_csv

from backpropd.tabular.columns import MISSING_VALUES
from backpropd.tabular.delimited import lossy_numbers
from backpropd.tabular.delimited.csv_errors import explained, most_row_bytes, too_long
from backpropd.tabular.delimited.number_parsing import numbers_in
from backpropd.tabular.delimited.sniff import Dialect

READERS = 2  # threads
AHEAD = 4  # blocks that are read before they are asked for
PIECE_BYTES = 1536 * 1024
FIRST_BYTES = 64 * 1024  # for the guess
WIDE = 500  # columns: beyond, what Arrow sets up for each of them would cost more in every piece than its numbers
# Marks of a missing value, with a space on either side: `1, NA, red` is common.
NULLS = [before + mark + after for mark in MISSING_VALUES for before in ("", " ") for after in ("", " ")]

Columns = list[pa.Array]
Item = TypeVar("Item")


class Blocks:
    """A file's blocks. A column that turns out to hold words joins `words`, and is text from then on."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.words: set[str] = set()

    def guess(self) -> None:
        """Find `words` in the first block. Raises `NotATable`."""
        with _explaining(self.dialect), closing(self._unread()) as unread:
            for block in unread:
                block()
                break

    def __iter__(self) -> Generator[Columns, None, None]:
        """The columns of each block. Raises `NotATable`, which names the line."""
        with _explaining(self.dialect), closing(self._unread()) as unread, closing(_side_by_side(unread)) as blocks:
            yield from blocks

    def _unread(self) -> Generator[Callable[[], Columns], None, None]:
        text = self.dialect.text
        if text.quotes or text.encoding.startswith("utf-16") or len(self.dialect.names) > WIDE:
            yield from (partial(self._exact, batch) for batch in _stream(self.dialect))
        else:
            yield from (partial(self._swift, piece) for piece in _pieces(self.dialect))

    def _swift(self, piece: memoryview) -> Columns:
        """Read a piece without quotes, numbers as Arrow reads them unless that may lose something of a cell."""
        try:
            if not lossy_numbers.on_leading_zeros(piece, self.dialect.delimiter):
                batch = _read(piece, self.dialect, set(self.dialect.names) - self.words)
                if not lossy_numbers.on_size(batch, piece):
                    return list(batch.columns)
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error):
                raise
        return self._exact(_read(piece, self.dialect, ()))

    def _exact(self, batch: pa.RecordBatch) -> Columns:
        """Text becomes numbers by the exact rule, except in columns of words."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        hoped = [name for name in columns if name not in self.words]
        together = numbers_in(pa.concat_arrays([columns[name] for name in hoped])) if hoped else None
        for place, name in enumerate(hoped):
            # all at once is the usual case, and the fast one in a wide table
            rows = batch.num_rows
            numbers = numbers_in(columns[name]) if together is None else together.slice(place * rows, rows)
            if numbers is None:
                self.words.add(name)
            else:
                columns[name] = numbers
        return list(columns.values())


def _side_by_side(unread: Iterable[Callable[[], Item]]) -> Generator[Item, None, None]:
    """Call each in one of a few threads, a little ahead; the results in order."""
    waiting: deque[Future[Item]] = deque()
    with ThreadPoolExecutor(READERS) as readers:
        try:
            for each in unread:
                waiting.append(readers.submit(each))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            readers.shutdown(cancel_futures=True)


@contextmanager
def _explaining(dialect: Dialect) -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        raise explained(str(error), dialect) from error


def _pieces(dialect: Dialect) -> Iterator[memoryview]:
    """The bytes of the rows, cut at line ends. Raises `NotATable` for a row that is too long."""
    most = max(PIECE_BYTES, most_row_bytes(dialect))
    with dialect.text.path.open("rb", buffering=0) as file:
        file.seek(dialect.start)
        wanted = FIRST_BYTES
        while chunk := file.read(most):
            cut = _line_end(chunk, wanted) or _line_end(chunk, most) or len(chunk)
            if cut == most and not chunk.endswith((b"\n", b"\r")):
                raise too_long(dialect)
            file.seek(cut - len(chunk), os.SEEK_CUR)
            yield memoryview(chunk)[:cut]
            wanted = most


def _line_end(chunk: bytes, most: int) -> int:
    """Behind the last line end within so many bytes; 0 if there is none."""
    return chunk.rfind(b"\n", 0, most) + 1 or chunk.rfind(b"\r", 0, most) + 1


def _read(piece: memoryview, dialect: Dialect, numbers: Collection[str]) -> pa.RecordBatch:
    read, parse, convert = _options(dialect, numbers, len(piece) + 1)
    parse.quote_char = False
    parse.newlines_in_values = False
    read.use_threads = False
    table = pa_csv.read_csv(pa.BufferReader(piece), read, parse, convert)
    # of a piece that is blank lines alone there is no batch
    return next(iter(table.to_batches()), pa.RecordBatch.from_pylist([], table.schema))


def _stream(dialect: Dialect) -> Iterator[pa.RecordBatch]:
    """The rows block by block, every column as text."""
    path = dialect.text.path
    if path.stat().st_size == dialect.start:
        return
    with pa.OSFile(str(path)) as file:
        file.seek(dialect.start)
        with pa_csv.open_csv(file, *_options(dialect, (), most_row_bytes(dialect))) as reader:
            yield from reader


def _options(
    dialect: Dialect, numbers: Collection[str], block_bytes: int
) -> tuple[pa_csv.ReadOptions, pa_csv.ParseOptions, pa_csv.ConvertOptions]:
    encoding = "utf8" if dialect.text.encoding == "utf-8" else dialect.text.encoding
    return (
        pa_csv.ReadOptions(block_size=block_bytes, column_names=list(dialect.names), encoding=encoding),
        pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        pa_csv.ConvertOptions(
            check_utf8=False,  # the text was looked through when its encoding was found
            column_types={name: pa.float64() if name in numbers else pa.string() for name in dialect.names},
            null_values=NULLS,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
