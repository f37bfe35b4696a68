"""Every cell of a table comes back as Python's `csv` module reads it, apart from the spaces around it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpropd.tabular.delimited import byte_scan, dialect, plain_chunks, reader, text_encoding, text_file
from backpropd.tabular.delimited.reader import DelimitedReader, open_delimited
from backpropd.tabular.read_options import ReadOptions

ENCODINGS = ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]
ENDS = ["\n", "\r\n", "\r"]
DELIMITERS = [",", ";", "\t", "|"]
# Letters of one and of two bytes in UTF-8, of three in the encodings that have them, and all that quotes are for.
LETTERS = "abc xyz äöüß 019 ,;|\t\"' \r\n #.-"


@dataclass
class Written:
    """A table as text, with what it takes to read it."""

    columns: list[list[str]]
    delimiter: str
    quote: str
    quote_all: bool
    end: str
    encoding: str
    is_number: list[bool] = field(default_factory=list)

    @property
    def text(self) -> str:
        names = [f"name {n}" for n in range(len(self.columns))]
        rows = [names, *map(list, zip(*self.columns, strict=True))]
        return "".join(self.delimiter.join(map(self._cell, row)) + self.end for row in rows)

    def _cell(self, cell: str) -> str:
        special = any(each in cell for each in (self.delimiter, self.quote, "\r", "\n")) or cell != cell.strip()
        return self.quote + cell.replace(self.quote, self.quote * 2) + self.quote if special or self.quote_all else cell

    def expected(self) -> list[list[str]]:
        lines = io.StringIO(self.text, newline="")
        rows = list(csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote))
        return [[cell.strip() for cell in row] for row in rows[1:]]


WORDS = st.text(st.sampled_from(LETTERS), max_size=12).map(lambda text: f"w{text}")
NUMBERS = st.tuples(st.integers(-(10**6), 10**6), st.integers(1, 999))


@st.composite
def tables(draw: st.DrawFn) -> Written:
    """Tables whose columns each hold words or numbers, some cells empty; repeated rows fill several blocks."""
    rows, repeats, mark = draw(st.integers(1, 12)), draw(st.sampled_from([1, 7, 40])), draw(st.sampled_from(".,"))
    is_number = [*draw(st.lists(st.booleans(), min_size=1, max_size=4)), False]
    numbers = NUMBERS.map(lambda pair: f"{pair[0]}{mark}{pair[1]}")
    cells = [st.one_of(numbers if each else WORDS, st.just("")) for each in is_number]
    columns = [draw(st.lists(each, min_size=rows, max_size=rows)) * repeats for each in cells]
    return Written(
        columns,
        draw(st.sampled_from([each for each in DELIMITERS if each != mark])),
        draw(st.sampled_from("\"'")),
        draw(st.booleans()),
        draw(st.sampled_from(ENDS)),
        draw(st.sampled_from(ENCODINGS)),
        [each and mark == "." for each in is_number],
    )


def cells_of(path: Path, options: ReadOptions) -> tuple[list[list[Any]], DelimitedReader]:
    """The rows of a file, read again if a column of numbers turned out to hold words."""
    opened = open_delimited(path, options, 1000)
    before: set[str] | None = None
    blocks: list[list[Any]] = []
    while before != opened.text_columns:
        before = set(opened.text_columns)
        blocks = list(opened)
    return [list(row) for block in blocks for row in zip(*(each.to_pylist() for each in block), strict=True)], opened


def as_strings(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [["" if cell is None else cell for cell in row] for row in rows]


def as_values(rows: Sequence[Sequence[str]], is_number: Sequence[bool]) -> list[list[Any]]:
    return [
        [
            (float(cell) if cell else None) if number else cell or None
            for cell, number in zip(row, is_number, strict=True)
        ]
        for row in rows
    ]


def shrink_blocks(patch: pytest.MonkeyPatch, size: int) -> None:
    """Read in blocks of so few bytes that every table of the test spans many of them."""
    for module, names in {
        plain_chunks: ("CHUNK_BYTES", "FIRST_CHUNK_BYTES"),
        byte_scan: ("WINDOW_BYTES",),
        dialect: ("MAX_ROW_BYTES",),
        reader: ("BLOCK_CHARACTERS", "FIRST_BLOCK_CHARACTERS"),
        text_encoding: ("CHUNK_BYTES",),
        text_file: ("TRANSCODED_CHARACTERS",),
    }.items():
        for name in names:
            patch.setattr(module, name, size)


@settings(max_examples=150, deadline=None)
@given(table=tables(), block=st.integers(300, 700), strict=st.booleans(), tolerant=st.booleans(), text=st.booleans())
def test_every_cell_comes_back(
    tmp_path_factory: pytest.TempPathFactory, table: Written, block: int, strict: bool, tolerant: bool, text: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "every_cell"
    path.write_bytes(table.text.encode(table.encoding))
    kinds = {f"name {n}": "text" for n in range(len(table.columns))} if text else {}
    options = ReadOptions(
        encoding=table.encoding, delimiter=table.delimiter, quote=table.quote, header=True, strict=strict, kinds=kinds
    )
    with pytest.MonkeyPatch.context() as patch:
        shrink_blocks(patch, block)
        if tolerant:
            patch.setattr(reader, "_may_be_clean", lambda _: False)
        rows, _ = cells_of(path, options)
    if text:
        assert as_strings(rows) == table.expected()
    else:
        numbers = [each and any(column) for each, column in zip(table.is_number, table.columns, strict=True)]
        empty = [not any(cell.strip() for cell in column) for column in table.columns]
        assert rows == as_values(table.expected(), [a or b for a, b in zip(numbers, empty, strict=True)])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le"])
@pytest.mark.parametrize("quote_all", [False, True])
@pytest.mark.parametrize("surplus", range(-2, 3))
def test_no_cell_is_lost_around_the_edges_of_blocks(
    tmp_path: Path, encoding: str, quote_all: bool, surplus: int
) -> None:
    words = [f"ä{n:05}" for n in range(16_000)]
    table = Written([words, ["x"] * len(words)], ";", '"', quote_all, "\r\n", encoding)
    words[-1] += "y" * (256 * 1024 - len(table.text.encode()) % (256 * 1024) + surplus - 200_000 * quote_all)
    path = tmp_path / "edge"
    path.write_bytes(table.text.encode(encoding))
    rows, opened = cells_of(path, ReadOptions(encoding=encoding))
    assert opened._plain or opened._scan.clean
    assert [row[0] for row in rows] == words


@settings(max_examples=50, deadline=None)
@given(table=tables())
def test_a_plain_table_is_read_so_without_options(tmp_path_factory: pytest.TempPathFactory, table: Written) -> None:
    """As above for what programs write: words without delimiters, quotes or line ends, so that the guess is certain."""
    plain = str.maketrans(dict.fromkeys(LETTERS.replace("abcxyz019äöüß", "") + ",;|\t\"'\r\n #.-", ""))
    for n, is_words in enumerate("," not in "".join(column) and column[0][:1] == "w" for column in table.columns):
        if is_words:
            table.columns[n] = [cell.translate(plain) for cell in table.columns[n]]
    table.columns.insert(0, [f"id{n}" for n in range(len(table.columns[0]))])
    table.quote = '"'
    path = tmp_path_factory.getbasetemp() / "plain"
    path.write_bytes(table.text.encode(table.encoding))
    kinds = {f"name {n}": "text" for n in range(len(table.columns))}
    rows, _ = cells_of(path, ReadOptions(header=True, delimiter=table.delimiter, kinds=kinds))
    assert as_strings(rows) == table.expected()
