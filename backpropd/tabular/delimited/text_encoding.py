"""The encoding of a text file, and the checks that it is text: the whole file is decoded once."""

import codecs
import io
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backpropd.errors import NotATable

CHUNK_BYTES = 256 * 1024
MAX_LINE_CHARACTERS = 16 * 1024 * 1024  # where a file is read line by line
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# Objects and nested arrays, on one line or several. A header such as `[a],[b]` is not JSON.
JSON = re.compile(r'\s*(\[\s*)?(\{\s*("|\}|$)|\[\s*(\[|$))')
# Causes of invalid UTF-8. The second is a character as UTF-8 encodes it between ASCII, which hardly occurs in Latin-1.
UTF8_ERRORS = {
    re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]"): "contains half of a surrogate pair, which is not a character",
    re.compile(
        rb"(?<![\x80-\xff])([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})(?![\x80-\xff])"
    ): "contains a letter encoded as UTF-8, and other lines are not UTF-8",
}


@dataclass(frozen=True)
class TextFile:
    """A file of text: Python's name of its encoding, the size of its byte order mark, and its number of quotes."""

    path: Path
    encoding: str
    bom_bytes: int
    quotes: int

    def open(self) -> io.TextIOWrapper:
        """The text from its first character, with unchanged line ends."""
        file = self.path.open("rb")
        file.seek(self.bom_bytes)
        return io.TextIOWrapper(file, self.encoding, newline="")

    def lines(self) -> Iterator[str]:
        """The lines with their ends. Raises `NotATable` at a line that is too long."""
        with self.open() as file:
            for n in itertools.count(1):
                line = file.readline(MAX_LINE_CHARACTERS + 1)
                if len(line) > MAX_LINE_CHARACTERS:
                    raise NotATable(f"line {n} is longer than {MAX_LINE_CHARACTERS // 2**20} MiB: is this a table?")
                if not line:
                    return
                yield line


def open_text(path: Path) -> TextFile:
    """Detect the encoding: by the byte order mark, else UTF-8 if the whole file is valid, else Latin-1.

    Raises `NotATable` for a file that is not text, is JSON, or mixes encodings.
    """
    with path.open("rb") as file:
        head = file.read(3)
    bom = next((bom for bom in BYTE_ORDER_MARKS if head.startswith(bom)), b"")
    encoding = BYTE_ORDER_MARKS.get(bom, "utf-8")
    try:
        text = TextFile(path, encoding, len(bom), _count_quotes(path, encoding, len(bom)))
    except UnicodeDecodeError as error:
        if bom:
            raise NotATable(f"the file begins as {encoding.upper()} and is not valid: {error.reason}") from error
        _check_not_mixed(path)
        text = TextFile(path, "latin-1", 0, _count_quotes(path, "latin-1", 0))
    _check_not_json(text)
    return text


def _read_bytes(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _decode(path: Path, encoding: str, start: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    yield from map(decoder.decode, _read_bytes(path, start))
    yield decoder.decode(b"", final=True)


def _count_quotes(path: Path, encoding: str, start: int) -> int:
    """Decode the file and count its quotes. Raises `NotATable` at a NUL, `UnicodeDecodeError` for another encoding."""
    quotes = 0
    for n, chunk in enumerate(_decode(path, encoding, start)):
        if "\0" in chunk:
            before = sum(each.count("\n") for each in itertools.islice(_decode(path, encoding, start), n))
            line = 1 + before + chunk.count("\n", 0, chunk.index("\0"))
            raise NotATable(f"line {line} contains a NUL byte: this is not a text file; send CSV or TSV")
        if '"' in chunk:  # ten times faster than counting
            quotes += chunk.count('"')
    return quotes


def _check_not_mixed(path: Path) -> None:
    """Raise `NotATable` for a file that is not valid UTF-8 but contains some, or a surrogate."""
    line = 1
    for chunk in _read_bytes(path, 0):
        if not chunk.isascii():
            for pattern, what in UTF8_ERRORS.items():
                if found := pattern.search(chunk):
                    line += chunk.count(b"\n", 0, found.start())
                    raise NotATable(f"line {line} {what}: save the whole file as UTF-8")
        line += chunk.count(b"\n")


def _check_not_json(text: TextFile) -> None:
    with text.open() as file:
        line = file.readline(CHUNK_BYTES).strip()
    is_json = line == "[" or bool(JSON.match(line))
    if line.startswith("["):
        with suppress(ValueError, RecursionError):
            json.loads(line)
            is_json = True
    if is_json:
        raise NotATable("this is JSON or JSON lines, which is not supported yet: send the table as CSV or TSV")
