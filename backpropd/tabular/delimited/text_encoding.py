"""The encoding of a text file, and the checks that it is text: the whole file is decoded once."""

import codecs
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from backpropd.errors import NotATable
from backpropd.tabular.delimited.text_file import WINDOWS_1252, TextFile

CHUNK_BYTES = 256 * 1024
# UTF-32 first: its little-endian mark begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Objects and nested arrays, on one line or several. A header such as `[a],[b]` is not JSON.
JSON = re.compile(r'\s*(\[\s*)?(\{\s*("|\}|$)|\[\s*(\[|$))')
# Causes of invalid UTF-8. The second is a character as UTF-8 encodes it between ASCII, which hardly occurs in Latin-1.
UTF8_ERRORS = {
    re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]"): "contains half of a surrogate pair, which is not a character",
    re.compile(
        rb"(?<![\x80-\xff])([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})(?![\x80-\xff])"
    ): "contains a letter encoded as UTF-8, and other lines are not UTF-8",
}


def open_text(path: Path, encoding: str | None = None) -> TextFile:
    """Detect the encoding: by the byte order mark or NUL bytes, else UTF-8 if the file is valid, else Windows-1252.

    Raises `NotATable` for a file that is not text, is JSON, or mixes encodings.
    """
    with path.open("rb") as file:
        head = file.read(CHUNK_BYTES)
    bom = next((bom for bom in BYTE_ORDER_MARKS if head.startswith(bom)), b"")
    encoding = BYTE_ORDER_MARKS.get(bom) or _encoding_of_nuls(head) or "utf-8"
    text = TextFile(path, encoding, len(bom))
    try:
        text = replace(text, quotes=_count_quotes(text))
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or bom:
            raise NotATable(f"the file begins as {encoding.upper()} and is not valid: {error.reason}") from error
        _check_not_mixed(path)
        text = TextFile(path, WINDOWS_1252, 0, errors=WINDOWS_1252)
        text = replace(text, quotes=_count_quotes(text))
    _check_not_json(text)
    return text


def _encoding_of_nuls(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark: at least a tenth of the bytes are NUL."""
    head = head[: len(head) // 4 * 4]
    if head.count(0) * 10 < len(head) or not head:
        return None
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        with suppress(UnicodeDecodeError):
            text = codecs.getincrementaldecoder(encoding)().decode(head)
            if "\0" not in text and sum(text.count(each) for each in "\r\n,;\t|") * 50 >= len(text):
                return encoding
    return None


def _read_bytes(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _decode(text: TextFile) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(text.encoding)(text.errors)
    yield from map(decoder.decode, _read_bytes(text.path, text.bom_bytes))
    yield decoder.decode(b"", final=True)


def _count_quotes(text: TextFile) -> int:
    """Decode the file and count its quotes. Raises `NotATable` at a NUL, `UnicodeDecodeError` for another encoding."""
    quotes = 0
    for n, chunk in enumerate(_decode(text)):
        if "\0" in chunk:
            before = sum(each.count("\n") for each in itertools.islice(_decode(text), n))
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
