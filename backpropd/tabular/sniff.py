"""How a text file says its table: encoding, delimiter, quotes and header, found from its first lines.

- Encoding: UTF-8 or UTF-16 where a byte order mark says so, else UTF-8, else Latin-1 (which any bytes are).
- Delimiter: of tab, semicolon, bar and comma the one that gives the most rows the same number of fields, if more than
  one; that order breaks a tie, the rarer in prose first. With none of them the table has a single column.
- Quotes: `"`, doubled inside; `'` where more fields stand in those; none where only then all rows are alike.
- Header: the first row names the columns where it has a word over a column of numbers or booleans; else it is data
  where it has a number or a boolean; else (words over words) it is a header. Without one: `column_1`, `column_2`, …;
  an empty name in a header is given in the same way.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.values import SPACES, is_missing, parse_boolean, parse_number

DELIMITERS = ("\t", ";", "|", ",")
SAMPLE_BYTES = 1 << 16
SAMPLE_ROWS = 200
MAX_RECORD_BYTES = 1 << 24

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_OTHER_FILES = (
    (rb"\x89PNG|GIF8|\xff\xd8\xff|BM.{4}\0\0\0\0", "an image"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a zip archive or a spreadsheet"),
    (rb"\xd0\xcf\x11\xe0", "a spreadsheet or document of an old Office"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf", "a compressed file"),
    (rb"PAR1", "a Parquet file"),
    (rb"ARROW1|FEA1", "an Arrow file"),
    (rb"\x93NUMPY", "a NumPy array"),
    (rb"SQLite format 3", "an SQLite database"),
    (rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\d])", "JSON"),
    (rb"\s*<[!?a-zA-Z]", "HTML or XML"),
)


@dataclass(frozen=True)
class Dialect:
    """How to read a file: `offset` is where the first row of data starts, in bytes of the text as UTF-8 (a byte order
    mark of UTF-8 included), `first_line` the line of the file (from 1) that this is."""

    encoding: str
    delimiter: str
    quote: str | None
    names: tuple[str, ...]
    offset: int
    first_line: int


@dataclass(frozen=True)
class _Sample:
    """The beginning of a file, as text; `whole` when there is no more, `bom` the bytes before it in UTF-8."""

    text: str
    encoding: str
    bom: int
    whole: bool


@dataclass(frozen=True)
class _Row:
    fields: list[str]
    end: int  # the lines up to this row's end


def sniff(
    path: Path, *, delimiter: str | None = None, header: bool | None = None, encoding: str | None = None
) -> Dialect:
    """Find the dialect of the file at `path`; what is given is not guessed.

    Raises:
        EmptyDataset: the file has no row, or a header only.
        NotATable: it is another kind of file, or two columns have one name.
    """
    sample = _read_sample(path, encoding)
    quote = _likelier_quote(sample.text)
    delimiter, quote = _find_delimiter(sample, delimiter, quote)
    rows = _rows(sample, delimiter, quote)
    if not rows:
        raise EmptyDataset("The file has no row. Send a table with a header and at least one row.")
    has_header = _has_header([row.fields for row in rows]) if header is None else header
    if has_header and len(rows) == 1 and sample.whole:
        raise EmptyDataset("The file has a header and no row below it. Send at least one row of data.")
    names = _names(rows[0].fields if has_header else [""] * len(rows[0].fields))
    lines = rows[0].end if has_header else 0
    skipped = "".join(_lines(sample.text, lines)).encode()
    return Dialect(sample.encoding, delimiter, quote, names, sample.bom + len(skipped), lines + 1)


def records(text: Iterable[str], delimiter: str, quote: str | None) -> Iterable[list[str]]:
    """Python's reader for the dialect: the slow one, for samples and for saying which line is wrong."""
    quoting = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    return csv.reader(text, delimiter=delimiter, quotechar=quote, quoting=quoting)


# ── the beginning of the file ────────────────────────────────────────────────────────────────────────────────────


def _read_sample(path: Path, encoding: str | None) -> _Sample:
    """Enough of the file for a header and a row: 64 KiB, or more when its lines are longer."""
    size = SAMPLE_BYTES
    with path.open("rb") as file:
        raw = file.read(size)
        _refuse_other_files(raw)
        while len(raw) == size and raw.count(b"\n") < 3 and size < MAX_RECORD_BYTES:
            raw += file.read(size)
            size *= 2
    return _decode(raw, whole=len(raw) < size, encoding=encoding)


def _refuse_other_files(raw: bytes) -> None:
    for pattern, what in _OTHER_FILES:
        if re.match(pattern, raw, re.DOTALL):
            raise NotATable(f"This is {what}, not a table. Save or unpack it as CSV, and send that.")


def _decode(raw: bytes, *, whole: bool, encoding: str | None) -> _Sample:
    bom, marked = next(((mark, name) for mark, name in _BOMS if raw.startswith(mark)), (b"", None))
    encoding = encoding or marked or ("utf-8" if _is_utf8(raw, whole) else "latin-1")
    if encoding == "utf-8":
        raw = raw[len(bom) :]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(raw, final=whole)
    except UnicodeDecodeError as error:
        raise not_in_encoding(encoding) from error
    if "\0" in text:
        raise binary_file(1 + text[: text.index("\0")].count("\n"))
    return _Sample(text, encoding, len(bom) if encoding == "utf-8" else 0, whole)


def _is_utf8(raw: bytes, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def binary_file(line: int) -> NotATable:
    """What to say about a NUL byte."""
    return NotATable(
        f"Line {line} holds a NUL byte: this is a binary file, or UTF-16 without a byte order mark. "
        "Send CSV or TSV, best in UTF-8."
    )


def not_in_encoding(encoding: str) -> NotATable:
    """What to say about bytes that the byte order mark promised to be something else."""
    name = encoding.upper()
    return NotATable(
        f"The file begins with the byte order mark of {name} and is not {name}. Save it as UTF-8."
    )


# ── delimiter and quotes ─────────────────────────────────────────────────────────────────────────────────────────


def _likelier_quote(text: str) -> str:
    """`"`, or `'` where more fields stand within those."""

    def quoted_fields(quote: str) -> int:
        field = rf"(?:^|[,;|\t]){quote}[^{quote}\r\n]*{quote}(?=[,;|\t\r\n]|\Z)"
        return len(re.findall(field, text, re.MULTILINE))

    return "'" if quoted_fields("'") > quoted_fields('"') else '"'


def _find_delimiter(sample: _Sample, delimiter: str | None, quote: str) -> tuple[str, str | None]:
    candidates = DELIMITERS if delimiter is None else (delimiter,)
    best = max(candidates, key=lambda candidate: _uniformity(sample, candidate, quote))
    if _uniformity(sample, best, quote) < 1.0 and quote in sample.text:
        plain = max(candidates, key=lambda candidate: _uniformity(sample, candidate, None))
        if _uniformity(sample, plain, None) == 1.0:
            return plain, None
    return (best if _uniformity(sample, best, quote) > 0 else delimiter or ","), quote


def _uniformity(sample: _Sample, delimiter: str, quote: str | None) -> float:
    """The share of rows with the commonest number of fields; 0 where that is one field."""
    counts = Counter(len(row.fields) for row in _rows(sample, delimiter, quote))
    if not counts:
        return 0.0
    fields, rows = counts.most_common(1)[0]
    return rows / counts.total() if fields > 1 else 0.0


def _rows(sample: _Sample, delimiter: str, quote: str | None) -> list[_Row]:
    """The sample's first rows, without empty lines, and without a last one that may be cut off."""
    reader = csv.reader(
        io.StringIO(sample.text, newline=""),
        delimiter=delimiter,
        quotechar=quote,
        quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
    )
    rows: list[_Row] = []
    try:
        for fields in reader:
            if fields:
                rows.append(_Row(fields, reader.line_num))
            if len(rows) > SAMPLE_ROWS:
                return rows
    except csv.Error:
        return rows
    return rows if sample.whole or len(rows) == 1 else rows[:-1]


def _lines(text: str, count: int) -> list[str]:
    file = io.StringIO(text, newline="")
    return [file.readline() for _ in range(count)]


# ── the header ───────────────────────────────────────────────────────────────────────────────────────────────────


def _has_header(rows: list[list[str]]) -> bool:
    first, body = rows[0], rows[1:]
    for position, field in enumerate(first):
        below = [row[position] for row in body if position < len(row) and not is_missing(row[position])]
        if not _is_typed(field) and not is_missing(field) and below and all(map(_is_typed, below)):
            return True
    return not any(map(_is_typed, first)) and not all(map(is_missing, first))


def _is_typed(field: str) -> bool:
    return parse_number(field) is not None or parse_boolean(field) is not None


def _names(header: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip(SPACES) or f"column_{k}" for k, name in enumerate(header, start=1))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = ", ".join(str(k) for k, name in enumerate(names, start=1) if name == twice[0])
        raise NotATable(
            f"Line 1 names {len(twice)} column{'s' if len(twice) > 1 else ''} more than once: "
            f"{twice[0]!r} stands over columns {places}. Give each column a name of its own."
        )
    return names
