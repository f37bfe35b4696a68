"""The reader of spreadsheets (XLSX): the values of one sheet, written out as text that the reader of text files takes.

So a sheet's titles, header, blank rows and footnotes are found as in a text file; a row of the sheet is a line.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import python_calamine as calamine

from backpropd.errors import NotATable
from backpropd.tabular.binary.xlsx_checks import check_workbook
from backpropd.tabular.binary.xlsx_merged import MergedRows
from backpropd.tabular.binary.xlsx_sheets import MAX_LISTED, choose_sheet, is_blank
from backpropd.tabular.columns import KEPT_AS_TEXT, MAX_WHOLE
from backpropd.tabular.delimited.reader import DelimitedReader, open_delimited
from backpropd.tabular.limits import TableLimits, check_columns
from backpropd.tabular.messages import brief, quoted
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.scratch_folder import ScratchFolder
from backpropd.tabular.warnings import WarningLog

# A backslash would be taken for the sign that escapes quotes; a code that is no character stands for it.
BACKSLASH = "\ufdd0"
IN_TEXT = str.maketrans({"\r": " ", "\n": " ", "\0": None, "\\": BACKSLASH})


def open_xlsx(path: Path, options: ReadOptions, limits: TableLimits, scratch: ScratchFolder) -> SheetReader:
    """Open the first sheet that is a table, or the one that the options name.

    Raises `NotATable`, `EmptyDataset`, `TableTooLarge`.
    """
    uncomputed = check_workbook(path, limits)
    text = scratch() / "sheet.csv"
    with _explained_errors():
        sheet, others = choose_sheet(path, options.sheet)
        check_columns(sheet.total_width, limits.columns)
        rows = MergedRows(sheet)
        _write(rows, text)
    as_text = replace(options, encoding="utf-8", delimiter=",", quote='"', sheet=None)
    reader = SheetReader(open_delimited(text, as_text, limits.columns), options)
    if others:
        listed = ", ".join(map(quoted, others[:MAX_LISTED]))
        detail = f"the sheet {quoted(sheet.name)} is read; others were left out, name one with sheet: {listed}"
        reader.warnings.add("sheets_left_out", None, detail, count=len(others))
    if rows.filled:
        detail = "cells are merged with others in rows below, and each of these rows has their value"
        reader.warnings.add("merged_cells", None, detail, count=rows.filled)
    if uncomputed:
        detail = "formulas have no stored value and are missing: open the file in a spreadsheet program and save it"
        reader.warnings.add("formulas_without_value", None, detail, count=uncomputed)
    return reader


class SheetReader:
    """A sheet as a table; see `TableReader`."""

    format = "xlsx"
    dialect: Mapping[str, Any] | None = None
    date_columns: frozenset[str] = frozenset()

    def __init__(self, text: DelimitedReader, options: ReadOptions) -> None:
        self._text = text
        self.names: Sequence[str] = text.names
        self.warnings: WarningLog = text.warnings
        self.text_columns = text.text_columns
        self.text_columns.update(
            name for name, kind in options.kinds.items() if kind in KEPT_AS_TEXT and name in text.names
        )

    def line_of(self, row: int) -> int:
        """The row of the sheet, from 1."""
        return self._text.line_of(row)

    def __iter__(self) -> Generator[list[pa.Array], None, None]:
        """The columns of each block. Raises `NotATable`."""
        for block in self._text:
            yield [_with_backslashes(each) for each in block]


def _with_backslashes(column: pa.Array) -> pa.Array:
    return pc.replace_substring(column, BACKSLASH, "\\") if column.type == pa.string() else column


def _write(rows: Iterable[list[Any]], target: Path) -> None:
    """Write the rows of a sheet as CSV, an empty line for a row without values; strings are quoted.

    At the end, rows with a first cell alone, and below a blank row those narrower than the table, are written without
    their empty last cells, as in a text file, so that notes and further tables are recognized.
    """
    with target.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        width, narrow, below_blank = 0, list[list[Any]](), False
        for row in rows:
            used = _used_width(row)
            if used < 2 or (below_blank and used < width):
                narrow.append(row)
                below_blank |= not used
            else:
                _write_rows(writer, file, [*narrow, row])
                narrow.clear()
                width, below_blank = max(width, used), False
        _write_rows(writer, file, [row[: _used_width(row)] for row in narrow] if width else narrow)


def _write_rows(writer: Any, file: TextIO, rows: Iterable[Sequence[Any]]) -> None:
    for row in rows:
        if _used_width(row):
            cells = [each if type(each) is str else _cell(each) for each in row]
            writer.writerow([each.translate(IN_TEXT) if isinstance(each, str) else each for each in cells])
        else:
            file.write("\n")


def _used_width(row: Sequence[Any]) -> int:
    """The number of cells up to the last one that shows something."""
    return next((n for n in range(len(row), 0, -1) if not is_blank(row[n - 1])), 0)


def _cell(value: Any) -> Any:
    """A value as it is written: whole numbers without decimals, dates in ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not value.is_integer():
            return value
        return int(value) if abs(value) < MAX_WHOLE else f"{value:.16e}"  # as a double that it is, not as digits
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, dt.timedelta) else value


@contextmanager
def _explained_errors() -> Iterator[None]:
    """Raise `NotATable` for the errors about a damaged workbook."""
    try:
        yield
    except calamine.PasswordError as error:
        raise NotATable("this spreadsheet has a password: save it without one") from error
    except (calamine.CalamineError, OSError) as error:
        raise NotATable(f"this spreadsheet is damaged: {brief(error)}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # calamine's errors that were not foreseen, below `Exception`
            raise
        raise NotATable("this spreadsheet is damaged, and cannot be read") from error
