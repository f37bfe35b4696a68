"""The lines on which rows begin, where they are not simply counted up."""

from array import array
from bisect import bisect_right

MAX_POINTS = 2_000_000


class LineNumbers:
    """The line of each row, kept only where it is not the one after the line of the row before."""

    def __init__(self) -> None:
        self._rows, self._lines = array("q"), array("q")
        self._next_row, self._next_line = 0, -1

    def add(self, line: int) -> None:
        """Note the line of the next row."""
        if line != self._next_line and len(self._rows) < MAX_POINTS:
            self._rows.append(self._next_row)
            self._lines.append(line)
        self._next_row += 1
        self._next_line = line + 1

    def jump(self, row: int, line: int) -> None:
        """Note that a row begins on a line, and rows after it on the following ones."""
        if len(self._rows) < MAX_POINTS:
            self._rows.append(row)
            self._lines.append(line)

    def line_of(self, row: int) -> int:
        """The line of a row, from 0."""
        at = max(bisect_right(self._rows, row) - 1, 0)
        return self._lines[at] + row - self._rows[at] if self._rows else row + 1
