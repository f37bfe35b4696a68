"""Tables that are drawn as text: with rulers and frames, as databases and Markdown have them, or in aligned columns."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.cell_shapes import NUMBER, shape
from backpropd.tabular.delimited.delimiter_guess import DELIMITERS
from backpropd.tabular.delimited.syntax import BARS, RULER, cut, is_wrapped

TOP_LINES = 8  # among which a ruler stands
MIN_FRAMED_SHARE = 0.8
MAX_LINES, MAX_CHARACTERS = 1000, 2000  # that are compared for aligned columns
MAX_TITLES = 5
MIN_LINES = 3
MIN_WRAPPED_LINES = 2
MIN_ALIGNED_SHARE = 0.8  # of a column's cells, which begin or end at the same offset
LEFT_OUT_SHARE = 0.02  # of the lines, which may be notes

Span = tuple[int, int]


def has_rulers(lines: Sequence[str]) -> bool:
    """Whether one of the first lines consists of dashes, as those around a header do."""
    filled = [line.strip() for line in lines if line.strip()]
    return any(RULER.fullmatch(line) for line in filled[:TOP_LINES])


def is_framed(lines: Sequence[str]) -> bool:
    """Whether most lines begin and end with a bar."""
    filled = [line.translate(BARS).strip() for line in lines if line.strip()]
    framed = sum(line.startswith("|") and line.endswith("|") and line.count("|") > 2 for line in filled)
    return framed >= max(MIN_FRAMED_SHARE * len(filled), 2)


def are_wrapped(lines: Sequence[str]) -> bool:
    """Whether each line is in quotes as a whole, and has the same number of delimiters within them."""
    filled = [line.strip() for line in lines if line.strip()]
    if len(filled) < MIN_WRAPPED_LINES or not all(map(is_wrapped, filled)):
        return False
    return any(filled[0].count(each) and len({line.count(each) for line in filled}) == 1 for each in DELIMITERS)


def aligned_columns(lines: Sequence[str]) -> tuple[int, ...]:
    """The offsets at which the columns of aligned lines begin, the first being 0; none if they are not aligned.

    Up to five titles may precede the table, and a few lines be notes. Every column has a name in its first line. Of
    several readings, the one with the most columns counts.
    """
    filled = [line.expandtabs().rstrip()[:MAX_CHARACTERS] for line in lines if line.strip()][:MAX_LINES]
    best: tuple[int, ...] = ()
    if sum("  " in line for line in filled) * 2 < len(filled):
        return best  # sentences
    for notes in sorted({0, 1, int(LEFT_OUT_SHARE * len(filled))}):
        for titles in range(max(min(MAX_TITLES, len(filled) - MIN_LINES) + 1, 0)):
            table = filled[titles:]
            columns = _columns(table, notes)
            edges = (0, *(start for start, _ in columns[1:]))
            is_better = len(edges) > max(len(best), 1) and "  " in table[0] and not _crosses(table[0], edges)
            if titles and any(shape(cell) == NUMBER for cell in cut(table[0], edges)):
                continue  # a row
            if is_better and sum(_crosses(line, edges) for line in table) <= notes and _are_aligned(table[1:], columns):
                best = edges
    return best


def _crosses(line: str, edges: Sequence[int]) -> bool:
    return any(line[edge - 1 : edge].strip() and line[edge : edge + 1].strip() for edge in edges[1:])


def _columns(table: Sequence[str], notes: int) -> list[Span]:
    """The spans between offsets at which all lines but a few have spaces, each with a name in the first line."""
    width = max(map(len, table))
    filled = np.array([line.ljust(width) for line in table]).view("U1").reshape(len(table), width) != " "
    spans = list(_runs(filled[0] | (filled[1:].sum(axis=0) > notes)))
    columns: list[Span] = []
    for start, end in spans:
        is_named = bool(filled[0, start:end].any())
        is_part = bool(columns) and not filled[1:, slice(*columns[-1])].any() and start - columns[-1][1] == 1
        if columns and (not is_named or is_part):
            columns[-1] = (columns[-1][0], end)
        else:
            columns.append((start, end))
    return columns


def _runs(marked: NDArray[np.bool_]) -> Iterator[Span]:
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _are_aligned(body: Sequence[str], columns: Sequence[Span]) -> bool:
    """Whether in each column most cells begin, or most end, at the same offset, and lines have several cells."""
    edges = (0, *(start for start, _ in columns[1:]))
    if sum(sum(map(bool, cut(line, edges))) > 1 for line in body) * 2 < len(body):
        return False
    for start, end in columns:
        cells = [line[start:end] for line in body if line[start:end].strip()]
        begins = Counter(len(cell) - len(cell.lstrip()) for cell in cells)
        ends = Counter(len(cell.rstrip()) for cell in cells)
        most = max([*begins.values(), *ends.values()], default=0)
        if most < MIN_ALIGNED_SHARE * len(cells):
            return False
    return True
