"""A count of a file's rows and of their cells over its bytes, independent of the parser that reads them.

It also finds whether the file is clean: every row has the same number of cells, quotes enclose whole cells, and no
blank line stands between rows. Only then may Arrow read it.
"""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.delimited.text_file import TextFile
from backpropd.tabular.line_numbers import LineNumbers

WINDOW_BYTES = 96 * 1024  # its temporary arrays stay in a core's cache, and are too small to be mapped anew each time
LF, CR = ord("\n"), ord("\r")

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass
class Scan:
    """The rows of a file, without blank lines, its lines, and whether it is clean.

    `line_numbers` are those of the rows, the first line being 0.
    """

    rows: int = 0
    lines: int = 0
    clean: bool = True
    is_open: bool = False
    blank_before: bool = False
    row_line: int = 0
    last_row_line: int = -2
    line_numbers: LineNumbers = field(default_factory=LineNumbers)


def scan(file: io.BufferedReader, delimiter: str, quote: str, width: int, header: bytes = b"") -> Scan:
    """Scan the UTF-8 of rows that should have `width` cells, up to the first fault; a repeated `header` line is one."""
    found = Scan()
    marks = ord(delimiter), ord(quote or "\0")
    names = header.rstrip(b"\r\n")
    repeated = re.compile(rb"(?:^|[\r\n])" + re.escape(names) + rb"[\r\n]")
    separators = 0  # of the row that the last window did not end
    for window in _windows(file):
        found.clean &= not names or names not in window or not repeated.search(window)
        found.clean &= window.isascii() or codecs.BOM_UTF8 not in window  # Arrow drops it at the beginning of a block
        separators = _scan_window(np.frombuffer(window, np.uint8), window, marks, width, separators, found)
        if not found.clean:
            break
    found.clean &= not found.is_open
    return found


def _windows(file: io.BufferedReader) -> Iterator[bytes]:
    """The bytes in pieces that end with a line, the last one with a line end that the file may lack."""
    pieces: list[bytes] = []
    while data := file.read(WINDOW_BYTES):
        end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
        if end:
            yield b"".join((*pieces, data[:end]))
            pieces.clear()
        pieces.append(data[end:])
    if rest := b"".join(pieces):
        yield rest if rest.endswith((b"\n", b"\r")) else rest + b"\n"


def _scan_window(window: Bytes, data: bytes, marks: tuple[int, int], width: int, separators: int, found: Scan) -> int:
    """Count one window into `found`; returns the separators of the row that it does not end."""
    line_ends = _line_ends(window, data)
    delimiters = window == np.uint8(marks[0])
    if found.is_open or bytes([marks[1]]) in data:
        inside = _inside_quotes(window, marks, found)
        # Arrow loses the line feed of a quoted "\r\n" that is split between two blocks.
        found.clean &= b"\r" not in data or not (inside & (window == CR)).any()
        delimiters &= ~inside
        row_ends = line_ends & ~inside
    else:
        row_ends = line_ends
    offsets = np.flatnonzero(row_ends | delimiters)
    ends = np.flatnonzero(row_ends[offsets])
    if len(ends):
        counts = np.diff(ends, prepend=-1) - 1
        counts[0] += separators
        blank = _are_blank(window, offsets[ends], counts)
        _number_lines(line_ends, offsets[ends], blank, found)
        _count_rows(counts == width - 1, blank, found)
        separators = -1 - int(ends[-1])
    else:
        found.lines += int(np.count_nonzero(line_ends))
    return separators + len(offsets)


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


def _number_lines(line_ends: Mask, row_ends: NDArray[np.intp], blank: Mask, found: Scan) -> None:
    """Note the lines of the rows that end in a window, where they are not one after the other."""
    lines, rows = int(np.count_nonzero(line_ends)), len(row_ends)
    if lines == rows and found.row_line == found.lines and not blank.any():
        if found.row_line != found.last_row_line + 1:
            found.line_numbers.jump(found.rows, found.row_line)
        found.last_row_line = found.row_line + rows - 1
    else:
        next_lines = found.lines + np.cumsum(line_ends)[row_ends]
        starts = np.concatenate(([found.row_line], next_lines[:-1]))[~blank]
        for index in np.flatnonzero(np.diff(starts, prepend=found.last_row_line) != 1).tolist():
            found.line_numbers.jump(found.rows + index, int(starts[index]))
        found.last_row_line = int(starts[-1]) if len(starts) else found.last_row_line
    found.lines += lines
    found.row_line = found.lines - int(np.count_nonzero(line_ends[row_ends[-1] + 1 :]))


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


def count_lines(text: TextFile) -> int:
    """The lines of a text, counted over its bytes."""
    lines, last = 0, b"\n"
    with text.open_utf8() as file:
        while data := file.read(WINDOW_BYTES):
            pairs = data.count(b"\r\n") + (last == b"\r" and data.startswith(b"\n"))
            lines += data.count(b"\n") + data.count(b"\r") - pairs
            last = data[-1:]
    return lines + (last not in b"\r\n")
