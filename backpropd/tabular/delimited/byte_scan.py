"""A count of a file's rows and of their cells over its bytes, independent of the parser that reads them.

It also finds whether the file is clean: every row has the same number of cells, quotes enclose whole cells, and no
blank line stands between rows. Only then may Arrow read it.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_BYTES = 192 * 1024  # the temporary arrays stay in a core's cache
MAX_REST_BYTES = 64 * 1024 * 1024
LF, CR = ord("\n"), ord("\r")

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass
class Scan:
    """The rows of a file, without blank lines, its lines, and whether it is clean."""

    rows: int = 0
    lines: int = 0
    clean: bool = True
    quoted: bool = False
    is_open: bool = False
    blank_before: bool = False


def scan(file: io.BufferedReader, delimiter: str, quote: str, width: int) -> Scan:
    """Scan the UTF-8 of rows that should have `width` cells, up to the first fault."""
    found = Scan()
    marks = ord(delimiter), ord(quote or "\0")
    separators = 0  # of the row that the last window did not end
    for window in _windows(file):
        separators = _scan_window(np.frombuffer(window, np.uint8), window, marks, width, separators, found)
        if not found.clean:
            break
    found.clean &= not found.is_open
    return found


def _windows(file: io.BufferedReader) -> Iterator[bytes]:
    """The bytes in pieces that end with a line, the last one with a line end that the file may lack."""
    rest = b""
    while data := file.read(WINDOW_BYTES):
        data = rest + data
        end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
        if end:
            yield data[:end]
        rest = data[end:]
        if len(rest) > MAX_REST_BYTES:  # no row that is accepted is as long
            yield rest
            rest = b""
    if rest:
        yield rest if rest.endswith((b"\n", b"\r")) else rest + b"\n"


def _scan_window(window: Bytes, data: bytes, marks: tuple[int, int], width: int, separators: int, found: Scan) -> int:
    """Count one window into `found`; returns the separators of the row that it does not end."""
    line_ends = _line_ends(window, data)
    delimiters = window == np.uint8(marks[0])
    if found.is_open or bytes([marks[1]]) in data:
        found.quoted = True
        found.lines += int(np.count_nonzero(line_ends))
        inside = _inside_quotes(window, marks, found)
        line_ends &= ~inside
        delimiters &= ~inside
    offsets = np.flatnonzero(line_ends | delimiters)
    ends = np.flatnonzero(line_ends[offsets])
    if not found.quoted:
        found.lines += len(ends)
    if not len(ends):
        return separators + len(offsets)
    counts = np.diff(ends, prepend=-1) - 1
    counts[0] += separators
    _count_rows(counts == width - 1, _are_blank(window, offsets[ends], counts), found)
    return len(offsets) - 1 - int(ends[-1])


def _line_ends(window: Bytes, data: bytes) -> Mask:
    ends: Mask = window == LF
    if b"\r" in data:
        lone = window == CR
        lone[:-1] &= window[1:] != LF
        ends |= lone
    return ends


def _inside_quotes(window: Bytes, marks: tuple[int, int], found: Scan) -> Mask:
    """Which characters are quoted; notes a quote that neither begins nor ends a cell."""
    quotes = window == marks[1]
    inside: Mask = (np.cumsum(quotes, dtype=np.uint8) & 1).astype(np.bool_) ^ found.is_open
    is_edge = np.zeros(256, np.bool_)
    is_edge[[LF, CR, *marks]] = True
    offsets = np.flatnonzero(quotes)
    opening = inside[offsets]
    before, after = offsets[opening] - 1, offsets[~opening] + 1
    ok = is_edge[window[before[before >= 0]]].all() and is_edge[window[after[after < len(window)]]].all()
    found.clean &= bool(ok)
    found.is_open = bool(inside[-1])
    return inside


def _are_blank(window: Bytes, ends: NDArray[np.intp], counts: NDArray[np.intp]) -> Mask:
    """Which of the rows that end at these offsets are empty lines."""
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts
    sizes -= (sizes > 0) & (window[ends - 1] == CR)
    blank: Mask = (sizes == 0) & (counts == 0)
    return blank


def _count_rows(fit: Mask, blank: Mask, found: Scan) -> None:
    """Add the rows of a window, of which some fit and some are blank."""
    filled = np.flatnonzero(~blank)
    if not len(filled):
        found.blank_before |= found.rows > 0
        return
    first, last = int(filled[0]), int(filled[-1])
    blank_between = last - first + 1 > len(filled) or (found.rows > 0 and (found.blank_before or first > 0))
    found.clean &= bool(fit[filled].all()) and not blank_between
    found.blank_before = last < len(blank) - 1
    found.rows += len(filled)
