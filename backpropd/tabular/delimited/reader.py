"""The reader of CSV and TSV: blocks of columns, float64 where every cell is a plain number, strings elsewhere.

Arrow reads a clean file. Any other is read row by row in Python, which takes several times as long. Blocks are
converted in parallel. Either way an independent count must agree with what was read.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.errors import NotATable
from backpropd.tabular.columns import KEPT_AS_TEXT, MISSING_VALUES
from backpropd.tabular.delimited.arrow_stream import WIDE, stream_tasks
from backpropd.tabular.delimited.byte_scan import Scan, count_lines, scan
from backpropd.tabular.delimited.dialect import Dialect
from backpropd.tabular.delimited.line_findings import LineFindings
from backpropd.tabular.delimited.plain_chunks import NotPlain, PlainChunks
from backpropd.tabular.delimited.sniff import sniff
from backpropd.tabular.delimited.text_file import END_OF_FILE
from backpropd.tabular.delimited.tolerant_rows import TolerantRows, is_note
from backpropd.tabular.lossless_numbers import parse_numbers
from backpropd.tabular.read_again import ReadAgain
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.threads import are_threads_allowed
from backpropd.tabular.warnings import WarningLog

THREADS = 2
READ_AHEAD = 2  # blocks
BLOCK_CHARACTERS = 256 * 1024  # of a file read in Python
FIRST_BLOCK_CHARACTERS = 64 * 1024
LAST_BYTES = 8 * 1024  # of a file, which show whether it ends with notes
TOTAL = re.compile(
    r"\s*((grand|sub)[ -]?)?(totals?|sum|summe|gesamt|insgesamt|average|mean|overall)\b.*", re.IGNORECASE
)
EXCEL_TEXT = '^="([^"]*)"$'
MIN_ROWS_OF_TOTAL = 3

Columns = list[pa.Array]
Item = TypeVar("Item")


def open_delimited(
    path: Path, options: ReadOptions, max_columns: int, *, declared: str | None = None
) -> DelimitedReader:
    """Open a CSV or TSV file; the delimiter is detected unless the options or the `declared` format give it.

    Raises `NotATable`, `TableTooLarge` for too many columns, and `EmptyDataset` for an empty file.
    """
    log = WarningLog()
    dialect, findings = sniff(path, options, declared, max_columns, log)
    reader = DelimitedReader(dialect, options, log, findings)
    reader.guess_text_columns()
    return reader


class DelimitedReader:
    """Iterates over the blocks of a file. A column found to hold words joins `text_columns` and stays text."""

    def __init__(self, dialect: Dialect, options: ReadOptions, log: WarningLog, findings: LineFindings) -> None:
        self._dialect, self._findings_before, self._findings = dialect, findings, findings  # before the table, and all
        self._missing = list({"", *(MISSING_VALUES if options.missing is None else options.missing)})
        self._plain = PlainChunks(dialect, self._missing) if _may_be_plain(dialect) else None
        self._scan = Scan(clean=False) if self._plain else _scan(dialect)
        self._line_numbers = self._scan.line_numbers
        self._reported = False
        self._excel_texts: set[str] = set()
        self.format = "tsv" if dialect.syntax.delimiter == "\t" else "csv"
        self.names: Sequence[str] = dialect.names
        self.dialect: Mapping[str, Any] | None = dialect.to_json() | {
            "decimal": options.decimal or ".",
            "thousands": options.thousands,
        }
        self.warnings = log
        is_other_notation = options.decimal not in (None, ".") or options.thousands == "."
        kept = {name for name, kind in options.kinds.items() if kind in KEPT_AS_TEXT}
        self.text_columns: set[str] = set(self.names) if is_other_notation else kept.intersection(self.names)
        self.date_columns: frozenset[str] = frozenset()

    def line_of(self, row: int) -> int:
        """See `TableReader`."""
        if self._plain:
            return self._dialect.first_line + row
        offset = self._dialect.first_line if self._scan.clean else 0
        return offset + self._line_numbers.line_of(row)

    def may_be_numbers(self, column: int) -> bool:
        """Whether most cells of a column are numbers in the first rows."""
        return self._dialect.shapes.is_number(column)

    def guess_text_columns(self) -> None:
        """Find `text_columns` in the first block. Raises `NotATable`."""
        try:
            with closing(self._tasks()) as tasks:
                next(tasks, list)()
        except NotPlain:
            self._scan_rows()
            self.guess_text_columns()

    def _scan_rows(self) -> None:
        """Give up the way of reading that only plain files allow."""
        self._plain, self._scan = None, _scan(self._dialect)
        self._line_numbers = self._scan.line_numbers

    def __iter__(self) -> Generator[Columns, None, None]:
        """The columns of each block. Raises `ReadAgain`, and `NotATable`, which names the line."""
        rows, last, known = 0, None, set(self.text_columns)
        try:
            with closing(self._tasks()) as tasks, closing(_in_parallel(tasks)) as blocks:
                for columns in blocks:
                    rows += len(columns[0])
                    last = columns if len(columns[0]) else last
                    yield columns
        except NotPlain as error:
            self.text_columns.intersection_update(known)  # other chunks behind this one may have been read
            self._excel_texts.clear()
            self._scan_rows()
            raise ReadAgain from error
        if self._scan.clean and rows != self._scan.rows:
            raise _count_error("rows", rows, self._scan.rows)
        if not self._reported:
            self._reported = True
            self._findings.report(self.warnings)
            for name in sorted(self._excel_texts):
                self.warnings.add("excel_text", name, 'cells such as ="0012" hold the text within the quotes')
            if last is not None:
                self._warn_of_total(last, rows)
                self._warn_of_empty_rows(last, rows)

    def _tasks(self) -> Generator[Callable[[], Columns], None, None]:
        """A function for each block, which reads it."""
        if self._plain:
            batches = self._plain.tasks(self._number_columns)
        elif self._scan.clean:
            batches = stream_tasks(self._dialect)
        else:
            batches = (partial(self._batch, block) for block in self._tolerant_blocks())
        with closing(batches):
            yield from (partial(self._read, batch) for batch in batches)

    def _number_columns(self) -> list[str]:
        return [name for name in self.names if name not in self.text_columns]

    def _tolerant_blocks(self) -> Iterator[list[list[str]]]:
        """Blocks of rows. Raises `NotATable` if the lines that they account for are not all lines of the file."""
        rows = TolerantRows(self._dialect, self._findings_before.copy())
        block: list[list[str]] = []
        characters, limit = 0, FIRST_BLOCK_CHARACTERS
        for row in rows:
            block.append(row)
            characters += sum(map(len, row)) + len(row)
            if characters > limit:
                yield block
                block, characters, limit = [], 0, BLOCK_CHARACTERS
        if block:
            yield block
        lines = count_lines(self._dialect.text) - self._dialect.first_line + 1
        if rows.lines != lines:
            raise _count_error("lines", rows.lines, lines)
        if not self._reported:
            self._line_numbers = rows.line_numbers
            self._findings = rows.findings

    def _batch(self, block: list[list[str]]) -> pa.RecordBatch:
        columns = [pa.array(cells, pa.string()) for cells in zip(*block, strict=True)]
        return pa.RecordBatch.from_arrays(columns, list(self.names))

    def _read(self, task: Callable[[], pa.RecordBatch]) -> Columns:
        """Read a block, trim its strings, and convert them to numbers by the exact rule except in text columns."""
        batch = task()
        columns = dict(zip(self.names, batch.columns, strict=True))
        self._tidy(columns)
        names = [name for name in self._number_columns() if columns[name].type == pa.string()]
        # all columns at once first: it usually succeeds
        joined = self._numbers(_joined(columns, names)) if names else None
        rows = batch.num_rows
        for index, name in enumerate(names):
            numbers = self._numbers(columns[name]) if joined is None else joined.slice(index * rows, rows)
            if numbers is None:
                self.text_columns.add(name)
            else:
                columns[name] = numbers
        return list(columns.values())

    def _tidy(self, columns: dict[str, pa.Array]) -> None:
        """Trim the strings, and take the signs of a text in Excel from them; numbers stay as they are."""
        names = [name for name, cells in columns.items() if cells.type == pa.string()]
        if not names:
            return
        trimmed = _trimmed(_joined(columns, names))
        rows = len(columns[names[0]])
        columns.update({name: trimmed.slice(index * rows, rows) for index, name in enumerate(names)})
        if pc.any(pc.starts_with(trimmed, '="')).as_py():
            for name in names:
                if pc.any(pc.starts_with(columns[name], '="')).as_py():
                    self._excel_texts.add(name)
                    columns[name] = _trimmed(pc.replace_substring_regex(columns[name], EXCEL_TEXT, r"\1"))

    def _numbers(self, cells: pa.StringArray) -> pa.DoubleArray | None:
        is_missing = pc.is_in(cells, pa.array(self._missing))
        return parse_numbers(pc.if_else(is_missing, None, cells) if pc.any(is_missing).as_py() else cells)

    def _warn_of_empty_rows(self, last: Columns, rows: int) -> None:
        """Warn of last rows without values, as spreadsheets write them; those in the last block are counted."""
        if any(column[-1].is_valid for column in last):
            return
        filled = [pc.indices_nonzero(column.is_valid()) for column in last]
        count = len(last[0]) - 1 - max((found[-1].as_py() for found in filled if len(found)), default=-1)
        detail = "the last rows have no values; they were kept as rows: delete them if they are none"
        self.warnings.add("empty_rows", None, detail, [(self.line_of(rows - count), "")], count)

    def _warn_of_total(self, last: Columns, rows: int) -> None:
        """Warn of a last row that looks like the sum of the others."""
        cells = [column[-1].as_py() for column in last if column.type == pa.string()]
        total = next((cell for cell in cells if cell and TOTAL.fullmatch(cell)), None)
        if total is not None and rows > MIN_ROWS_OF_TOTAL:
            detail = "the last row may sum up the others; it was kept as a row"
            self.warnings.add("looks_like_total", None, detail, [(self.line_of(rows - 1), total)])


def _joined(columns: Mapping[str, pa.Array], names: Sequence[str]) -> pa.Array:
    """The columns of these names one behind the other: one call for all is faster in a wide table."""
    return columns[names[0]] if len(names) == 1 else pa.concat_arrays([columns[name] for name in names])


def _trimmed(cells: pa.StringArray) -> pa.StringArray:
    """Strings without spaces around them, null where nothing is left."""
    cells = pc.utf8_trim_whitespace(cells)
    is_empty = pc.equal(cells, "")
    return pc.if_else(is_empty, None, cells) if pc.any(is_empty).as_py() else cells


def _may_be_plain(dialect: Dialect) -> bool:
    """Whether all rows may be as `PlainChunks` reads them, as far as the dialect shows."""
    return dialect.width <= WIDE and _may_be_clean(dialect)


def _may_be_clean(dialect: Dialect) -> bool:
    """Whether Arrow may be able to read the file."""
    if not dialect.syntax.is_plain or dialect.width != dialect.raw_width:
        return False
    return dialect.strict or not _ends_with_note_or_mark(dialect)


def _scan(dialect: Dialect) -> Scan:
    """The count of a file that Arrow may read; `clean` is false for any other."""
    if not _may_be_clean(dialect):
        return Scan(clean=False)
    with dialect.open_rows() as file:
        return scan(file, dialect.syntax.delimiter, dialect.syntax.quote, dialect.width, dialect.header_bytes)


def _ends_with_note_or_mark(dialect: Dialect) -> bool:
    """Whether the last line that is not blank is a note with delimiters behind it, or has the end-of-file mark."""
    with dialect.text.path.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - LAST_BYTES, 0))
        lines = file.read().decode("latin-1").rstrip(f"\r\n\t {dialect.syntax.delimiter}\0").splitlines()
    last = lines[-1] if lines else ""
    if last.endswith(END_OF_FILE):
        return True
    return dialect.width > 1 and dialect.syntax.delimiter not in last and is_note(last, alone=False)


def _count_error(what: str, read: int, counted: int) -> NotATable:
    return NotATable(
        f"{read} {what} were read of {counted} in the file, so it was not stored: save it as UTF-8 with commas, and "
        "report this"
    )


def _in_parallel(tasks: Iterable[Callable[[], Item]]) -> Generator[Item, None, None]:
    """The tasks' results in order; threads, where they are allowed, run a few tasks ahead."""
    if not are_threads_allowed():
        yield from (task() for task in tasks)
        return
    pending: deque[Future[Item]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for task in tasks:
                pending.append(pool.submit(task))
                if len(pending) > READ_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
