"""The encoding of a text file, and the checks that it is text: the whole file is decoded once."""

import codecs
import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from backpropd.errors import NotATable
from backpropd.tabular.delimited.legacy_encoding import UTF8_LETTER, legacy_encoding
from backpropd.tabular.delimited.text_file import MAX_LINE_CHARACTERS, WINDOWS_1252, TextFile, long_line_error
from backpropd.tabular.encodings import codec_of
from backpropd.tabular.warnings import WarningLog

CHUNK_BYTES = 256 * 1024
# UTF-32 first: its little-endian mark begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


def open_text(path: Path, encoding: str | None, strict: bool, log: WarningLog) -> TextFile:
    """Detect the encoding: by the byte order mark or NUL bytes, else UTF-8 if the file is valid, else by its letters.

    A file that is partly UTF-8 is read so with a warning, unless `strict`. Raises `NotATable` for a file that is not
    text, or not in the `encoding` given.
    """
    text = look_at_text(path, encoding)
    try:
        _check_text(text)
    except UnicodeDecodeError as error:
        if encoding is not None or text.encoding != "utf-8" or text.bom_bytes:
            raise NotATable(f"the file is not valid {text.encoding.upper()}: {error.reason}") from error
        text = _not_unicode(path, strict, log)
        _check_text(text)
    return text


def look_at_text(path: Path, encoding: str | None) -> TextFile:
    """The text in the `encoding` given, else as its beginning says, which may be wrong. Raises `NotATable`."""
    with path.open("rb") as file:
        head = file.read(CHUNK_BYTES)
    bom = next((bom for bom in BYTE_ORDER_MARKS if head.startswith(bom)), b"")
    if encoding is not None:
        return _with_given_encoding(path, encoding, bom, head)
    return TextFile(path, BYTE_ORDER_MARKS.get(bom) or _encoding_of_nuls(head) or "utf-8", len(bom))


def _with_given_encoding(path: Path, encoding: str, bom: bytes, head: bytes) -> TextFile:
    """The text in an encoding by one of its names. Raises `NotATable` for an unknown one."""
    name = codec_of(encoding).replace("-", "_").removesuffix("_sig")
    marked = BYTE_ORDER_MARKS.get(bom, "").replace("-", "_")
    if marked.startswith(name):  # the mark tells the order of the bytes
        return TextFile(path, marked.replace("_", "-"), len(bom))
    if name in ("utf_16", "utf_32"):  # without a mark
        found = _encoding_of_nuls(head) or ""
        codec = name.replace("_", "-")
        return TextFile(path, found if found.startswith(codec) else f"{codec}-le", 0)
    if name == "cp1252":
        return TextFile(path, WINDOWS_1252, 0, WINDOWS_1252)
    return TextFile(path, name.replace("_", "-") if name.startswith("utf") else name, 0)


def _not_unicode(path: Path, strict: bool, log: WarningLog) -> TextFile:
    """A text that is not, or only partly, UTF-8. Raises `NotATable` for half of a surrogate pair."""
    _raise_if_found(path, SURROGATE, "contains half of a surrogate pair, which is not a character")
    encoding = legacy_encoding(path)
    if not _is_valid(path, encoding):
        encoding = WINDOWS_1252
    if encoding == WINDOWS_1252 and any(UTF8_LETTER.search(chunk) for chunk in _read_bytes(path, 0)):
        if strict:
            _raise_if_found(path, UTF8_LETTER, "contains a letter encoded as UTF-8, and other lines are not UTF-8")
        text = TextFile(path, "utf-8", 0, WINDOWS_1252)
        _warn_of_mixture(text, log)
        return text
    if encoding == WINDOWS_1252:
        return TextFile(path, encoding, 0, WINDOWS_1252)
    detail = f"the letters look like the encoding {encoding}; if they are wrong, send another encoding"
    log.add("encoding_guessed", None, detail)
    return TextFile(path, encoding, 0)


def _is_valid(path: Path, encoding: str) -> bool:
    """Whether the whole file can be decoded; in Windows-1252 every file can."""
    try:
        return encoding == WINDOWS_1252 or all(True for _ in _decode(TextFile(path, encoding, 0)))
    except UnicodeDecodeError:
        return False


def _raise_if_found(path: Path, pattern: re.Pattern[bytes], what: str) -> None:
    line = 1
    for chunk in _read_bytes(path, 0):
        if not chunk.isascii() and (found := pattern.search(chunk)):
            line += chunk.count(b"\n", 0, found.start())
            raise NotATable(f"line {line} {what}: save the whole file as UTF-8")
        line += chunk.count(b"\n")


def _warn_of_mixture(text: TextFile, log: WarningLog) -> None:
    with text.path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(CHUNK_BYTES), b""), 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                detail = "lines are not UTF-8 as the others, and were read as Windows-1252"
                log.add("mixed_encodings", None, detail, [(number, line.decode("utf-8", WINDOWS_1252).strip())])


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


def _check_text(text: TextFile) -> None:
    """Decode the whole file. Raises `NotATable` at a NUL or an endless line, or `UnicodeDecodeError`."""
    characters = 0  # of the line that is not at its end
    for n, chunk in enumerate(_decode(text)):
        if "\0" in chunk:
            line = _lines_before(text, n) + chunk.count("\n", 0, chunk.index("\0")) + 1
            raise NotATable(f"line {line} contains a NUL byte: this is not a text file; send CSV or TSV")
        end = max(chunk.rfind("\n"), chunk.rfind("\r"))
        characters = len(chunk) - end - 1 if end >= 0 else characters + len(chunk)
        if characters > MAX_LINE_CHARACTERS:
            raise long_line_error(_lines_before(text, n + 1) + 1)


def _lines_before(text: TextFile, chunk: int) -> int:
    return sum(each.count("\n") for each in itertools.islice(_decode(text), chunk))
