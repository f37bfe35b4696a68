"""A file of text, read as characters or as UTF-8 bytes whatever its encoding is."""

import codecs
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backpropd.errors import NotATable

MAX_LINE_CHARACTERS = 16 * 1024 * 1024  # where a file is read line by line
TRANSCODED_CHARACTERS = 256 * 1024
WINDOWS_1252 = "windows-1252"
END_OF_FILE = "\x1a"  # of DOS


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes that are invalid in a file's encoding as Windows-1252, and those undefined there as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    invalid = error.object[error.start : error.end]
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in invalid), error.end


codecs.register_error(WINDOWS_1252, _as_windows_1252)


@dataclass(frozen=True)
class TextFile:
    """A file of text: the name of its encoding, and the size of its byte order mark.

    `errors` is the codec's error handler: `strict`, or `windows-1252` for a file that is only partly in its encoding.
    """

    path: Path
    encoding: str
    bom_bytes: int
    errors: str = "strict"

    def open(self) -> io.TextIOWrapper:
        """The text from its first character, with unchanged line ends."""
        return io.TextIOWrapper(self._open_bytes(), self.encoding, self.errors, newline="")

    def open_utf8(self) -> io.BufferedReader:
        """The text from its first character as UTF-8."""
        if self.encoding == "utf-8" and self.errors == "strict":
            return self._open_bytes()
        return io.BufferedReader(_Utf8Stream(self.open()), TRANSCODED_CHARACTERS)

    def _open_bytes(self) -> io.BufferedReader:
        file = self.path.open("rb")
        file.seek(self.bom_bytes)
        return file

    def lines(self) -> Iterator[str]:
        """The lines with their ends. Raises `NotATable` at a line that is too long."""
        with self.open() as file:
            for n in itertools.count(1):
                line = file.readline(MAX_LINE_CHARACTERS + 1)
                if len(line) > MAX_LINE_CHARACTERS:
                    raise long_line_error(n)
                if not line:
                    return
                yield line


def long_line_error(line: int) -> NotATable:
    """The error for a line that is too long."""
    return NotATable(f"line {line} is longer than {MAX_LINE_CHARACTERS // 2**20} MiB: is this a table?")


class _Utf8Stream(io.RawIOBase):
    """The UTF-8 bytes of a text."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._rest = text, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(self._text.read(TRANSCODED_CHARACTERS).encode())
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        self._text.close()
        super().close()
