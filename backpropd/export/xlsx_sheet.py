"""A sheet of a workbook that is written, and references to its cells."""

import math
import re
from typing import Any

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from backpropd import errors

MOST_COLUMNS, MOST_ROWS, MOST_CHARACTERS = 16_384, 1_048_576, 32_767
"""The limits of a sheet in Excel, and of the text of a cell in UTF-16 code units."""
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")  # not in XML; the writer escapes them in texts alone

Value = float | str
"""What a formula results in. NaN is the empty text, which stands for a missing value."""


class _PlainWorksheet(Worksheet):
    """Writes formulas as they are: the writer searches each thirty times for functions that none here has."""

    def _prepare_formula(self, formula: str, *_: Any, **__: Any) -> str:
        return formula.removeprefix("=")


class Sheet:
    """A sheet of this name. Rows and columns count from 0."""

    def __init__(self, workbook: Workbook, name: str) -> None:
        self.workbook, self.name = workbook, name
        self._sheet: Any = workbook.add_worksheet(name, _PlainWorksheet)

    def text(self, row: int, column: int, text: str, style: Format | None = None) -> None:
        """A text, which stays one if it begins like a formula. Raises `errors.Invalid` where it is too long."""
        if len(text) > MOST_CHARACTERS // 2 and len(text.encode("utf-16-le")) // 2 > MOST_CHARACTERS:
            detail = f"a cell of a spreadsheet has at most {MOST_CHARACTERS} characters, and a name or level has more"
            raise errors.Invalid(f"{detail}: request another format", pointer="/format")
        self._sheet.write_string(row, column, text, style)

    def number(self, row: int, column: int, number: float, style: Format | None = None) -> None:
        """A finite number. Raises `errors.Invalid` for another."""
        if not math.isfinite(number):
            detail = f"a spreadsheet holds finite numbers alone, and {xl_rowcol_to_cell(row, column)} of {self.name!r}"
            raise errors.Invalid(f"{detail} would be {number}: request safetensors or npz", pointer="/format")
        self._sheet.write_number(row, column, number, style)

    def blank(self, row: int, column: int, style: Format) -> None:
        """An empty cell that has a format."""
        self._sheet.write_blank(row, column, None, style)

    def formula(self, row: int, column: int, formula: str, value: Value) -> None:
        """A formula with its stored result, which programs show that do not compute."""
        unwritable = CONTROL.search(value) if isinstance(value, str) else not math.isfinite(value)
        on_this_sheet = formula.replace(f"'{self.name}'!", "")
        self._sheet.write_formula(row, column, f"={on_this_sheet}", None, "" if unwritable else value)

    def freeze(self, row: int, column: int) -> None:
        """Keep the rows above and the columns before this cell in view."""
        self._sheet.freeze_panes(row, column)

    def widen(self, first: int, last: int, characters: float) -> None:
        """Set the width of these columns."""
        self._sheet.set_column(first, last, characters)

    def cell(self, row: int, column: int) -> str:
        """A reference to a cell, for formulas of any sheet."""
        return f"'{self.name}'!{xl_rowcol_to_cell(row, column, row_abs=True, col_abs=True)}"

    def range(self, row: int, column: int, last_row: int, last_column: int) -> str:
        """A reference to a rectangle, both corners included."""
        last = xl_rowcol_to_cell(last_row, last_column, row_abs=True, col_abs=True)
        return f"{self.cell(row, column)}:{last}"


class Styles:
    """The formats of cells."""

    def __init__(self, workbook: Workbook) -> None:
        # a text that is edited stays a text
        self.title: Format = workbook.add_format({"bold": True})
        self.head: Format = workbook.add_format({"bold": True, "quote_prefix": True, "bottom": 1})
        self.word: Format = workbook.add_format({"quote_prefix": True})
        changed = {"bg_color": "#FFF2CC", "border": 1, "border_color": "#D9D9D9"}
        self.inputs: dict[str, Format] = {
            kind: workbook.add_format({**changed, "num_format": form})
            for kind, form in (
                ("number", "General"),
                ("words", "@"),
                ("date", "yyyy-mm-dd hh:mm:ss"),
                ("time", "hh:mm:ss"),
            )
        }
