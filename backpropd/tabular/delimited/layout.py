"""Where a table stands in its file: what precedes it, its header, its first row and its number of columns."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backpropd.tabular.cell_shapes import EMPTY, NUMBER, WORDS, ColumnShapes, shape
from backpropd.tabular.delimited.row_reader import Row
from backpropd.tabular.header import is_header, names_known_columns

MIN_TABLE_ROWS = 3
MIN_ROWS_BELOW = 2  # a header of several rows
SMALL_PART = 10  # a first table is at least the tenth of a later one
MAX_HEADER_ROWS = 4
PROPERTY_CELLS, MAX_PROPERTIES = 2, 30
DELIMITER_CHARACTERS = ",;|\t "
SPACED_SEPARATOR = re.compile("[,;] ")
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Layout:
    """The rows of a sample by what they are. `raw_width` counts the columns before empty ones at the end are dropped.

    The first cell of each row has no name in the header if `names_rows` (as statistics programs write them).
    """

    before: Sequence[Row]
    header: Sequence[Row]
    body: Sequence[Row]
    width: int
    raw_width: int
    names_rows: bool = False

    @property
    def name_cells(self) -> list[str]:
        """The cells of the header, one for each column; those of several header rows are joined where need be."""
        rows = [[cell.strip() for cell in row.cells] for row in self.header]
        if not rows:
            return [""] * self.width
        filled = [cell for cell in rows[0] if cell]
        if len(rows[0]) > self.raw_width == len(filled):
            return filled  # a separator is too many
        first = rows[0][: self.width] + [""] * (self.width - len(rows[0]) - self.names_rows)
        if self.names_rows:
            first = ["", *first]
        filled = [cell for cell in first if cell]
        if len(rows) == 1 or len(set(filled)) == self.width:
            return first
        parts = [_filled_forward(row[: self.width] + [""] * (self.width - len(row))) for row in rows[:-1]]
        parts.append(rows[-1][: self.width] + [""] * (self.width - len(rows[-1])))
        return [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*parts, strict=True)]


def _filled_forward(cells: Sequence[str]) -> list[str]:
    """The cells, an empty one as the cell before it."""
    filled: list[str] = []
    for cell in cells:
        filled.append(cell or (filled[-1] if filled else ""))
    return filled


def find_table(rows: Sequence[Row], header: bool | None, strict: bool, known: Collection[str] = ()) -> Layout:
    """Find the first table among the first rows of a file (a blank line is a row without cells).

    `header` says whether it has one, None guesses; a first row of `known` names is the only row of it. `strict` takes
    the first row for the first of the table.
    """
    begin = 0 if strict else _begin_of_table(rows)
    filled = [row for row in rows[begin:] if row.cells]
    if not strict and _is_title(filled):
        begin, filled = rows.index(filled[1]), filled[1:]
    section = _until_blank(rows[begin:]) if not strict else filled
    if not filled:
        return Layout(rows[:begin], (), (), 0, 0)
    raw_width = len(filled[0].cells) if strict else _usual_width(section)
    headers = _count_header_rows(section, raw_width, header, known)
    body = filled[headers:]
    first = filled[0].cells
    names_rows = headers > 0 and not strict and _lacks_first_name(first, body, raw_width)
    width = raw_width if strict or names_rows else _without_empty_columns(filled[:headers], body, raw_width)
    return Layout(rows[:begin], filled[:headers], body, width, raw_width, names_rows)


def _is_title(rows: Sequence[Row]) -> bool:
    """Whether the first row stands above a header, and is a sentence, or has at least two cells more than all others.

    A sentence has a space behind each separator, as no other row has.
    """
    if len(rows) < MIN_TABLE_ROWS:
        return False
    is_longest = _filled_width(rows[0].cells) > max(len(row.cells) for row in rows[1:]) + 1
    if not is_longest and (not is_sentence(rows[0]) or any(map(is_sentence, rows[1:MAX_PROPERTIES]))):
        return False
    below = [row.cells for row in rows[2:]]
    return ColumnShapes(below, len(rows[0].cells)).looks_like_header(rows[1].cells)


def is_sentence(row: Row) -> bool:
    """Whether a row has a space behind each separator."""
    return len(row.cells) > 1 and len(SPACED_SEPARATOR.findall(row.text)) == len(row.cells) - 1


def _until_blank(rows: Sequence[Row]) -> list[Row]:
    """The rows up to the first blank line that follows at least `MIN_TABLE_ROWS`, without other blank lines."""
    section: list[Row] = []
    for row in rows:
        if row.cells:
            section.append(row)
        elif len(section) >= MIN_TABLE_ROWS:
            break
    return section


def _usual_width(rows: Sequence[Row], *, filled: bool = False) -> int:
    """The most frequent number of cells, perhaps without empty last ones; the larger of equally frequent numbers."""
    widths = Counter(_filled_width(row.cells) if filled else len(row.cells) for row in rows)
    return max(widths, key=lambda width: (widths[width], width))


def _filled_width(cells: Sequence[str]) -> int:
    return next((n for n in range(len(cells), 1, -1) if cells[n - 1].strip()), 1)


def _begin_of_table(rows: Sequence[Row]) -> int:
    """The index of the first row of the first table; what precedes it is a title, a note or a list of properties."""
    sections = _sections(rows)
    widths = [_usual_width(rows[start:end], filled=True) for start, end in sections]
    for n, ((start, end), later) in enumerate(zip(sections, _later(sections, widths), strict=True)):
        is_list = widths[n] == 1 or (widths[n] == 2 < later.widest and end - start < later.rows)
        if later.rows and (is_list or end - start < MIN_TABLE_ROWS or (end - start) * SMALL_PART < later.rows):
            same = widths[n] == later.next_width == later.widest and _is_start(rows[start], widths[n])
            if same or (all(map(str.strip, rows[start].cells)) and len(rows[start].cells) >= max(later.widest, 2)):
                return start  # a header, and a blank line below it
            continue
        first = next((i for i in range(start, end) if _is_start(rows[i], widths[n])), start)
        return _after_properties(rows[:end], first, widths[n])
    return sections[0][0] if sections else 0


class _Later(NamedTuple):
    """Of the later sections with several columns: the rows of the largest, the columns of the widest and the next."""

    rows: int = 0
    widest: int = 0
    next_width: int = 0


def _later(sections: Sequence[tuple[int, int]], widths: Sequence[int]) -> list[_Later]:
    """What follows each section."""
    found, later = [], _Later()
    for (start, end), width in zip(reversed(sections), reversed(widths), strict=True):
        found.append(later)
        if width > 1:
            later = _Later(max(later.rows, end - start), max(later.widest, width), width)
    return found[::-1]


def _after_properties(rows: Sequence[Row], first: int, width: int) -> int:
    """The first row, or the header behind it where a list of names and values, padded with delimiters, precedes it."""
    for i, row in enumerate(rows[first : first + MAX_PROPERTIES], first):
        if _filled_width(row.cells) > PROPERTY_CELLS:
            is_header = len(row.cells) >= width and all(shape(cell) == WORDS for cell in row.cells[:width])
            return i if is_header and width > PROPERTY_CELLS else first
    return first


def _sections(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """The runs of rows between those that are blank."""
    sections: list[tuple[int, int]] = []
    for i, row in enumerate(rows):
        if _is_blank(row):
            continue
        if sections and sections[-1][1] == i:
            sections[-1] = (sections[-1][0], i + 1)
        else:
            sections.append((i, i + 1))
    return sections


def _is_blank(row: Row) -> bool:
    return not any(cell.strip() for cell in row.cells)


def _is_start(row: Row, width: int) -> bool:
    """Whether a row can be the first of a table: half of its cells are filled, or some and none with letters."""
    cells = row.cells
    filled = sum(bool(cell.strip()) for cell in cells)
    if len(cells) < max(width - 1, 1) or (len(cells) < 2 <= width and width != 2):
        return False
    return filled * 2 >= width or (len(cells) == width and filled > 0 and not any(map(LETTER.search, cells)))


def _lacks_first_name(header: Sequence[str], body: Sequence[Row], width: int) -> bool:
    """Whether the header has one cell less than the rows, whose first cells are different and last ones filled."""
    rows = [row.cells for row in body if len(row.cells) == width]
    if len(header) != width - 1 or width == 1 or len({cells[0] for cells in rows}) < len(rows):
        return False
    return any(cells[-1].strip(DELIMITER_CHARACTERS) for cells in rows)


def _without_empty_columns(header: Sequence[Row], body: Sequence[Row], width: int) -> int:
    """The number of columns without those at the end that have neither a name nor a value."""
    rows = [row.cells for row in (*header, *body)]
    filled = [sum(bool(cell.strip()) for cell in row.cells) for row in header]
    longer = [len(row.cells) for row, count in zip(header, filled, strict=True) if count != width]
    width = max(width, *longer, 1)
    while width > 1 and not any(cells[width - 1].strip(DELIMITER_CHARACTERS) for cells in rows if len(cells) >= width):
        width -= 1
    return width


def _count_header_rows(section: Sequence[Row], width: int, header: bool | None, known: Collection[str]) -> int:
    """The number of header rows: 0, 1, or more where the rows below are unlike the table."""
    if header is False:
        return 0
    rows = [row.cells for row in section]
    if names_known_columns(rows[0], known):
        return 1
    if header is None and not is_header(rows[0], [cells for cells in rows[1:] if len(cells) == width]):
        return 0
    count = 1
    while count < min(MAX_HEADER_ROWS, len(rows) - MIN_ROWS_BELOW) and _is_second_header(rows, count, width):
        count += 1
    if 1 < count < len(rows) - MIN_ROWS_BELOW and _names_the_nameless(rows[:count], rows[count]):
        count += 1
    return count


def _names_the_nameless(headers: Sequence[Sequence[str]], cells: Sequence[str]) -> bool:
    """Whether a row below several header rows has words exactly where these have no names, as pandas names an index."""
    nameless = [not any(cell.strip() for cell in column) for column in zip(*headers, strict=False)]
    words = [shape(cell) == WORDS for cell in cells]
    return (
        words == nameless
        and any(words)
        and all(each or not cell.strip() for each, cell in zip(words, cells, strict=True))
    )


def _is_second_header(rows: Sequence[Sequence[str]], index: int, width: int) -> bool:
    """Whether a row below the header has words over columns of numbers, no number there, and no cell that recurs."""
    cells, below = rows[index], [row for row in rows[index + 1 :] if len(row) == width]
    if len(cells) > width or not _may_head_numbers(cells, below):
        return False
    shapes = ColumnShapes(below, width)
    if not shapes.looks_like_header(cells):
        return False
    is_like_data = any(shape(cell) == NUMBER and shapes.is_number(column) for column, cell in enumerate(cells))
    recurs = any(
        cell.strip() and any(row[column].strip() == cell.strip() for row in below) for column, cell in enumerate(cells)
    )
    return not is_like_data and not recurs


def _may_head_numbers(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a cell that is no number stands over a column of numbers; looking at all columns takes longer."""
    others = [column for column, cell in enumerate(cells) if shape(cell) not in (NUMBER, EMPTY)]
    shapes = ColumnShapes(([row[column] for column in others] for row in below), len(others))
    return any(map(shapes.is_number, range(len(others))))
