"""Rows with too few or too many cells, made to fit the columns of their table as far as their cells show how."""

import re
from collections.abc import Sequence
from enum import Enum
from math import log

from backpropd.tabular.cell_shapes import SMOOTHING, ColumnShapes
from backpropd.tabular.delimited.delimiter_guess import DELIMITERS
from backpropd.tabular.delimited.row_reader import Row, RowReader, split_line
from backpropd.tabular.delimited.syntax import Syntax

MAX_ALIGNED_CELLS = 200  # of a wider row the last cells are cut, or missing


GROUPED = re.compile(r"[-+]?[$€£]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
THOUSANDS = 0.5  # the likelihood of thousands separators that are not quoted
UNSPACED = 0.5  # that of words with a delimiter and no space behind it, in relation to those with one


class Fit(Enum):
    """How a row was made to fit."""

    AS_IS = "as it is"
    SHORT = "its last cells are absent"
    OTHER_DELIMITER = "it has another delimiter"
    SEPARATOR_MISSING = "a separator is missing"
    SEPARATOR_TOO_MANY = "a separator is too many"
    UNFIT = "it fits in no way"


def fit_row(row: Row, width: int, shapes: ColumnShapes, syntax: Syntax) -> tuple[list[str], Fit]:
    """The `width` cells of a row, and how they were found; no cells for a row that fits in no way."""
    cells = row.cells
    if len(cells) > width and not any(cell.strip(" ,;|\t") for cell in cells[width:]):
        return cells[:width], Fit.AS_IS
    if len(cells) != width and (other := with_other_delimiter(row, width, shapes, syntax)):
        return other, Fit.OTHER_DELIMITER
    if len(cells) < width:
        return _fit_short(cells, width, shapes)
    if len(cells) > width:
        return _fit_long(_spaced(row, syntax), width, shapes, syntax.delimiter), Fit.SEPARATOR_TOO_MANY
    return cells, Fit.AS_IS


def with_other_delimiter(row: Row, width: int, shapes: ColumnShapes, syntax: Syntax) -> list[str] | None:
    """The cells of a row on one line by another delimiter, if there are exactly enough and most are usual."""
    for delimiter in (*DELIMITERS, " "):
        if delimiter == syntax.delimiter or delimiter not in row.text or row.lines > 1:
            continue
        cells = next(iter(RowReader([row.text], syntax.with_delimiter(delimiter)))).cells
        if len(cells) == width and shapes.mostly_fits(cells) and (delimiter != " " or len(row.cells) == 1):
            return cells
    return None


def _spaced(row: Row, syntax: Syntax) -> list[str]:
    """The cells with the spaces between them, which matter if some are joined."""
    cells = split_line(row.text, syntax)[0] if row.lines == 1 else row.cells
    return cells if len(cells) == len(row.cells) else row.cells


def _fit_short(cells: list[str], width: int, shapes: ColumnShapes) -> tuple[list[str], Fit]:
    """Absent last cells if all others are usual in their columns, else a gap where most of them are."""
    missing = [""] * (width - len(cells))
    if shapes.fits(cells):
        return cells + missing, Fit.SHORT
    if len(cells) * 2 < width:
        return [], Fit.UNFIT
    gap = _best_gap(cells, width, shapes)
    fitted = cells[:gap] + missing + cells[gap:]
    # the cell before the gap may be two, written without their separator
    if gap and shapes.likelihood(gap - 1, cells[gap - 1]) <= SMOOTHING:
        fitted[gap - 1] = ""
    return fitted, Fit.SEPARATOR_MISSING


def _best_gap(cells: Sequence[str], width: int, shapes: ColumnShapes) -> int:
    """The index before which cells are missing: the cells before it are in their columns, the others to the right."""
    count = len(cells)
    if width > MAX_ALIGNED_CELLS:
        return count
    left = [log(shapes.likelihood(n, cell)) for n, cell in enumerate(cells)]
    right = [log(shapes.likelihood(n + width - count, cell)) for n, cell in enumerate(cells)]
    # the cell before the gap may hold two, so it counts little
    scores = [sum(left[: max(gap - 1, 0)]) + sum(right[gap:]) for gap in range(count + 1)]
    return max(range(count + 1), key=lambda gap: (scores[gap] + (left[gap - 1] / 2 if gap else 0.0), gap))


def _fit_long(cells: list[str], width: int, shapes: ColumnShapes, delimiter: str) -> list[str]:
    """The cells with surplus ones joined to the cell before, or with surplus empty ones left out."""
    surplus = len(cells) - width
    if width > MAX_ALIGNED_CELLS or surplus > width:
        return cells[:width]
    left = [log(shapes.likelihood(n, cell)) for n, cell in enumerate(cells[:width])]
    right = [log(shapes.likelihood(n, cell)) for n, cell in enumerate(cells[surplus:])]
    best, best_score = (
        cells[:width],
        sum(left) + log(SMOOTHING) if min(left, default=0.0) > log(SMOOTHING) else -float("inf"),
    )
    for n in range(width):
        joined = _joined(cells[n : n + surplus + 1], delimiter)
        score = sum(left[:n]) + log(_likelihood(n, joined, shapes, delimiter)) + sum(right[n + 1 :])
        if score > best_score:
            best, best_score = [*cells[:n], joined, *cells[n + surplus + 1 :]], score
    return best


def _likelihood(column: int, joined: str, shapes: ColumnShapes, delimiter: str) -> float:
    """How usual joined cells are in a column; a comma and a space within words are, and thousands in numbers."""
    if delimiter not in joined:
        return shapes.likelihood(column, joined)
    if shapes.is_number(column):
        return THOUSANDS if delimiter == "," and GROUPED.fullmatch(joined.strip()) else SMOOTHING
    spaced = joined.count(delimiter) == joined.count(delimiter + " ")
    return max(shapes.likelihood(column, joined) * (1.0 if spaced else UNSPACED), SMOOTHING)


def _joined(cells: Sequence[str], delimiter: str) -> str:
    filled = [cell for cell in cells if cell.strip()]
    return delimiter.join(cells) if len(filled) > 1 else "".join(filled)
