"""A text file as blocks of whole records in UTF-8, one after another: the file is never whole in memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backpropd.errors import NotATable
from backpropd.tabular.sniff import MAX_RECORD_BYTES, Dialect, binary_file, not_in_encoding

BLOCK_BYTES = 1 << 19


class NotUtf8(Exception):
    """The file was taken for UTF-8 and is not; it has to be read again as Latin-1."""


@dataclass(frozen=True)
class Block:
    """Whole records, as UTF-8 bytes; `first_line` is the line of the file (from 1) where they begin."""

    data: bytes
    first_line: int


def read_blocks(path: Path, dialect: Dialect, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield the rows of data in blocks of about `size` bytes, cut only between records.

    Raises:
        NotUtf8: see there.
        NotATable: a NUL, a quote that is never closed, a record of more than 16 MiB.
    """
    rest, line = b"", dialect.first_line
    for piece in _utf8(path, dialect, size):
        data = rest + piece
        if b"\0" in piece:
            raise binary_file(line + data[: data.index(b"\0")].count(b"\n"))
        end = end_of_records(data, dialect)
        if end:
            yield Block(data[:end], line)
            line += data.count(b"\n", 0, end)
        rest = data[end:]
        if len(rest) > MAX_RECORD_BYTES:
            raise _endless_record(line)
    if rest:
        if not end_of_records(rest + b"\n", dialect):
            raise _open_quote(line)
        yield Block(rest, line)


def end_of_records(data: bytes, dialect: Dialect) -> int:
    """Where the last whole record in `data` ends, just behind its newline; 0 where none does.

    `data` begins at the beginning of a record. A newline between quotes ends nothing.
    """
    if dialect.quote is None or dialect.quote.encode() not in data:
        return data.rfind(b"\n") + 1
    array = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(array == ord("\n"))
    quotes = np.flatnonzero(array == ord(dialect.quote))
    if _quotes_pair_up(array, quotes, dialect):
        inside = np.searchsorted(quotes, newlines) % 2 == 1
    else:
        inside = _within(newlines, _quoted_fields(data, dialect))
    ends = newlines[~inside]
    return int(ends[-1]) + 1 if ends.size else 0


def _quotes_pair_up(array: np.ndarray, quotes: np.ndarray, dialect: Dialect) -> bool:
    """Whether every quote opens a field, closes one, or is half of a doubled one.

    Then an odd number of quotes before a newline means that it is inside a field. A quote amid a field (`5" pipe`)
    breaks that, and the slower `_quoted_fields` decides.
    """
    edges = np.zeros(256, bool)
    edges[[ord(dialect.delimiter), ord("\n"), ord("\r"), ord(str(dialect.quote))]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before = edges[array[opening[opening > 0] - 1]]
    behind = edges[array[closing[closing < len(array) - 1] + 1]]
    return bool(before.all() and behind.all())


def _quoted_fields(data: bytes, dialect: Dialect) -> np.ndarray:
    """Where quoted fields begin and end: (fields, 2). One that is never closed ends with the data."""
    quote, delimiter = re.escape(str(dialect.quote).encode()), re.escape(dialect.delimiter.encode())
    opening = rb"(?:(?<=[\r\n%s].)|(?<=\A.))" % delimiter
    field = rb"%s%s[^%s]*(?:%s%s[^%s]*)*(?:%s|\Z)" % (quote, opening, quote, quote, quote, quote, quote)
    spans = [match.span() for match in re.finditer(field, data, re.DOTALL)]
    return np.array(spans, dtype=np.intp).reshape(-1, 2)


def _within(positions: np.ndarray, spans: np.ndarray) -> np.ndarray:
    if not len(spans):
        return np.zeros(len(positions), bool)
    nearest = np.searchsorted(spans[:, 0], positions) - 1
    return (nearest >= 0) & (positions < spans[nearest, 1])


def _utf8(path: Path, dialect: Dialect, size: int) -> Iterator[bytes]:
    """The text behind the header as UTF-8, in pieces (which may cut a character in two)."""
    skip = dialect.offset
    for piece in _transcoded(path, dialect.encoding, size):
        yield piece[skip:]
        skip = max(0, skip - len(piece))


def _transcoded(path: Path, encoding: str, size: int) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    ascii_so_far = encoding == "utf-8"
    try:
        with path.open("rb") as file:
            while piece := file.read(size):
                # What is ASCII throughout needs no decoder; from the first other byte on it checks every piece.
                ascii_so_far = ascii_so_far and piece.isascii()
                text = "" if ascii_so_far else decoder.decode(piece)
                yield piece if encoding == "utf-8" else text.encode()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise NotUtf8 if encoding == "utf-8" else not_in_encoding(encoding) from error


def _endless_record(line: int) -> NotATable:
    return NotATable(
        f"The row that begins on line {line} is longer than {MAX_RECORD_BYTES >> 20} MiB. "
        "Is a quote left open there, or are the line ends missing?"
    )


def _open_quote(line: int) -> NotATable:
    return NotATable(
        f"In the row that begins on line {line} a quote is opened and never closed. "
        "Close it, or double it if it belongs to the text."
    )
