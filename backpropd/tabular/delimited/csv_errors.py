"""Where a file stops being a table, and what to say of it: Arrow's complaints in our words, with the line."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator

from backpropd.errors import NotATable
from backpropd.tabular.delimited.sniff import Dialect

ROW_BYTES = 256 * 1024  # the longest row that is taken: Arrow reads up to 32 blocks of this size ahead of us
CELL_BYTES = 64  # a wide table's row may be longer


def most_row_bytes(dialect: Dialect) -> int:
    """The longest row of a file, in bytes."""
    return max(ROW_BYTES, CELL_BYTES * len(dialect.names))


def explained(message: str, dialect: Dialect) -> NotATable:
    """Arrow's complaint about a file as our error."""
    if "Expected" in message and "columns, got" in message:
        return _ragged(dialect)
    if "straddling" in message:
        return too_long(dialect)
    return NotATable(f"the file cannot be read as a table: {message[:300]}")


def _rows(dialect: Dialect, more: Iterable[str] = ()) -> Iterator[tuple[int, list[str]]]:
    """The file cell by cell, each row with the line it ends at: slow, and only to find the place of a fault."""
    reader = csv.reader(itertools.chain(dialect.text.lines(), more), delimiter=dialect.delimiter)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise NotATable(f"line {reader.line_num}: {error}") from error


def _ragged(dialect: Dialect) -> NotATable:
    width = len(dialect.names)
    for line, row in _rows(dialect):
        if row and len(row) != width:
            return NotATable(
                f"line {line} has {len(row)} cells where the others have {width} (it stops at column "
                f"{min(len(row), width) + 1}): mend that line, or quote cells that hold the delimiter "
                f"{dialect.delimiter!r}"
            )
    return NotATable(f"a row has another number of cells than the {width} of the first")


def too_long(dialect: Dialect) -> NotATable:
    """What to say of a row that no block holds."""
    most = most_row_bytes(dialect)
    where = "a single row"
    for line, row in _rows(dialect):
        if sum(map(len, row)) + len(row) > most // 4:  # characters are up to four bytes
            where = f"the row that ends at line {line}"
            break
    return NotATable(f"{where} is longer than {most // 1024} KiB: shorten its cells, or leave that column out")


def refuse_open_quote(dialect: Dialect) -> None:
    """Arrow takes a quote that is never closed for a cell that reaches to the end of the file: we do not.

    Only an odd number of quotes makes it worth reading the file cell by cell; a quote within a word is no fault.
    """
    if dialect.text.quotes % 2 == 0:
        return
    began = ended = 0
    for line, _ in _rows(dialect, ["end"]):  # one more line: an open quote swallows it
        began, ended = ended + 1, line
    if began != ended:
        raise NotATable(f"the row that begins at line {began} opens a quote that is never closed")
