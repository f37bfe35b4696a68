"""A file of text: its encoding, and what tells that it is none. The whole file is looked through once."""

from __future__ import annotations

import codecs
import io
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backpropd.errors import NotATable

CHUNK_BYTES = 256 * 1024
MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
MAGIC = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "gzip",
    b"\x89PNG": "a picture",
    b"PAR1": "Parquet",
    b"%PDF": "a PDF",
    b"\x93NUMPY": "a NumPy file",
    b"ARROW1": "an Arrow file",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"<?xml": "XML",
}
# Objects and nested arrays, on one line or spread over many. A header such as `[a],[b]` is no JSON.
JSON = re.compile(r'\s*(\[\s*)?(\{\s*("|\}|$)|\[\s*(\[|$))')


@dataclass(frozen=True)
class Text:
    """Where the text is: Python's name of its encoding, the bytes of the mark before it, how many quotes it holds."""

    path: Path
    encoding: str
    mark: int
    quotes: int

    def open(self) -> io.TextIOWrapper:
        """The text from its first character, line ends as they are."""
        file = self.path.open("rb")
        file.seek(self.mark)
        return io.TextIOWrapper(file, self.encoding, newline="")


def text_of(path: Path) -> Text:
    """Find the encoding: by the mark, else UTF-8 if all of it is, else Latin-1. Raises `NotATable` if it is none."""
    with path.open("rb") as file:
        head = file.read(64)
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            raise NotATable(f"this is {what}, not a table of text: send CSV or TSV")
    mark = next((mark for mark in MARKS if head.startswith(mark)), b"")
    encoding = MARKS.get(mark, "utf-8")
    try:
        text = Text(path, encoding, len(mark), _quotes(path, encoding, len(mark)))
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise NotATable(f"the file begins as {encoding.upper()} and does not stay so: {error.reason}") from error
        text = Text(path, "latin-1", len(mark), _quotes(path, "latin-1", len(mark)))
    _refuse_json(text)
    return text


def _chunks(path: Path, encoding: str, mark: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        file.seek(mark)
        while chunk := file.read(CHUNK_BYTES):
            yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _quotes(path: Path, encoding: str, mark: int) -> int:
    """Count the quotes. Raises `NotATable` at a NUL, `UnicodeDecodeError` if the encoding is another."""
    quotes = 0
    for n, chunk in enumerate(_chunks(path, encoding, mark)):
        if "\0" in chunk:
            before = sum(each.count("\n") for each in itertools.islice(_chunks(path, encoding, mark), n))
            line = 1 + before + chunk.count("\n", 0, chunk.index("\0"))
            raise NotATable(f"line {line} holds a NUL byte: this is not a table of text; send CSV or TSV")
        if '"' in chunk:  # to look is ten times faster than to count
            quotes += chunk.count('"')
    return quotes


def _refuse_json(text: Text) -> None:
    with text.open() as file:
        line = file.readline(CHUNK_BYTES).strip()
    if JSON.match(line) or (line.startswith("[") and (line == "[" or _is_json(line))):
        raise NotATable("this is JSON, which is not taken yet, in lines neither: send the table as CSV or TSV")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
