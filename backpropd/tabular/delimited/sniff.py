"""The dialect of a delimited file: encoding, delimiter, column names, and the offset of the first row."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from backpropd.errors import EmptyDataset, NotATable, TableTooLarge
from backpropd.tabular.delimited.header import column_names, is_header
from backpropd.tabular.delimited.text_encoding import open_text
from backpropd.tabular.delimited.text_file import TextFile

SAMPLE_CHARACTERS = 256 * 1024  # the row that reaches this far is read to its end
MAX_FIRST_ROW = 16 * 1024 * 1024  # characters
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Dialect:
    """How to read a file; `start` is the offset of its first row in UTF-8."""

    text: TextFile
    delimiter: str
    names: tuple[str, ...]
    start: int
    has_header: bool

    def to_json(self) -> dict[str, Any]:
        """The dialect as the API shows it."""
        return {
            "encoding": self.text.encoding,
            "delimiter": self.delimiter,
            "quote": '"',
            "decimal": ".",
            "thousands": None,
            "header": self.has_header,
            "skipped_lines": 0,
        }


def sniff(path: Path, delimiter: str | None, max_columns: int) -> Dialect:
    """The dialect, from the beginning of a file.

    Raises `NotATable`, `TableTooLarge` for too many columns, and `EmptyDataset` for an empty file.
    """
    text = open_text(path)
    samples = {each: _read_sample(text, each) for each in ([delimiter] if delimiter else DELIMITERS)}
    delimiter = max(samples, key=lambda each: _score(samples[each][0]))
    rows, first_row_end = samples[delimiter]
    if not rows:
        raise EmptyDataset("the file is empty: send a header and at least one row")
    first, *below = rows
    if first_row_end >= MAX_FIRST_ROW:
        raise NotATable(f"the first row is longer than {MAX_FIRST_ROW // 2**20} MiB: is a quote not closed?")
    if len(first) > max_columns:
        raise TableTooLarge(f"the table has {len(first)} columns; the maximum is {max_columns}")
    if is_header(first, below):
        return Dialect(text, delimiter, column_names(first), _utf8_size(text, first_row_end), has_header=True)
    return Dialect(text, delimiter, column_names([""] * len(first)), 0, has_header=False)


def _score(rows: list[list[str]]) -> tuple[float, int]:
    """The share of rows with the most frequent width, 0 for a width of 1; then that width."""
    widths = Counter(map(len, rows))
    if not widths:
        return 0.0, 0
    width, count = widths.most_common(1)[0]
    return (count / widths.total() if width > 1 else 0.0, width)


def _read_sample(text: TextFile, delimiter: str) -> tuple[list[list[str]], int]:
    """A file's first rows, split by one delimiter, and the number of characters up to the end of the first row."""
    csv.field_size_limit(MAX_FIRST_ROW)
    rows: list[list[str]] = []
    first_row_end = 0
    with text.open() as file:
        lines = _BoundedLines(file)
        for row in csv.reader(lines, delimiter=delimiter):
            if row:
                first_row_end = first_row_end or lines.characters
                rows.append(row)
            if lines.characters >= SAMPLE_CHARACTERS:
                break
    return rows, first_row_end


class _BoundedLines:
    """The lines of a file up to `MAX_FIRST_ROW` characters; `characters` counts those read."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.characters = file, 0

    def __iter__(self) -> Iterator[str]:
        while line := self.file.readline(MAX_FIRST_ROW - self.characters):
            self.characters += len(line)
            yield line


def _utf8_size(text: TextFile, characters: int) -> int:
    with text.open() as file:
        return len(file.read(characters).encode())
