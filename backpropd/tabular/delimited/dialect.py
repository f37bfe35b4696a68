"""How a delimited file is read: the result of looking at its beginning."""

import io
from dataclasses import dataclass
from typing import Any

from backpropd.tabular.cell_shapes import ColumnShapes
from backpropd.tabular.delimited.syntax import Syntax
from backpropd.tabular.delimited.text_file import TextFile

MAX_ROW_BYTES = 256 * 1024  # Arrow reads up to 32 blocks of this size ahead
MAX_CELL_BYTES = 64  # a wide table may have longer rows


@dataclass(frozen=True)
class Dialect:
    """How to read a file.

    `first_line` is the line of its first row, from 1, `start` that line's offset in UTF-8. Rows have `raw_width` cells,
    of which the last ones are left out if there are more than `names`. `header` are the cells of its header row, empty
    if it has none; `header_bytes` its line in UTF-8, with its end. `strict` and `is_cut` are as in `ReadOptions`.
    """

    text: TextFile
    syntax: Syntax
    names: tuple[str, ...]
    raw_width: int
    shapes: ColumnShapes
    first_line: int
    start: int
    header: tuple[str, ...]
    header_bytes: bytes
    skipped_lines: int
    strict: bool
    is_cut: bool

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.names)

    @property
    def max_row_bytes(self) -> int:
        """The size of the longest row that is accepted."""
        return max(MAX_ROW_BYTES, MAX_CELL_BYTES * self.width)

    def open_rows(self) -> io.BufferedReader:
        """The UTF-8 of the rows."""
        file = self.text.open_utf8()
        left = self.start
        while left and (skipped := len(file.read(min(left, MAX_ROW_BYTES)))):
            left -= skipped
        return file

    def to_json(self) -> dict[str, Any]:
        """The dialect as the API shows it."""
        return {
            "encoding": self.text.encoding,
            "delimiter": self.syntax.delimiter,
            "quote": self.syntax.quote,
            "header": bool(self.header),
            "skipped_lines": self.skipped_lines,
        }
