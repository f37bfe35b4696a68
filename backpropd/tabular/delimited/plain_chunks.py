"""The rows of a file without quotes, read by Arrow in chunks.

Each chunk is counted over its bytes too, and both must agree. Arrow converts the numbers unless a float64 could lose
something of them.
"""

import codecs
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import suppress
from functools import partial

import numpy as np
import pyarrow as pa
from pyarrow import csv as pa_csv

from backpropd.tabular.delimited import lossy_numbers
from backpropd.tabular.delimited.arrow_stream import Task, arrow_options
from backpropd.tabular.delimited.byte_patterns import contains, literal
from backpropd.tabular.delimited.dialect import Dialect
from backpropd.tabular.threads import are_threads_allowed

CHUNK_BYTES = 1536 * 1024
SMALL_CHUNK_BYTES = 512 * 1024  # without threads, where memory matters more than time
FIRST_CHUNK_BYTES = 64 * 1024  # for the guess of the columns with numbers
HEADER_BYTES = 64  # of a header row, by which its repetition is recognized

Chunk = tuple[bytearray, int]  # a buffer, and how many of its bytes are rows


class NotPlain(Exception):
    """A chunk holds a quote, a blank line, a repeated header, another line end, or a row with too few or many cells."""


class _NotNumbers(Exception):
    """A cell is not a number."""


class PlainChunks:
    """Reads a file that its beginning shows to be plain; `missing` are the cells that stand for a missing number."""

    def __init__(self, dialect: Dialect, missing: Collection[str]) -> None:
        self._dialect = dialect
        # a space on either side is common
        spaced = (before + value + after for value in missing for before in ("", " ") for after in ("", " "))
        self._nulls = list(dict.fromkeys(spaced))
        # Arrow compares each cell with all of them, which takes a fifth of its time: at first only with the empty cell
        self._tried_nulls = [""]
        self._spare_buffers: list[bytearray] = []
        self._signs = _signs(dialect)
        self._unplain = _unplain_pattern(dialect)
        self._codes = lossy_numbers.code_pattern(dialect.syntax.delimiter)

    def tasks(self, numbers: Callable[[], Sequence[str]]) -> Generator[Task, None, None]:
        """A function for each chunk, which reads it: the columns that `numbers()` names perhaps as float64.

        It raises `NotPlain`.
        """
        yield from (partial(self._read_chunk, chunk, numbers) for chunk in self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        """The UTF-8 bytes of the rows, split at line ends, in buffers that come again when they are spare.

        Raises `NotPlain` for a row that does not fit in the largest buffer.
        """
        largest = max(CHUNK_BYTES, self._dialect.max_row_bytes)
        size = largest if are_threads_allowed() else max(SMALL_CHUNK_BYTES, self._dialect.max_row_bytes)
        with self._dialect.open_rows() as file:
            target, rest = FIRST_CHUNK_BYTES, b""
            while True:
                buffer = self._spare_buffers.pop() if self._spare_buffers else bytearray(size)
                buffer[: len(rest)] = rest
                filled = len(rest) + file.readinto(memoryview(buffer)[len(rest) :])
                end = _end_of_rows(buffer, filled, target, is_last=filled < size)
                if end:
                    yield buffer, end
                elif filled < size:
                    return
                elif size == largest:
                    raise NotPlain
                else:
                    self._spare_buffers.clear()
                    size = largest
                target, rest = size, bytes(memoryview(buffer)[end:filled])

    def _read_chunk(self, chunk: Chunk, numbers: Callable[[], Sequence[str]]) -> pa.RecordBatch:
        """Read a chunk, and give its buffer back."""
        data = memoryview(chunk[0])[: chunk[1]]
        rows, may_hold_codes = self._count_rows(data), False
        if self._may_be_unplain(chunk) and contains(data, f"{self._unplain}|{self._codes}"):
            if contains(data, self._unplain):
                raise NotPlain
            may_hold_codes = True
        batch = self._read(data, (), []) if may_hold_codes else self._read_numbers(data, numbers())
        if batch.num_rows != rows:
            raise NotPlain
        self._spare_buffers.append(chunk[0])
        return batch

    def _may_be_unplain(self, chunk: Chunk) -> bool:
        """False only if none of the patterns is found, which takes several times as long to see."""
        buffer, size = chunk
        if any(buffer.find(sign, 0, size) >= 0 for sign in self._signs):
            return True
        return lossy_numbers.may_begin_with_zeros(memoryview(buffer)[:size], self._dialect.syntax.delimiter)

    def _count_rows(self, data: memoryview) -> int:
        """The rows, if the bytes hold as many delimiters as plain rows have. Arrow finds those of another width."""
        characters = np.frombuffer(data, np.uint8)
        rows = int(np.count_nonzero(characters == ord("\n"))) + (data[-1] != ord("\n"))
        delimiters = int(np.count_nonzero(characters == ord(self._dialect.syntax.delimiter)))
        if delimiters != rows * (self._dialect.width - 1):
            raise NotPlain
        return rows

    def _read_numbers(self, data: memoryview, numbers: Sequence[str]) -> pa.RecordBatch:
        """Let Arrow convert the numbers, unless a float64 may lose something of them."""
        nulls = self._tried_nulls
        with suppress(_NotNumbers):
            batch = self._read(data, numbers, nulls)
            if not lossy_numbers.may_be_out_of_range(batch, data):
                return batch
        self._tried_nulls = self._nulls
        return self._read_numbers(data, numbers) if nulls is not self._nulls else self._read(data, (), [])

    def _read(self, data: memoryview, numbers: Collection[str], nulls: Sequence[str]) -> pa.RecordBatch:
        """The rows as one batch, however many Arrow made of them."""
        read, parse, convert = arrow_options(self._dialect, numbers, len(data) + 1, nulls)
        parse.quote_char = False
        parse.newlines_in_values = False
        read.use_threads = False
        try:
            table = pa_csv.read_csv(pa.BufferReader(data), read, parse, convert).combine_chunks()
        except pa.ArrowInvalid as error:  # the message of another error may quote a row of the file
            raise (_NotNumbers if str(error).startswith("In CSV column") else NotPlain) from error
        return next(iter(table.to_batches()), pa.RecordBatch.from_pylist([], table.schema))  # blank lines have no batch


def _end_of_rows(buffer: bytearray, filled: int, target: int, *, is_last: bool) -> int:
    """The offset behind the last row within `target` bytes, or if none ends there, behind the last one at all; else 0.

    The last row of a file needs no line end, and blank lines behind it are no rows.
    """
    if is_last and filled <= target:
        return len(buffer[:filled].rstrip(b"\r\n"))
    end = buffer.rfind(b"\n", 0, min(target, filled)) + 1 or buffer.rfind(b"\n", 0, filled) + 1
    return end or (filled if is_last else 0)


def _signs(dialect: Dialect) -> list[bytes]:
    """Bytes of which each match of `_unplain_pattern` holds some, and the plus of a code."""
    header = dialect.header_bytes.rstrip(b"\r\n")[:HEADER_BYTES]
    quote = (dialect.syntax.quote or "").encode()
    return [sign for sign in (b"\r", b"+", codecs.BOM_UTF8[:1], quote, header) if sign]


def _unplain_pattern(dialect: Dialect) -> str:
    """What finds a quote, a line end that is no line feed, a byte order mark, and perhaps the header once more."""
    # Arrow drops a byte order mark at the beginning of a block
    patterns = [literal(codecs.BOM_UTF8), r"\r(?:[^\n]|$)"]
    if dialect.syntax.quote:
        patterns.append(literal(dialect.syntax.quote.encode()))
    if header := dialect.header_bytes.rstrip(b"\r\n"):
        end = r"(?:\r?\n|$)" if len(header) <= HEADER_BYTES else ""
        patterns.append(rf"(?:^|\n){literal(header[:HEADER_BYTES])}{end}")
    return "|".join(patterns)
