"""The dialect of a delimited file, and its column names, from the beginning of the file."""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.cell_shapes import NUMBER, WORDS, ColumnShapes, shape
from backpropd.tabular.column_names import column_names
from backpropd.tabular.delimited.delimiter_guess import DELIMITERS, guess_syntax
from backpropd.tabular.delimited.dialect import Dialect
from backpropd.tabular.delimited.drawn_tables import aligned_columns, are_wrapped, has_rulers, is_framed
from backpropd.tabular.delimited.layout import Layout, find_table
from backpropd.tabular.delimited.line_findings import COMMENTS_AND_RULERS, LineFindings
from backpropd.tabular.delimited.row_reader import Row, RowReader
from backpropd.tabular.delimited.syntax import RULER, Syntax, unframed, unwrapped
from backpropd.tabular.delimited.text_encoding import open_text
from backpropd.tabular.delimited.text_file import TextFile
from backpropd.tabular.header import names_known_columns
from backpropd.tabular.limits import check_columns
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.warnings import WarningLog

SAMPLE_CHARACTERS = 256 * 1024  # the line that reaches this far is read to its end
MAX_SHAPE_ROWS = 1000
MIN_REGULAR_SHARE = 0.7
SEPARATOR_LINE = re.compile(r'"?sep=(.{1,2}?)"?\s*', re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
MIN_DECIMALS = 3
COMMENTS = ("#", "%", "//")
GUESSES = (*DELIMITERS, " ", ":", "/", "_", "-")


def sniff(
    path: Path, options: ReadOptions, declared: str | None, max_columns: int, log: WarningLog
) -> tuple[Dialect, LineFindings]:
    """The dialect, from the beginning of a file, and the lines that precede the table.

    What is unusual in the header or in the text as a whole becomes a warning.

    Raises `NotATable`, `TableTooLarge` for too many columns, and `EmptyDataset` for an empty file.
    """
    text = open_text(path, options.encoding, options.strict, log)
    lines, is_whole = _sample(text)
    findings, skipped = LineFindings(), min(options.skip_lines or 0, len(lines))
    delimiter = options.delimiter
    if not options.strict and skipped < len(lines) and (found := SEPARATOR_LINE.fullmatch(lines[skipped])):
        findings.skip("name the separator", skipped + 1, lines[skipped])
        delimiter, skipped = delimiter or found[1], skipped + 1
    syntax = _syntax(lines[skipped:], delimiter, declared, options)
    shown = _with_header(lines[skipped:], syntax, options)
    reader = RowReader(shown, syntax, skipped + 1, is_cut=options.is_cut or not is_whole)
    rows = list(reader)
    faulty = next((row for row in rows if row.faulty), None)
    if options.strict and faulty:
        raise open_quote_error(faulty)
    known = options.known_kinds.keys()
    layout = find_table(rows if is_whole or len(rows) < 2 else rows[:-1], options.header, options.strict, known)
    if not layout.header and not layout.body:
        raise EmptyDataset("the file is empty: send a header and at least one row")
    columns = max(layout.raw_width, *(len(row.cells) for row in layout.header), 1)
    check_columns(columns, max_columns)
    if not layout.header or not names_known_columns(layout.header[0].cells, known):
        _check_several_columns(layout, syntax)
    for row in layout.before:
        if row.cells:
            findings.skip("before the table", row.line, row.text)
    dialect = _dialect(text, syntax, lines, layout, options, log)
    for line, comment in reader.comments:
        if line < dialect.first_line:
            findings.skip(COMMENTS_AND_RULERS, line, comment)
    return dialect, findings


def open_quote_error(row: Row) -> NotATable:
    """The error for a row with a faulty quote."""
    return NotATable(f"the row that begins at line {row.line} opens a quote that is never closed")


def _sample(text: TextFile) -> tuple[list[str], bool]:
    """The first lines of a file, and whether they are all."""
    lines: list[str] = []
    characters = 0
    for line in text.lines():
        if characters >= SAMPLE_CHARACTERS:
            return lines, False
        lines.append(line)
        characters += len(line)
    return lines, True


def _syntax(lines: Sequence[str], delimiter: str | None, declared: str | None, options: ReadOptions) -> Syntax:
    """The syntax of the lines, which may be drawn with rulers, a frame or aligned columns, or be in quotes."""
    if options.strict:
        return _undrawn_syntax(lines, delimiter, declared, options)
    rulers = has_rulers(lines)
    if rulers:
        lines = [line for line in lines if not RULER.fullmatch(line.strip())]
    wrapped = options.quote in (None, '"') and are_wrapped(lines)
    if wrapped:
        lines = [unwrapped(line) for line in lines]
    framed = delimiter in (None, "|") and is_framed(lines)
    if framed:
        lines, delimiter = [unframed(line) for line in lines], "|"
    syntax = replace(
        _undrawn_syntax(lines, delimiter, declared, options), rulers=rulers, framed=framed, wrapped=wrapped
    )
    if rulers and syntax.delimiter == "|" and any("\\|" in line for line in lines):
        syntax = replace(syntax, escape="\\")  # Markdown
    is_certain = delimiter or wrapped or syntax.delimiter == "\t"
    if is_certain or not (edges := aligned_columns(lines)) or _is_regular(lines, syntax):
        return syntax
    return replace(syntax, delimiter="  ", quote="", escape="", edges=edges)


def _is_regular(lines: Sequence[str], syntax: Syntax) -> bool:
    """Whether the lines have several cells, as many in all, or where no spaces separate them, in most."""
    widths = [len(row.cells) for row in RowReader(lines, syntax) if row.cells]
    several = [width for width in widths if width > 1]
    if len(several) * 2 < max(len(widths), 1):
        return False
    width, count = Counter(several).most_common(1)[0]
    if syntax.delimiter.isspace() and syntax.delimiter != "\t":
        return count == len(widths)
    return width == several[0] or count >= MIN_REGULAR_SHARE * len(several)


def _with_header(lines: list[str], syntax: Syntax, options: ReadOptions) -> list[str]:
    """The lines; the last comment above the table without its sign, if it names the columns."""
    comments = list(itertools.takewhile(lambda line: line.startswith(syntax.comment), lines)) if syntax.comment else []
    if not comments or options.strict or options.header is False or options.comment:
        return lines
    at, sign = len(comments) - 1, len(comments[-1]) - len(comments[-1].lstrip(syntax.comment))
    header = " " * sign + comments[-1][sign:]
    rows = [row.cells for row in RowReader([header, *lines[at + 1 :]], syntax) if row.cells][:MAX_SHAPE_ROWS]
    names, first = (*rows, [], [])[:2]
    shapes = ColumnShapes(rows[1:], len(names))
    if len(names) != len(first) or not shapes.looks_like_header(names) or shapes.looks_like_header(first):
        return lines
    return [*lines[:at], header, *lines[at + 1 :]]


def _undrawn_syntax(lines: Sequence[str], delimiter: str | None, declared: str | None, options: ReadOptions) -> Syntax:
    """The syntax given by the options, else that of the declared format if it fits, else the most regular one."""
    comment = options.comment or ("" if options.strict else _comment(lines))
    if delimiter is None and (absent := _absent_delimiter(lines, options.known_kinds)):
        return Syntax(absent, '"' if options.quote is None else options.quote, "", comment)
    if delimiter is None and declared is not None:
        syntax = guess_syntax(lines, declared, options.quote, comment)
        if any(len(row.cells) > 1 for row in RowReader(lines, syntax)):
            return syntax
    return guess_syntax(lines, delimiter, options.quote, comment)


def _absent_delimiter(lines: Sequence[str], known: Collection[str]) -> str | None:
    """A delimiter that does not occur, if there is only one column.

    Then the first filled line is the name of a known column, or words above numbers with decimal commas.
    """
    first, *others = [line.strip() for line in lines if line.strip()] or [""]
    is_name = shape(first) == WORDS and "," not in first and not first.startswith(COMMENTS)
    are_decimals = is_name and len(others) >= MIN_DECIMALS and all(map(DECIMAL_COMMA.fullmatch, others))
    is_known = first in known or (first[:1] == first[-1:] == '"' and first[1:-1] in known)
    if not (is_known or are_decimals):
        return None
    return next((each for each in DELIMITERS if not any(each in line for line in lines)), None)


def _comment(lines: Sequence[str]) -> str:
    """What begins comments: the sign of the first line, if others with it are the minority, and it is no header."""
    filled = [line.strip() for line in lines if line.strip()]
    for sign in COMMENTS:
        marked = [line for line in filled if line.startswith(sign)]
        if not marked or len(marked) * 2 > len(filled):
            continue
        others = [line for line in filled if not line.startswith(sign)]
        syntax = guess_syntax([line + "\n" for line in others], None, None, "")
        widths = [len(row.cells) for row in RowReader([line + "\n" for line in marked], syntax)]
        usual = len(next(iter(RowReader([others[-1]], syntax))).cells)
        are_above = len(marked) > 1 and filled[: len(marked)] == marked
        if are_above or all(width != usual for width in widths):
            return sign
    return ""


def _check_several_columns(layout: Layout, syntax: Syntax) -> None:
    """Raise `NotATable` for a single column of text, with a guess of the delimiter."""
    cells = [row.cells[0] for row in layout.body if row.cells[0].strip()]
    if layout.raw_width > 1 or sum(shape(cell) == NUMBER for cell in cells) * 2 >= len(cells):
        return
    counts = {each: sum(each in cell for cell in cells) for each in GUESSES if each != syntax.delimiter}
    guess = max(counts, key=lambda each: counts[each])
    hint = f"; is {guess!r} the delimiter?" if counts[guess] * 2 > len(cells) else ""
    raise NotATable(
        f"the file has a single column of text, from which nothing can be learned{hint}: name the delimiter"
    )


def _dialect(
    text: TextFile, syntax: Syntax, lines: Sequence[str], layout: Layout, options: ReadOptions, log: WarningLog
) -> Dialect:
    first = layout.header[0] if layout.header else layout.body[0]
    last = layout.header[-1] if layout.header else None
    first_line = last.line + last.lines if last else first.line
    first_name, *other_names = layout.name_cells
    names = column_names([first_name.removeprefix("# "), *other_names], log, first.line)
    _warn(layout, syntax, log)
    if len(lines) == 1 and layout.width > 1 and not lines[0].endswith(("\n", "\r")) and not options.known_kinds:
        detail = "the file is a single line: if it had more, send it with `curl --data-binary`; `curl -d` joins lines"
        log.add("single_line", None, detail)
    fitting = [row.cells for row in layout.body if len(row.cells) == layout.raw_width][:MAX_SHAPE_ROWS]
    start = len("".join(lines[: first_line - 1]).encode())
    header = lines[first.line - 1].encode() if layout.header else b""
    return Dialect(
        text,
        syntax,
        names,
        layout.raw_width,
        ColumnShapes(fitting, layout.width),
        first_line,
        start,
        tuple(layout.header[0].cells) if layout.header else (),
        header,
        first.line - 1,
        options.strict,
        options.is_cut,
    )


def _warn(layout: Layout, syntax: Syntax, log: WarningLog) -> None:
    """Report what is unusual in the header and in the delimiter."""
    if len(layout.header) > 1:
        more = layout.header[1:]
        detail = "more lines than the first belong to the header, as units do, and are no rows"
        log.add("header_rows", None, detail, map(_example, more), len(more))
    if layout.names_rows:
        log.add("columns_renamed", None, "the header has a name less than the rows have cells: the first is column_1")
    if syntax.wrapped:
        log.add("wrapped_lines", None, "each line is in quotes as a whole, and was read without them")
    if syntax.edges:
        log.add("aligned_columns", None, "cells are told apart by their position in the line")
    elif len(syntax.delimiter) > 1 or syntax.delimiter not in DELIMITERS:
        log.add("unusual_delimiter", None, f"cells are separated by {syntax.delimiter!r}")
    if layout.raw_width > layout.width:
        log.add("trailing_delimiters", None, "rows end with delimiters behind the last column")


def _example(row: Row) -> tuple[int, str]:
    return row.line, row.text.strip("\r\n")
