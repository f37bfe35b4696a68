"""The rows of a CSV or TSV file as blocks of text columns, and what to say where they stop being a table."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Generator, Iterator

import pyarrow as pa
from pyarrow import csv as pa_csv

from backpropd.errors import NotATable
from backpropd.tabular.columns import MISSING
from backpropd.tabular.sniff import Dialect

BLOCK_BYTES = 256 * 1024  # measured by `make bench`: Arrow reads up to 32 blocks ahead of us
CELL_BYTES = 64  # a wide table's row must fit into a block
# Marks of a missing value, with a space on either side: `1, NA, red` is common.
NULLS = [before + mark + after for mark in MISSING for before in ("", " ") for after in ("", " ")]


def blocks(dialect: Dialect) -> Generator[pa.RecordBatch, None, None]:
    """The rows, every column as text, null where missing. Raises `NotATable`, which names the line."""
    path = dialect.text.path
    if path.stat().st_size == dialect.start:
        return
    try:
        with pa.OSFile(str(path)) as file:
            file.seek(dialect.start)
            with pa_csv.open_csv(file, *_options(dialect)) as reader:
                yield from reader
    except pa.ArrowInvalid as error:
        raise _explained(str(error), dialect) from error


def _options(dialect: Dialect) -> tuple[pa_csv.ReadOptions, pa_csv.ParseOptions, pa_csv.ConvertOptions]:
    encoding = "utf8" if dialect.text.encoding == "utf-8" else dialect.text.encoding
    return (
        pa_csv.ReadOptions(block_size=_block_bytes(dialect), column_names=list(dialect.names), encoding=encoding),
        pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        pa_csv.ConvertOptions(
            check_utf8=False,  # the text was looked through when its encoding was found
            column_types=dict.fromkeys(dialect.names, pa.string()),
            null_values=NULLS,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _block_bytes(dialect: Dialect) -> int:
    return max(BLOCK_BYTES, CELL_BYTES * len(dialect.names))


def _explained(message: str, dialect: Dialect) -> NotATable:
    """Arrow's complaint in our words, with the place in the file."""
    if "Expected" in message and "columns, got" in message:
        return _ragged(dialect)
    if "straddling" in message:
        return _too_long(dialect)
    return NotATable(f"the file cannot be read as a table: {message[:300]}")


def _rows(dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """The file cell by cell, each row with the line it ends at: slow, and only to find the place of a fault."""
    with dialect.text.open() as file:
        reader = csv.reader(file, delimiter=dialect.delimiter)
        for row in reader:
            yield reader.line_num, row


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


def _too_long(dialect: Dialect) -> NotATable:
    most = _block_bytes(dialect)
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
    with dialect.text.open() as file:
        # one more line at the end: an open quote swallows it
        reader = csv.reader(itertools.chain(file, ["end"]), delimiter=dialect.delimiter)
        began = ended = 0
        for _ in reader:
            began, ended = ended + 1, reader.line_num
    if began != ended:
        raise NotATable(f"the row that begins at line {began} opens a quote that is never closed")
