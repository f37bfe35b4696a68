"""The delimiter, quote and escape of a text: those by which its lines fall into the most regular table.

As in Wrangling messy CSV files by detecting row and type patterns (van den Burg, Nazábal and Sutton, 2019), a guess is
scored by how regular the rows are, times the share of cells that look like values.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from backpropd.tabular.cell_shapes import DATE_OR_TIME, NUMBER_NOTATION
from backpropd.tabular.delimited.row_reader import Row, RowReader, are_paired
from backpropd.tabular.delimited.syntax import Syntax

DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = (
    " ",
    "  ",
    ":",
    "~",
    "^",
    "\x01",
    "\x1f",
    "\u00a6",
)  # the last are Hive's, ASCII's and the broken bar
RARE_WEIGHT = 0.7
MIN_RARE_SHARE = 0.7  # of rows with the same number of cells
UNLIKE_HEADER_WEIGHT = 0.8  # of spaces that split the first line into another number of cells
MIN_VALUES_SHARE = 0.25  # of numbers and dates where the first line is split so: less is free text
MAX_ROWS = 2000
PAIRED_FAULT = 0.5  # of a row with quotes within a quoted cell
MAX_TYPED_CELLS = 4000
ODD = re.compile(r"[;|\t,]|\s{2}|^[\"']|[\"']$")
QUOTES, HALF_QUOTED = "\"'", 0.2
ESCAPED = re.compile(r"\\[\"',;|\t]")


def guess_syntax(lines: Sequence[str], delimiter: str | None, quote: str | None, comment: str) -> Syntax:
    """The most regular reading of the lines; a given delimiter or quote is kept (a quote `""` is none)."""
    text = "".join(lines)
    delimiters = [delimiter] if delimiter else [each for each in (*DELIMITERS, *RARE_DELIMITERS) if each in text]
    best, best_score = Syntax(delimiter or ",", '"' if quote is None else quote, "", comment), 0.0
    for each in delimiters:
        for candidate in _quotings(text, each, quote, comment):
            score = _score(list(islice(RowReader(lines, candidate), MAX_ROWS)), candidate)
            if score > best_score + 1e-9:
                best, best_score = candidate, score
    return best if delimiter or not _is_doubled(lines, best) else best.with_delimiter(best.delimiter * 2)


def _quotings(text: str, delimiter: str, quote: str | None, comment: str) -> list[Syntax]:
    quotes = ['"'] if quote is None else [quote]
    if quote is None and "'" in text and re.search(rf"(^|{re.escape(delimiter)}) ?'", text, re.MULTILINE):
        quotes.append("'")
    escapes = ["\\", ""] if "\\" in text and ESCAPED.search(text) else [""]
    runs = [True, False] if delimiter == " " else [True]
    return [Syntax(delimiter, each, escape, comment, run) for each in quotes for escape in escapes for run in runs]


def _is_doubled(lines: Sequence[str], syntax: Syntax) -> bool:
    """Whether every second column is empty: the delimiter is written twice."""
    if not syntax.delimiter.strip():
        return False
    is_used = False
    for row in islice(RowReader(lines, syntax), MAX_ROWS):
        if len(row.cells) > 1:
            if "".join(row.cells[1::2]).strip():
                return False
            is_used |= any(cell.strip() for cell in row.cells[2::2])
    return is_used


def _score(rows: Sequence[Row], syntax: Syntax) -> float:
    """From 0 to 1: how regular the rows are, times the share of cells that look like values."""
    filled = [row for row in rows if row.cells]
    widths = Counter(len(row.cells) for row in filled)
    if not widths:
        return 0.0
    width, count = max(widths.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
    is_rare = syntax.delimiter in RARE_DELIMITERS
    if width == 1 or (is_rare and count < MIN_RARE_SHARE * len(filled)):
        return 0.0
    regular = (count / len(filled)) ** 2 * (width - 1) / width
    faults = sum(PAIRED_FAULT if are_paired(row, syntax) else 1.0 for row in filled if row.faulty) / len(filled)
    cells = [cell for row in filled if len(row.cells) == width for cell in row.cells][:MAX_TYPED_CELLS]
    cells = [cell.replace(syntax.delimiter, "") for cell in cells]  # which stands in quotes, and is not odd
    weight = RARE_WEIGHT if is_rare else 1.0
    if syntax.delimiter == " " and len(filled[0].cells) != width:
        values = sum(_plausibility(cell) == 1.0 for cell in cells)
        weight = RARE_WEIGHT * UNLIKE_HEADER_WEIGHT if values >= MIN_VALUES_SHARE * len(cells) else 0.0
    if not syntax.runs:
        weight *= sum(bool(cell.strip()) for cell in cells) / len(cells)
    return weight * regular * (1 - faults) * sum(map(_plausibility, cells)) / len(cells)


def _plausibility(cell: str) -> float:
    """Whether a cell looks like one value."""
    text = cell.strip()
    if text and (text[0] in QUOTES) != (text[-1] in QUOTES):
        return HALF_QUOTED
    if not text or NUMBER_NOTATION.fullmatch(text) or DATE_OR_TIME.fullmatch(text):
        return 1.0
    if ODD.search(text):
        return 0.3
    return 0.9
