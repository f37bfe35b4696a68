"""The rows of a file that is not clean: what can be read is read, everything else is noted with its line."""

import itertools
import re
from collections.abc import Iterator, Sequence

from backpropd.errors import NotATable
from backpropd.tabular.cell_shapes import NUMBER, shape
from backpropd.tabular.delimited.dialect import Dialect
from backpropd.tabular.delimited.layout import SMALL_PART, is_sentence
from backpropd.tabular.delimited.line_findings import COMMENTS_AND_RULERS, LineFindings
from backpropd.tabular.delimited.row_fitting import Fit, fit_row, with_other_delimiter
from backpropd.tabular.delimited.row_reader import Row, RowReader, are_paired
from backpropd.tabular.delimited.sniff import open_quote_error
from backpropd.tabular.delimited.syntax import RULER
from backpropd.tabular.delimited.text_file import END_OF_FILE
from backpropd.tabular.line_numbers import LineNumbers

MAX_TAIL_ROWS = 100  # rows that may be footnotes or another table are kept until the next row shows what they are
MIN_PADDED_CELLS = 3
MOSTLY = 0.5  # of a column's cells, among which repeated headers count as words
MAX_NAME_CHARACTERS = 40  # a longer first cell that stands alone is a note
NOTE = re.compile(r"\s*([*†‡#\[(]|(source|note|quelle|fuente|fonte|anmerkung|hinweis|remark|legend)s?\b)|.*:\s", re.I)
ROW_COUNT = re.compile(
    r"\(?\d+ (rows?|records?|record\(s\)|tuples?|zeilen|lignes|filas|righe)\b.*", re.I
)  # of a database
CODES = {
    Fit.SHORT: "short_rows",
    Fit.OTHER_DELIMITER: "other_delimiter",
    Fit.SEPARATOR_MISSING: "separator_missing",
    Fit.SEPARATOR_TOO_MANY: "long_rows",
    Fit.UNFIT: "lines_left_out",
}
BYTE_ORDER_MARK = "\ufeff"  # within a file where another was appended to it
BEHIND, REPEATED = "behind the table (footnotes or another table)", "repeat the header"


class TolerantRows:
    """Iterates once over the rows of a table, each with the cells of its columns.

    It adds to `findings` what was read otherwise than it stands there; `line_numbers` says where the rows are. `lines`
    counts the lines that became rows or findings, or are blank or cut; at the end all lines from the first row's.
    """

    def __init__(self, dialect: Dialect, findings: LineFindings) -> None:
        self._dialect = dialect
        lines = itertools.islice(dialect.text.lines(), dialect.first_line - 1, None)
        self._lines = (line.removeprefix(BYTE_ORDER_MARK).removesuffix(END_OF_FILE) for line in lines)
        self._reader = RowReader(
            self._lines, dialect.syntax, dialect.first_line, dialect.raw_width, is_cut=dialect.is_cut
        )
        self._tail: list[Row] = []
        self.findings, self.line_numbers = findings, LineNumbers()
        self.lines = self.rows = 0

    def __iter__(self) -> Iterator[list[str]]:
        """Raises `NotATable` if too much is guesswork, or at the first fault if the dialect is strict."""
        width, after_blank = self._dialect.width, False
        is_exact = width == self._dialect.raw_width
        for row in self._reader:
            if not row.cells:
                after_blank = True
                self.lines += row.lines
                continue
            padded = not row.cells[-1] and self._is_padded(row)
            if is_exact and len(row.cells) == width and not (after_blank or row.faulty or self._tail or padded):
                if row.cells[0] != self._first_name or not self._repeats_header(row):
                    yield self._taken(row, row.cells)
            elif self._dialect.strict:
                yield self._taken(row, self._strict(row))
            elif self._begins_another_table(row, after_blank):
                self._skip_rest(row)
                break
            elif padded or self._may_be_behind(row, after_blank):
                self._tail.append(row)
                if len(self._tail) > MAX_TAIL_ROWS and padded:
                    yield from self._flushed()
                elif len(self._tail) > MAX_TAIL_ROWS:
                    self._skip_rest(row)
                    break
            else:
                yield from self._flushed()
                yield from self._fitted(row)
            after_blank = False
        if not any(cell.strip() for row in self._tail for cell in row.cells):
            yield from self._flushed()  # empty rows that end the table
        self._end()

    @property
    def _first_name(self) -> str:
        return self._dialect.header[0] if self._dialect.header else "\0"

    def _taken(self, row: Row, cells: list[str]) -> list[str]:
        if len(row.text) > self._dialect.max_row_bytes:
            raise long_row_error(self._dialect, row.line + row.lines - 1)
        self.lines += row.lines
        self.rows += 1
        self.line_numbers.add(row.line)
        return cells

    def _repeats_header(self, row: Row) -> bool:
        """Note a row that is the header once more, which words alone do not show."""
        shapes = self._dialect.shapes
        if tuple(row.cells) != self._dialect.header or not shapes.looks_like_header(row.cells, MOSTLY):
            return False
        self._skip(REPEATED, row)
        return True

    def _skip(self, reason: str, row: Row) -> None:
        self.findings.skip(reason, row.line, row.text, row.lines)
        self.lines += row.lines

    def _strict(self, row: Row) -> list[str]:
        """The cells of a row that fits. Raises `NotATable`."""
        if row.faulty:
            raise open_quote_error(row)
        if len(row.cells) != self._dialect.width:
            raise ragged_row_error(self._dialect, row)
        return row.cells

    def _begins_another_table(self, row: Row, after_blank: bool) -> bool:
        """Whether a row is a header of the same width, behind a blank line or a title."""
        if not (after_blank or self._tail) or len(row.cells) != self._dialect.width or not self.rows:
            return False
        numbers = sum(shape(cell) == NUMBER for cell in row.cells)
        is_header = self._dialect.shapes.looks_like_header(row.cells) and numbers * 4 <= len(row.cells)
        return is_header and tuple(row.cells) != self._dialect.header

    def _may_be_behind(self, row: Row, after_blank: bool) -> bool:
        """Whether a row may be a footnote or belong to another table, which the rows behind it decide."""
        cells, width, shapes = row.cells, self._dialect.width, self._dialect.shapes
        if width == 1:
            return False
        if after_blank and ROW_COUNT.fullmatch(row.text.strip()):
            return True
        if len(cells) in (width, self._dialect.raw_width):
            return (after_blank or bool(self._tail)) and self._is_note(row) and is_sentence(row)
        if self._tail or (len(cells) < width and self._is_note(row) and is_sentence(row)):
            return True
        if with_other_delimiter(row, width, shapes, self._dialect.syntax):
            return False
        if after_blank:
            return len(cells) == 1 or not shapes.fits(cells)
        if len(cells) == 1:
            return self._is_note(row) or not shapes.fits(cells)
        looks_other = self._is_note(row) or shapes.looks_like_header(cells)
        return len(cells) < width and looks_other and not shapes.fits(cells)

    def _is_padded(self, row: Row) -> bool:
        """Whether a row of the table's width is empty, or a note with delimiters behind it."""
        if self._dialect.strict or len(row.cells) not in (self._dialect.width, self._dialect.raw_width):
            return False
        return is_padded_note(row.cells)

    def _is_note(self, row: Row) -> bool:
        """Whether a row begins like a footnote or a title, or is a line above one."""
        is_alone = len(row.cells) == 1
        return is_note(row.cells[0], alone=is_alone) or (is_alone and bool(RULER.fullmatch(row.text.strip())))

    def _flushed(self) -> Iterator[list[str]]:
        """The rows held back in the tail, now as rows of the table: a row that fits follows them."""
        tail, self._tail = self._tail, []
        for row in tail:
            if len(row.cells) == 1 and self._is_note(row):
                self.findings.add(CODES[Fit.UNFIT], row.line, row.text)
                self.lines += row.lines
            else:
                yield from self._fitted(row)

    def _fitted(self, row: Row) -> Iterator[list[str]]:
        """The cells of a row made to fit, or none."""
        dialect, findings = self._dialect, self.findings
        if self._repeats_header(row):
            return
        cells, fit = fit_row(row, dialect.width, dialect.shapes, dialect.syntax)
        text = row.text
        if fit is not Fit.AS_IS:
            findings.add(CODES[fit], row.line, text)
        elif row.faulty:
            findings.add("faulty_quotes", row.line, text, is_clear=are_paired(row, dialect.syntax))
        elif len(row.cells) not in (dialect.width, dialect.raw_width):
            findings.add("trailing_delimiters", row.line, text)
        findings.check(self.rows, at_end=False)
        if fit is Fit.UNFIT:
            self.lines += row.lines
        else:
            yield self._taken(row, cells)

    def _skip_rest(self, row: Row) -> None:
        """Leave out this row and all that follow."""
        if row not in self._tail[-1:]:
            self._tail.append(row)
        rest = sum(each.lines for each in self._reader)
        if rest:
            self.findings.skip(BEHIND, row.line + row.lines, "", rest)
            self.lines += rest

    def _end(self) -> None:
        for row in self._tail:
            self._skip(BEHIND, row)
        self._tail.clear()
        self.lines += self._reader.cut_lines
        if self._reader.comment_count:
            self.findings.skip(COMMENTS_AND_RULERS, *self._reader.comments[0], self._reader.comment_count)
            self.lines += self._reader.comment_count
        self.findings.check(self.rows, at_end=True)
        behind = self.findings.skipped(BEHIND)
        if behind > max(SMALL_PART * self.rows, MAX_TAIL_ROWS):
            first = self._dialect.first_line
            raise NotATable(
                f"only {self.rows} of {self.rows + behind} lines are rows of the table that begins at line {first}: if "
                "the lines behind it are the table, say with skip_lines how many precede it"
            )


def is_note(first: str, *, alone: bool) -> bool:
    """Whether the first cell of a row, perhaps with no other beside it, begins like a footnote or a title."""
    first = first.strip()
    return (alone and " " in first) or bool(NOTE.match(first)) or len(first) > MAX_NAME_CHARACTERS


def is_padded_note(cells: Sequence[str]) -> bool:
    """Whether a row of at least three cells is empty, or has only a note in its first cell."""
    if len(cells) < MIN_PADDED_CELLS or any(cell.strip() for cell in cells[1:]):
        return False
    return not cells[0].strip() or is_note(cells[0], alone=False)


def ragged_row_error(dialect: Dialect, row: Row) -> NotATable:
    """The error for a row with too few or too many cells."""
    width, count = dialect.width, len(row.cells)
    return NotATable(
        f"line {row.line + row.lines - 1} has {count} cells and the other lines have {width} (the difference begins at "
        f"column {min(count, width) + 1}): fix that line, or quote cells that contain the delimiter "
        f"{dialect.syntax.delimiter!r}"
    )


def long_row_error(dialect: Dialect, line: int) -> NotATable:
    """The error for a row longer than a block, which ends at a line."""
    limit = dialect.max_row_bytes // 1024
    return NotATable(
        f"the row that ends at line {line} is longer than {limit} KiB: shorten its cells, or remove that column"
    )
