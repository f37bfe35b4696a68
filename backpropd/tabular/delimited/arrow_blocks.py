"""The rows of a clean file, read by Arrow in blocks.

A file without quotes is split at line ends, and Arrow converts its numbers unless a float64 could lose something of
them. A file with quotes or very many columns is read as strings.
"""

import io
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from functools import partial

import pyarrow as pa
from pyarrow import csv as pa_csv

from backpropd.tabular.delimited import lossy_numbers
from backpropd.tabular.delimited.dialect import Dialect
from backpropd.tabular.delimited.tolerant_rows import long_row_error
from backpropd.tabular.heap import avoid_gaps

CHUNK_BYTES = 1024 * 1024
FIRST_CHUNK_BYTES = 64 * 1024  # for the guess of the columns with numbers
WIDE = 500  # columns; beyond, Arrow's set-up for each column of each chunk costs more than parsing its numbers

Task = Callable[[], pa.RecordBatch]


class ArrowBlocks:
    """Reads a clean file; `missing` are the cells that stand for a missing number."""

    def __init__(self, dialect: Dialect, quoted: bool, missing: Collection[str]) -> None:
        self._dialect = dialect
        self._as_strings = quoted or dialect.width > WIDE
        # a space on either side is common
        self._nulls = [before + value + after for value in missing for before in ("", " ") for after in ("", " ")]

    def tasks(self, numbers: Callable[[], Sequence[str]]) -> Generator[Task, None, None]:
        """A function for each block, which reads it: the columns that `numbers()` names perhaps as float64.

        Raises `NotATable` for a row that is too long.
        """
        if self._as_strings:
            yield from (partial(_itself, batch) for batch in self._stream())
        else:
            yield from (partial(self._read_chunk, chunk, numbers) for chunk in self._chunks())

    def _read_chunk(self, chunk: memoryview, numbers: Callable[[], Sequence[str]]) -> pa.RecordBatch:
        """Let Arrow convert the numbers, unless a float64 may lose something of them."""
        try:
            if not lossy_numbers.may_hold_codes(chunk, self._dialect.syntax.delimiter):
                batch = self._read(chunk, numbers())
                if not lossy_numbers.may_be_out_of_range(batch, chunk):
                    return batch
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error):
                raise
        return self._read(chunk, ())

    def _read(self, chunk: memoryview, numbers: Collection[str]) -> pa.RecordBatch:
        """The rows of a chunk without quotes as one batch, however many Arrow made of them."""
        read, parse, convert = self._options(numbers, len(chunk) + 1)
        parse.quote_char = False
        parse.newlines_in_values = False
        read.use_threads = False
        table = pa_csv.read_csv(pa.BufferReader(chunk), read, parse, convert).combine_chunks()
        return next(iter(table.to_batches()), pa.RecordBatch.from_pylist([], table.schema))  # blank lines have no batch

    def _chunks(self) -> Iterator[memoryview]:
        """The UTF-8 bytes of the rows, split at line ends."""
        max_bytes = max(CHUNK_BYTES, self._dialect.max_row_bytes)
        with self._open() as file:
            target, rest = FIRST_CHUNK_BYTES, b""
            while data := rest + file.read(max_bytes - len(rest)):
                end = _last_line_end(data, target) or _last_line_end(data, max_bytes) or len(data)
                if end == max_bytes and not data.endswith((b"\n", b"\r")):
                    raise self._long_row_error()
                yield memoryview(data)[:end]
                target, rest = max_bytes, data[end:]

    def _stream(self) -> Iterator[pa.RecordBatch]:
        """The rows block by block, every column as strings."""
        if self._dialect.width > WIDE:
            avoid_gaps()
        with self._open() as file:
            if not file.peek(1):
                return
            options = self._options((), self._dialect.max_row_bytes)
            try:
                with pa_csv.open_csv(pa.PythonFile(file, "r"), *options) as batches:
                    yield from batches
            except pa.ArrowInvalid as error:
                if "straddling" in str(error):
                    raise self._long_row_error() from error
                raise

    def _open(self) -> io.BufferedReader:
        file = self._dialect.text.open_utf8()
        left = self._dialect.start
        while left and (skipped := len(file.read(min(left, CHUNK_BYTES)))):
            left -= skipped
        return file

    def _long_row_error(self) -> Exception:
        """The error for a row longer than a block; slow, because it looks for its line."""
        limit, quote = (
            self._dialect.max_row_bytes // 4,
            self._dialect.syntax.quote,
        )  # a character takes up to four bytes
        size, line, is_open = 0, 0, False
        for text in self._dialect.text.lines():
            line += 1
            size += len(text)
            is_open ^= bool(quote) and text.count(quote) % 2 == 1
            if size > limit and not is_open:
                break
            size = size if is_open else 0
        return long_row_error(self._dialect, line)

    def _options(
        self, numbers: Collection[str], block_bytes: int
    ) -> tuple[pa_csv.ReadOptions, pa_csv.ParseOptions, pa_csv.ConvertOptions]:
        dialect = self._dialect
        # Arrow makes a table of them for each column, 20 kB: none is needed for strings.
        nulls = self._nulls if numbers else []
        types = {name: pa.float64() if name in numbers else pa.string() for name in dialect.names}
        return (
            pa_csv.ReadOptions(block_size=block_bytes, column_names=list(dialect.names)),
            pa_csv.ParseOptions(
                delimiter=dialect.syntax.delimiter, quote_char=dialect.syntax.quote or False, newlines_in_values=True
            ),
            # the whole text was decoded when its encoding was found
            pa_csv.ConvertOptions(check_utf8=False, column_types=types, null_values=nulls),
        )


def _itself(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


def _last_line_end(data: bytes, limit: int) -> int:
    """The offset behind the last line end within `limit` bytes; 0 if there is none."""
    return data.rfind(b"\n", 0, limit) + 1 or data.rfind(b"\r", 0, limit) + 1
