"""Errors of a delimited file: where it stops being a table, with the line number."""

import csv
import itertools
from collections.abc import Iterable, Iterator

from backpropd.errors import NotATable
from backpropd.tabular.delimited.sniff import Dialect

MAX_ROW_BYTES = 256 * 1024  # Arrow reads up to 32 blocks of this size ahead
MAX_CELL_BYTES = 64  # a wide table may have longer rows


def max_row_bytes(dialect: Dialect) -> int:
    """The size of the longest row that is accepted."""
    return max(MAX_ROW_BYTES, MAX_CELL_BYTES * len(dialect.names))


def explain(message: str, dialect: Dialect) -> NotATable:
    """The error for a message of Arrow's."""
    if "Expected" in message and "columns, got" in message:
        return _ragged_row_error(dialect)
    if "straddling" in message:
        return long_row_error(dialect)
    return NotATable(f"the file cannot be read as a table: {message[:300]}")


def _rows(dialect: Dialect, more: Iterable[str] = ()) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row with the line on which it ends; slow, and only used to locate an error."""
    reader = csv.reader(itertools.chain(dialect.text.lines(), more), delimiter=dialect.delimiter)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise NotATable(f"line {reader.line_num}: {error}") from error


def _ragged_row_error(dialect: Dialect) -> NotATable:
    width = len(dialect.names)
    for line, row in _rows(dialect):
        if row and len(row) != width:
            return NotATable(
                f"line {line} has {len(row)} cells and the other lines have {width} (the difference begins at column "
                f"{min(len(row), width) + 1}): fix that line, or quote cells that contain the delimiter "
                f"{dialect.delimiter!r}"
            )
    return NotATable(f"a row does not have {width} cells as the first row has")


def long_row_error(dialect: Dialect) -> NotATable:
    """The error for a row longer than a block."""
    limit = max_row_bytes(dialect)
    name = "a row"
    for line, row in _rows(dialect):
        if sum(map(len, row)) + len(row) > limit // 4:  # a character takes up to four bytes
            name = f"the row that ends at line {line}"
            break
    return NotATable(f"{name} is longer than {limit // 1024} KiB: shorten its cells, or remove that column")


def check_quotes(dialect: Dialect) -> None:
    """Raise `NotATable` for a quote that is never closed, which Arrow reads as a cell up to the end of the file.

    The file is read cell by cell only if its number of quotes is odd; a quote within a word is no error.
    """
    if dialect.text.quotes % 2 == 0:
        return
    start = end = 0
    for line, _ in _rows(dialect, ["end"]):  # an open quote includes this extra line in its row
        start, end = end + 1, line
    if start != end:
        raise NotATable(f"the row that begins at line {start} opens a quote that is never closed")
