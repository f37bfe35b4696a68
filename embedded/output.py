"""The output of the whole stack: one line at a time, each prefixed with the name of its program."""

import os
import threading
from collections.abc import Iterable
from typing import BinaryIO

SUPERVISOR = "stack"
_COLOURS = (36, 32, 33, 35, 34)


class Output:
    """A stream shared by the threads that read the programs' lines. Bytes are written unchanged."""

    def __init__(self, stream: BinaryIO, names: Iterable[str]) -> None:
        names = [SUPERVISOR, *names]
        width = max(map(len, names))
        coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self._prefixes = {
            name: _prefix(name, width, _COLOURS[index % len(_COLOURS)] if coloured else None)
            for index, name in enumerate(names)
        }
        self._stream = stream
        self._lock = threading.Lock()

    def line(self, name: str, line: bytes) -> None:
        """Write a program's line with its prefix."""
        self._write(self._prefixes[name] + line.rstrip(b"\r\n") + b"\n")

    def note(self, text: str) -> None:
        """Write a line of the supervisor with its prefix."""
        self.line(SUPERVISOR, text.encode())

    def announce(self, text: str) -> None:
        """Write a line without a prefix."""
        self._write(text.encode() + b"\n")

    def _write(self, line: bytes) -> None:
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:  # the reader is gone (`make run | head`, a closed terminal): the stack continues
                self._discard()

    def _discard(self) -> None:
        """Send all further output to /dev/null."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


def _prefix(name: str, width: int, colour: int | None) -> bytes:
    plain = f"{name:<{width}} | "
    return (plain if colour is None else f"\x1b[{colour}m{plain}\x1b[0m").encode()
