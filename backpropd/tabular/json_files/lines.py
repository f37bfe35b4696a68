"""The lines on which the rows of a text begin, in little memory."""

from bisect import bisect_right

MAX_RUNS = 100_000


class Lines:
    """Lines of rows; rows that follow each other at a constant distance take no space."""

    def __init__(self) -> None:
        self._rows: list[int] = []  # the first row of each run
        self._lines: list[int] = []  # and its line
        self._strides: list[int | None] = []  # lines from one row to the next
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, line: int) -> None:
        """Add the line of the next row."""
        row, self._count = self._count, self._count + 1
        if self._rows:
            ahead = row - self._rows[-1]
            stride = self._strides[-1]
            if stride is None:
                self._strides[-1] = stride = line - self._lines[-1]
            if line == self._lines[-1] + ahead * stride or len(self._rows) >= MAX_RUNS:
                return
        self._rows.append(row)
        self._lines.append(line)
        self._strides.append(None)

    def of(self, row: int) -> int:
        """The line of a row; beyond `MAX_RUNS` irregular distances it is approximate."""
        run = bisect_right(self._rows, row) - 1
        return self._lines[run] + (row - self._rows[run]) * (self._strides[run] or 0)
