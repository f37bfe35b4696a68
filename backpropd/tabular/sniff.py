"""Sniff a file: its encoding, its delimiter, and whether its first row is a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.columns import MISSING

SAMPLE_BYTES = 256 * 1024
DELIMITERS = (",", ";", "\t", "|")
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
MAGIC = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "gzip",
    b"\x89PNG": "a picture",
    b"PAR1": "Parquet",
    b"%PDF": "a PDF",
    b"\x93NUMPY": "a NumPy file",
    b"ARROW1": "an Arrow file",
}
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
PADDED = re.compile(r"\s*[+-]?0\d.*", re.ASCII)
WIDEST_CELL = 1 << 27


@dataclass(frozen=True)
class Dialect:
    """How to read a file: Python's name of its encoding, its delimiter, its column names, its first rows as text."""

    encoding: str
    delimiter: str
    header: bool
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sniff(path: Path, delimiter: str | None) -> Dialect:
    """Look at the beginning of a file. Raises `NotATable` for what is none, `EmptyDataset` for an empty file."""
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
        whole = not file.read(1)
    encoding = _encoding(head)
    rows = _rows(_text(head, encoding, whole), delimiter)
    delimiter = delimiter or rows[1]
    cells = [row for row in rows[0] if row]
    if not cells:
        raise EmptyDataset("the file is empty: send a header and at least one row")
    header = not any(NUMBER.fullmatch(cell) for cell in cells[0])
    names = _names(cells[0]) if header else tuple(f"column_{n}" for n in range(1, len(cells[0]) + 1))
    return Dialect(encoding, delimiter, header, names, tuple(map(tuple, cells[1:] if header else cells)))


def _encoding(head: bytes) -> str:
    for bom, encoding in BOMS.items():
        if head.startswith(bom):
            return encoding
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            raise NotATable(f"this is {what}, not a table of text: send CSV or TSV")
    if b"\0" in head:
        line = head[: head.index(b"\0")].count(b"\n") + 1
        raise NotATable(f"line {line} holds a NUL byte: this is not a table of text; send CSV or TSV")
    return "utf-8" if _is_utf8(head) else "latin-1"


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) == SAMPLE_BYTES  # the sample cuts a character in two
    return True


def _text(head: bytes, encoding: str, whole: bool) -> str:
    text = head.decode(encoding, errors="replace" if encoding != "utf-16" else "ignore")
    return text if whole else text[: text.rfind("\n") + 1] or text


def _rows(text: str, delimiter: str | None) -> tuple[list[list[str]], str]:
    """The sample's rows under the delimiter that gives the most rows of one same width above 1."""
    found = {each: _parse(text, each) for each in ([delimiter] if delimiter else DELIMITERS)}
    best = max(found, key=lambda each: _agreement(found[each]))
    return found[best], best


def _parse(text: str, delimiter: str) -> list[list[str]]:
    csv.field_size_limit(WIDEST_CELL)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise NotATable(f"the file cannot be read as a table: {error}") from error


def _agreement(rows: list[list[str]]) -> tuple[float, int]:
    """The share of rows that are as wide as most, then that width; a single column agrees with nobody."""
    widths = Counter(len(row) for row in rows if row)
    if not widths:
        return 0.0, 0
    width, count = widths.most_common(1)[0]
    return (count / widths.total() if width > 1 else 0.0, width)


def _names(cells: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column_{n}" for n, cell in enumerate(cells, 1))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise NotATable(f"line 1 names more than one column {twice[0]!r}: give every column a name of its own")
    return names


def looks_numeric(values: tuple[str, ...]) -> bool:
    """Whether the sample's values of a column are numbers that a float keeps whole."""
    present = [value for value in values if value.strip() not in MISSING]
    return all(NUMBER.fullmatch(value) and not PADDED.fullmatch(value) for value in present)
