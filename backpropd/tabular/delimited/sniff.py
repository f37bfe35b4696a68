"""Sniff a file: its encoding, its delimiter, its columns' names, and where its rows begin."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from backpropd.errors import EmptyDataset, NotATable, TableTooLarge
from backpropd.tabular.delimited.header import is_header, names_in
from backpropd.tabular.delimited.text_encoding import Text, text_of

SAMPLE = 256 * 1024  # characters; the row that reaches so far is read to its end
WIDEST_ROW = 16 * 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Dialect:
    """How to read a file: its text, its delimiter, its columns' names, the byte where its rows begin."""

    text: Text
    delimiter: str
    names: tuple[str, ...]
    start: int


@dataclass(frozen=True)
class _Sample:
    """A file's first rows under one delimiter; the first of them ends after so many characters."""

    rows: list[list[str]]
    first_ends: int

    @property
    def agreement(self) -> tuple[float, int]:
        """The share of rows that are as wide as most, then that width; a single column agrees with nobody."""
        widths = Counter(map(len, self.rows))
        if not widths:
            return 0.0, 0
        width, count = widths.most_common(1)[0]
        return (count / widths.total() if width > 1 else 0.0, width)


def sniff(path: Path, delimiter: str | None, most_columns: int) -> Dialect:
    """Look at the beginning of a file.

    Raises `NotATable` for what is none, `TableTooLarge` for too many columns, `EmptyDataset` for an empty file.
    """
    text = text_of(path)
    samples = {each: _sample(text, each) for each in ([delimiter] if delimiter else DELIMITERS)}
    delimiter = max(samples, key=lambda each: samples[each].agreement)
    sample = samples[delimiter]
    if not sample.rows:
        raise EmptyDataset("the file is empty: send a header and at least one row")
    first, *below = sample.rows
    if sample.first_ends >= WIDEST_ROW:
        raise NotATable(f"the first row is longer than {WIDEST_ROW // 2**20} MiB: is a quote left open?")
    if len(first) > most_columns:
        raise TableTooLarge(f"the table has {len(first)} columns, and {most_columns} are the most taken here")
    if is_header(first, below):
        return Dialect(text, delimiter, names_in(first), text.mark + _bytes_of(text, sample.first_ends))
    return Dialect(text, delimiter, tuple(f"column_{n}" for n in range(1, len(first) + 1)), text.mark)


def _sample(text: Text, delimiter: str) -> _Sample:
    csv.field_size_limit(WIDEST_ROW)
    rows: list[list[str]] = []
    first_ends = 0
    with text.open() as file:
        lines = _Lines(file)
        for row in csv.reader(lines, delimiter=delimiter):
            if row:
                first_ends = first_ends or lines.size
                rows.append(row)
            if lines.size >= SAMPLE:
                break
    return _Sample(rows, first_ends)


class _Lines:
    """The lines of a file, no more than the widest row's characters in all; `size` counts them as they are taken."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.size = file, 0

    def __iter__(self) -> Iterator[str]:
        while line := self.file.readline(WIDEST_ROW - self.size):
            self.size += len(line)
            yield line


def _bytes_of(text: Text, characters: int) -> int:
    with text.open() as file:
        return len(file.read(characters).encode(text.encoding))
