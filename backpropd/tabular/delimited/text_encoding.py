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
from backpropd.tabular.file_signatures import refuse_other_kinds

CHUNK_BYTES = 256 * 1024
LONGEST_LINE = 16 * 1024 * 1024  # characters, where a file is read line by line
MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# Objects and nested arrays, on one line or spread over many. A header such as `[a],[b]` is no JSON.
JSON = re.compile(r'\s*(\[\s*)?(\{\s*("|\}|$)|\[\s*(\[|$))')
# A letter as UTF-8 writes it, with nothing but ASCII around it: Latin-1 has hardly a word with these two in a row.
UTF8_LETTER = re.compile(
    rb"(?<![\x80-\xff])([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})(?![\x80-\xff])"
)
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


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

    def lines(self) -> Iterator[str]:
        """The lines with their ends. Raises `NotATable` at one that is too long to be held."""
        with self.open() as file:
            for n in itertools.count(1):
                line = file.readline(LONGEST_LINE + 1)
                if len(line) > LONGEST_LINE:
                    raise NotATable(f"line {n} is longer than {LONGEST_LINE // 2**20} MiB: is this a table?")
                if not line:
                    return
                yield line


def text_of(path: Path) -> Text:
    """Find the encoding: by the mark, else UTF-8 if all of it is, else Latin-1. Raises `NotATable` if it is none."""
    refuse_other_kinds(path)
    with path.open("rb") as file:
        head = file.read(3)
    mark = next((mark for mark in MARKS if head.startswith(mark)), b"")
    encoding = MARKS.get(mark, "utf-8")
    try:
        text = Text(path, encoding, len(mark), _quotes(path, encoding, len(mark)))
    except UnicodeDecodeError as error:
        if mark:
            raise NotATable(f"the file begins as {encoding.upper()} and does not stay so: {error.reason}") from error
        _refuse_broken_utf8(path)
        text = Text(path, "latin-1", 0, _quotes(path, "latin-1", 0))
    _refuse_json(text)
    return text


def _raw_chunks(path: Path, mark: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(mark)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _chunks(path: Path, encoding: str, mark: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    yield from map(decoder.decode, _raw_chunks(path, mark))
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


def _refuse_broken_utf8(path: Path) -> None:
    """Raises `NotATable` if what is not UTF-8 as a whole is UTF-8 in part, or would be but for half a character."""
    line = 1
    for chunk in _raw_chunks(path, 0):
        if not chunk.isascii():
            for pattern, what in (
                (SURROGATE, "holds half of a surrogate pair, which is no character"),
                (UTF8_LETTER, "holds a letter as UTF-8 writes it, and other places are not UTF-8"),
            ):
                if found := pattern.search(chunk):
                    line += chunk.count(b"\n", 0, found.start())
                    raise NotATable(f"line {line} {what}: save the whole file as UTF-8")
        line += chunk.count(b"\n")


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
