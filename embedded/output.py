"""Where the lines of the whole stack go: one at a time, each behind the name of the part that wrote it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import BinaryIO

OURS = "stack"
_COLOURS = (36, 32, 33, 35, 34)


class Output:
    """A stream shared by the threads that read the parts' lines. Bytes pass through as the part wrote them."""

    def __init__(self, stream: BinaryIO, names: Iterable[str]) -> None:
        names = [OURS, *names]
        width = max(map(len, names))
        coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self._prefixes = {
            name: _prefix(name, width, _COLOURS[place % len(_COLOURS)] if coloured else None)
            for place, name in enumerate(names)
        }
        self._stream = stream
        self._lock = threading.Lock()

    def line(self, name: str, line: bytes) -> None:
        """Write a part's line behind its prefix."""
        self._write(self._prefixes[name] + line.rstrip(b"\r\n") + b"\n")

    def note(self, text: str) -> None:
        """Write a line of the supervisor's own, prefixed as the parts' are."""
        self.line(OURS, text.encode())

    def say(self, text: str) -> None:
        """Write a line as it is, for the reader who waits for it."""
        self._write(text.encode() + b"\n")

    def _write(self, line: bytes) -> None:
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:  # `make run | head`, a closed terminal: nobody reads, and the stack is no worse for it
                self._go_quiet()

    def _go_quiet(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def _prefix(name: str, width: int, colour: int | None) -> bytes:
    plain = f"{name:<{width}} | "
    return (plain if colour is None else f"\x1b[{colour}m{plain}\x1b[0m").encode()
