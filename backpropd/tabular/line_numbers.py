"""The lines on which the rows of a file begin, in little memory."""

from array import array
from bisect import bisect_right

MAX_RUNS = 2_000_000


class LineNumbers:
    """Lines of rows; rows that follow each other at a constant distance are one run, which takes three numbers."""

    def __init__(self) -> None:
        self._rows, self._lines = array("q"), array("q")  # the first row of each run, and its line
        self._strides = array("q")  # lines from one row to the next, 0 where a run has only one
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, line: int) -> None:
        """Note the line of the next row."""
        row, self._count = self._count, self._count + 1
        if self._rows:
            ahead = row - self._rows[-1]
            if ahead == 1:
                self._strides[-1] = line - self._lines[-1]
            if line == self._lines[-1] + ahead * self._strides[-1]:
                return
        self._begin_run(row, line, 0)

    def jump(self, row: int, line: int) -> None:
        """Note that a row begins on a line, and the rows behind it on the lines that follow."""
        self._begin_run(row, line, 1)

    def _begin_run(self, row: int, line: int, stride: int) -> None:
        if len(self._rows) < MAX_RUNS:
            self._rows.append(row)
            self._lines.append(line)
            self._strides.append(stride)

    def line_of(self, row: int) -> int:
        """The line of a row, from 0; beyond `MAX_RUNS` irregular distances it is approximate."""
        run = max(bisect_right(self._rows, row) - 1, 0)
        return self._lines[run] + (row - self._rows[run]) * self._strides[run] if self._rows else row + 1
