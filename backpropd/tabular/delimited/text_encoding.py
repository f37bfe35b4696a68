"""The encoding of a text file, and the checks that it is text: the whole file is decoded once."""

import codecs
import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from backpropd.errors import NotATable
from backpropd.tabular.delimited.legacy_encoding import (
    HIGH,
    UTF8_CHARACTER,
    UTF8_LETTER,
    LegacyEncoding,
    legacy_encodings,
)
from backpropd.tabular.delimited.text_file import MAX_LINE_CHARACTERS, WINDOWS_1252, TextFile, long_line_error
from backpropd.tabular.encodings import codec_of
from backpropd.tabular.warnings import WarningLog

CHUNK_BYTES = 256 * 1024
BEYOND_ASCII = bytes(range(128, 256))
DECODED_BYTES = 64 * 1024  # at once: with their characters they stay in a core's cache
# UTF-32 first: its little-endian mark begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# What the 7-bit encodings of Japan and Korea write before their characters. HZ begins with `~{`, as templates do.
ESCAPES = {"iso2022_jp": re.compile(rb"\x1b\$[@B]"), "iso2022_kr": re.compile(rb"\x1b\$\)C")}
MOSTLY = 0.95  # of the bytes beyond ASCII, in characters of UTF-8: then the others are a few lines of another encoding
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


def open_text(path: Path, encoding: str | None, strict: bool, log: WarningLog) -> TextFile:
    """Detect the encoding: by its mark, NUL bytes or escapes, else UTF-8 if the file is valid, else by its letters.

    A file that is partly UTF-8 is read so with a warning, unless `strict`. Raises `NotATable` for a file that is not
    text, or not in the `encoding` given.
    """
    text = look_at_text(path, encoding)
    if encoding is None and text.encoding.startswith("iso2022"):
        text = _with_escapes(text, log)
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
    found = BYTE_ORDER_MARKS.get(bom) or _encoding_of_nuls(head) or _encoding_of_escapes(head)
    return TextFile(path, found or "utf-8", len(bom))


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


def _with_escapes(text: TextFile, log: WarningLog) -> TextFile:
    """The text as its escapes say if all of it can be decoded so, else as UTF-8."""
    if not _is_valid(text):
        return TextFile(text.path, "utf-8", 0)
    _warn_of_guess(text, "escapes", log)
    return text


def _not_unicode(path: Path, strict: bool, log: WarningLog) -> TextFile:
    """A text that is not, or only partly, UTF-8. Raises `NotATable` for half of a surrogate pair."""
    if _is_valid(TextFile(path, "utf-8", 0, "surrogatepass")):
        _raise_if_found(path, SURROGATE, "contains half of a surrogate pair, which is not a character")
    is_unicode = _is_mostly_unicode(path)
    for each in () if is_unicode else legacy_encodings(path):
        found = TextFile(path, each.name, 0)
        if each.name == WINDOWS_1252:
            break
        if _is_valid(found):
            _warn_of_guess(found, "letters", log, each)
            return found
    if is_unicode or any(UTF8_LETTER.search(chunk) for chunk in _read_pieces(path)):
        if strict:
            _raise_if_found(path, UTF8_LETTER, "contains a letter encoded as UTF-8, and other lines are not UTF-8")
        text = TextFile(path, "utf-8", 0, WINDOWS_1252)
        _warn_of_mixture(text, log)
        return text
    text = TextFile(path, WINDOWS_1252, 0, WINDOWS_1252)
    if not each.is_certain:
        _warn_of_guess(text, "few letters", log, each)
    return text


def _is_mostly_unicode(path: Path) -> bool:
    high = unicode = 0
    for chunk in _read_pieces(path):
        if not chunk.isascii():
            high += len(HIGH.findall(chunk))
            unicode += sum(map(len, UTF8_CHARACTER.findall(chunk)))
    return unicode >= MOSTLY * high


def _warn_of_guess(text: TextFile, signs: str, log: WarningLog, guess: LegacyEncoding | None = None) -> None:
    readings = f" ({guess.cell!r}, which is {guess.other_cell!r} in {guess.other})" if guess and guess.other else ""
    detail = f"the {signs} look like the encoding {text.encoding}{readings}; if it is wrong, send another encoding"
    log.add("encoding_guessed", None, detail)


def _is_valid(text: TextFile) -> bool:
    """Whether the whole file can be decoded."""
    try:
        return all(True for _ in _decode(text))
    except UnicodeDecodeError:
        return False


def _raise_if_found(path: Path, pattern: re.Pattern[bytes], what: str) -> None:
    line = 1
    for chunk in _read_pieces(path):
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


def _encoding_of_escapes(head: bytes) -> str | None:
    """A 7-bit encoding of Japan or Korea."""
    if not head.isascii():
        return None
    found = next((encoding for encoding, escape in ESCAPES.items() if escape.search(head)), None)
    return "iso2022_jp_ext" if found == "iso2022_jp" and b"\x1b(I" in head else found


def _read_bytes(path: Path, start: int, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(size):
            yield chunk


def _read_pieces(path: Path) -> Iterator[bytes]:
    """The bytes in pieces that end with ASCII, so that no character is cut, unless none is in very many."""
    rest = b""
    for chunk in _read_bytes(path, 0):
        rest += chunk
        end = len(rest.rstrip(BEYOND_ASCII))
        if end or len(rest) > MAX_LINE_CHARACTERS:
            yield rest[: end or None]
            rest = rest[end:] if end else b""
    if rest:
        yield rest


def _decode(text: TextFile) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(text.encoding)(text.errors)
    yield from map(decoder.decode, _read_bytes(text.path, text.bom_bytes, DECODED_BYTES))
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
