"""Which sheet of a workbook holds the table, where none is named."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import python_calamine as calamine

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular.messages import quoted

MAX_LISTED = 20
MIN_ROWS = 2  # of a table, its header included


def choose_sheet(path: Path, name: str | None) -> tuple[calamine.CalamineSheet, list[str]]:
    """The named sheet; else the first table among the visible sheets, then the hidden ones, else the first with cells.

    With it the names of the other sheets with cells, where none was named. Raises `NotATable` and `EmptyDataset`.
    """
    workbook = calamine.load_workbook(str(path))
    sheets = [each for each in workbook.sheets_metadata if each.typ == calamine.SheetTypeEnum.WorkSheet]
    names = [each.name for each in sheets]
    listed = ", ".join(map(quoted, names[:MAX_LISTED]))
    if name is not None:
        if name not in names:
            raise NotATable(f"there is no sheet {quoted(name)}; the sheets are: {listed}")
        return workbook.get_sheet_by_name(name), []
    by_rank = sorted(sheets, key=lambda each: each.visible != calamine.SheetVisibleEnum.Visible)
    chosen = _first_table(workbook, [each.name for each in by_rank])
    if chosen is None:
        raise EmptyDataset(f"the sheets are empty: {listed or 'there is none'}")
    return chosen, [each for each in names if each != chosen.name and _has_cells(workbook, each)]


def _first_table(workbook: calamine.CalamineWorkbook, names: list[str]) -> calamine.CalamineSheet | None:
    first = None
    for name in names:
        sheet = workbook.get_sheet_by_name(name)
        if sheet.height and _is_table(sheet):
            return sheet
        if sheet.height and first is None:
            first = sheet
    return first


def _has_cells(workbook: calamine.CalamineWorkbook, name: str) -> bool:
    """Whether a sheet has cells, or is damaged."""
    with suppress(calamine.CalamineError):
        return bool(workbook.get_sheet_by_name(name).height)
    return True


def _is_table(sheet: calamine.CalamineSheet) -> bool:
    """Whether rows have several cells with values, or numbers; a cover has single texts."""
    count = 0
    for row in sheet.iter_rows():
        filled = [cell for cell in row if not is_blank(cell)]
        count += len(filled) > 1 or any(type(cell) in (int, float) for cell in filled)
        if count >= MIN_ROWS:
            return True
    return False


def is_blank(cell: Any) -> bool:
    """Whether a cell shows nothing."""
    return isinstance(cell, str) and not cell.strip()
