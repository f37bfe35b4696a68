"""The rows of a text, tolerant of quotes: a quote that is not closed never swallows the lines that follow.

Python's `csv` module reads in its strict mode. A line on which it fails is split alone, by `split_line`.
"""

import csv
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from backpropd.tabular.delimited.syntax import PLACEHOLDER, Syntax
from backpropd.tabular.delimited.text_file import END_OF_FILE

MAX_ROW_CHARACTERS = 16 * 1024 * 1024
MAX_CONTINUED_CHARACTERS = 256 * 1024  # of a row on several lines
MAX_CUT_CHARACTERS = 64 * 1024  # of a row that the end of a beginning cuts; in a longer one a quote is faulty
MAX_REREADINGS = 2  # of a text, on average, to find where its quotes end


class Row(NamedTuple):
    """The cells of a row, the line on which it begins, its number of lines, its (first) line, and whether it has a
    faulty quote.
    """

    line: int
    lines: int
    cells: list[str]
    text: str
    faulty: bool


class RowReader:
    """Iterates over the rows of lines; a blank line is a row without cells, a comment or a ruler is none.

    `comments` holds the numbers and texts of the first lines left out as comments, `comment_count` their number.
    `width`, if known, decides between readings. With `is_cut` more lines follow: a row whose quote is open at the end
    is left out, and `cut_lines` counts its lines.
    """

    def __init__(
        self,
        lines: Iterable[str],
        syntax: Syntax,
        first_line: int = 1,
        width: int | None = None,
        *,
        is_cut: bool = False,
    ) -> None:
        self._feed = _Feed(iter(lines), _for_csv(syntax))
        self._syntax, self._line, self._width, self._is_cut = syntax, first_line, width, is_cut
        self.cut_lines = 0
        self.comments: list[tuple[int, str]] = []
        self.comment_count = 0

    def __iter__(self) -> Iterator[Row]:
        feed = self._feed
        blank = END_OF_FILE + ("\r\n" if self._width == 1 else " \t\r\n")
        reader = self._new_reader()
        while True:
            feed.taken.clear()
            try:
                cells, faulty = next(reader), False
            except StopIteration:
                return
            except (csv.Error, _RowTooLong):
                if self._is_cut and feed.is_at_end:
                    self.cut_lines = len(feed.taken)
                    return
                cells, faulty = [], True
            first, lines = feed.taken[0], len(feed.taken)
            is_comment = self._syntax.leaves_out(first)
            if faulty or (lines > 1 and (is_comment or self._fits_alone(first, cells))):
                feed.push_back()
                reader = self._new_reader()
                (cells, faulty), lines = split_line(first, self._syntax), 1
            if is_comment:
                self._note_comment(first)
            else:
                yield Row(
                    self._line,
                    lines,
                    self._restored(cells) if len(cells) > 1 or first.strip(blank) else [],
                    first,
                    faulty,
                )
            self._line += lines

    def _note_comment(self, text: str) -> None:
        self.comment_count += 1
        if len(self.comments) < 10:
            self.comments.append((self._line, text))

    def _fits_alone(self, first: str, cells: list[str]) -> bool:
        """Whether a row on several lines has the wrong width, and its first line alone the right one."""
        width = self._width
        return width is not None and len(cells) != width and len(split_line(first, self._syntax)[0]) == width

    def _restored(self, cells: list[str]) -> list[str]:
        if len(self._syntax.delimiter) > 1 and any(PLACEHOLDER in cell for cell in cells):
            return [cell.replace(PLACEHOLDER, self._syntax.delimiter) for cell in cells]
        return cells

    def _new_reader(self) -> Iterator[list[str]]:
        csv.field_size_limit(MAX_ROW_CHARACTERS)
        return iter(
            csv.reader(
                self._feed,
                delimiter=self._syntax.separator,
                quotechar=self._syntax.quote or None,
                quoting=csv.QUOTE_MINIMAL if self._syntax.quote else csv.QUOTE_NONE,
                escapechar=self._syntax.escape or None,
                doublequote=True,
                skipinitialspace=self._syntax.delimiter != " " or self._syntax.runs,
                strict=True,
            )
        )


def _for_csv(syntax: Syntax) -> Callable[[str], str] | None:
    """What makes a line readable for the `csv` module, which would drop an escape before any character; None if it is.

    Only delimiters, quotes, escapes and line ends can be escaped: before others, as in C:\\temp, the escape is doubled.
    """
    prepare, escape = syntax.prepare(), re.escape(syntax.escape)
    if not escape:
        return prepare
    escaped = re.compile(f"{escape}([{re.escape(syntax.separator + syntax.quote)}{escape}\r\n]?)")
    return lambda line: escaped.sub(
        lambda found: found[0] if found[1] else syntax.escape * 2, prepare(line) if prepare else line
    )


class _RowTooLong(Exception):
    """A row on several lines does not end."""


class _Feed:
    """Lines for the `csv` module; those of the current row can be pushed back except the first."""

    def __init__(self, lines: Iterator[str], prepare: Callable[[str], str] | None) -> None:
        self._lines, self._prepare = lines, prepare
        self._pushed: list[str] = []  # last first
        self._characters = 0  # of the current row, behind its first line
        self._has_ended = False
        self._rereadable = 4 * MAX_CONTINUED_CHARACTERS
        self.taken: list[str] = []

    def _next_line(self) -> str:
        try:
            return next(self._lines)
        except StopIteration:
            self._has_ended = True
            raise

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if self._pushed:
            line = self._pushed.pop()
        else:
            line = self._next_line()
            self._rereadable += MAX_REREADINGS * len(line)
        if self.taken:
            if self._characters + len(line) > min(MAX_CONTINUED_CHARACTERS, self._rereadable):
                self._pushed.append(line)
                raise _RowTooLong
            self._characters += len(line)
        else:
            self._characters = 0
        self.taken.append(line)
        return self._prepare(line) if self._prepare else line

    @property
    def is_at_end(self) -> bool:
        """Whether the current row reaches the end of the lines, and is short enough to be a row."""
        return self._has_ended and not self._pushed and self._characters <= MAX_CUT_CHARACTERS

    def push_back(self) -> None:
        """Return all lines but the first."""
        self._rereadable -= self._characters
        self._pushed.extend(reversed(self.taken[1:]))


def split_line(line: str, syntax: Syntax) -> tuple[list[str], bool]:
    """The cells of one line, and whether one has a faulty quote.

    A quote closes a cell only before a delimiter; one that is never closed is dropped.
    """
    prepare = syntax.prepare()
    text = (prepare(line) if prepare else line).rstrip("\r\n")
    separator, quote = syntax.separator, syntax.quote
    closing = _closing_quotes(text, quote, separator)
    cells: list[str] = []
    at, faulty = 0, False
    while at <= len(text):
        start = _skip_spaces(text, at) if separator != " " else at
        is_quoted = bool(quote) and text.startswith(quote, start)
        end = _closing_quote(text, start + 1, syntax, closing) if is_quoted else -1
        if end >= 0:
            inner = text[start + 1 : end].replace(quote * 2, "")
            cells.append(text[start + 1 : end].replace(quote * 2, quote))
        else:
            end = _find(text, separator, at)
            inner = quote if is_quoted and text.count(quote, start, end) % 2 else ""
            cells.append(_unquoted(text[start:end], quote) if is_quoted else text[at:end])
        faulty |= bool(quote) and quote in inner
        at = _find(text, separator, end) + 1
    return cells, faulty


def are_paired(row: Row, syntax: Syntax) -> bool:
    """Whether the faulty quotes of a row are paired within its cells: then they enclose words of a quoted cell."""
    counts = [cell.count(syntax.quote) for cell in row.cells]
    return any(counts) and not any(count % 2 for count in (row.text.count(syntax.quote), *counts))


def _skip_spaces(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    return at


def _unquoted(cell: str, quote: str) -> str:
    """A cell that begins with a quote and does not end with one, as the `csv` module reads it if quotes are paired."""
    if cell.count(quote) % 2:
        return cell.removeprefix(quote)
    return "".join(next(csv.reader([cell], quotechar=quote, delimiter=PLACEHOLDER), []))


def _find(text: str, separator: str, start: int) -> int:
    found = text.find(separator, start)
    return len(text) if found < 0 else found


def _closing_quotes(text: str, quote: str, separator: str) -> list[int]:
    """The offsets of the quotes that close a cell which begins before them: undoubled, and before a delimiter."""
    runs = re.finditer(f"(?:{re.escape(quote)})+", text) if quote else ()
    return [run.end() - 1 for run in runs if len(run[0]) % 2 and _ends_cell(text, run.end(), separator)]


def _closing_quote(text: str, start: int, syntax: Syntax, closing: Sequence[int]) -> int:
    """The offset of the quote that closes the cell whose text begins at `start`, or -1; `closing` are the line's."""
    end = start
    while text.startswith(syntax.quote, end):
        end += 1
    if (end - start) % 2 and _ends_cell(text, end, syntax.separator):
        return end - 1
    found = bisect_left(closing, end)
    return closing[found] if found < len(closing) else -1


def _ends_cell(text: str, at: int, separator: str) -> bool:
    at = _skip_spaces(text, at) if separator != " " else at
    return at >= len(text) or text.startswith(separator, at)
