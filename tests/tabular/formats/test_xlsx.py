"""Spreadsheets: values of one sheet with their types, titles above the table, damaged and hostile files."""

import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from backpropd.errors import EmptyDataset, NotATable, TableTooLarge
from backpropd.tabular import ReadOptions, TableLimits
from tests.tabular.formats.reading import codes, kinds, read

DATE = dt.datetime(2024, 2, 29)
Rows = list[list[Any]]


def workbook(*sheets: tuple[str, Rows], hidden: tuple[str, ...] = ()) -> bytes:
    """A workbook of these sheets; None is a cell without a value, and strings that begin with `=` are formulas."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for n, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if cell is not None:
                        sheet.write(n, column, cell)
    return out.getvalue()


def changed(data: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """The workbook with one part changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, change(text.decode()) if name == part else text)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
TABLE: Rows = [
    ["n", "word", "day", "big", "flag", "share"],
    [1, "x", DATE, 2.5, True, 0.425],
    [3, " y ", DATE + dt.timedelta(hours=30), 1e300, False, None],
    [None, "x", DATE, -1, True, 1],
]


def test_values_keep_their_types(tmp_path: Path) -> None:
    table, rows = read(tmp_path, workbook(("data", TABLE)))
    assert (table.format, table.dialect, table.rows) == ("xlsx", None, 3)
    expected = {"n": "number", "word": "category", "day": "date", "big": "number", "flag": "boolean", "share": "number"}
    assert kinds(table) == expected
    assert [row["n"] for row in rows] == [1, 3, None]
    assert [row["word"] for row in rows] == ["x", "y", "x"]
    assert str(rows[1]["day"]).startswith("2024-03-01")


def test_mixed_values_are_kept_as_they_are_written(tmp_path: Path) -> None:
    rows: Rows = [["code", "n"], *([["A1", 1], [3, 2], [2.5, 3], [True, 4]] * 3)]
    _, found = read(tmp_path, workbook(("data", rows)))
    assert [row["code"] for row in found[:4]] == ["A1", "3", "2.5", "true"]


def test_titles_blank_rows_and_empty_columns_are_no_part_of_the_table(tmp_path: Path) -> None:
    rows: Rows = [["Sales of the year"], [], *TABLE[:1], *TABLE[1:] * 4, [], []]
    table, found = read(tmp_path, workbook(("data", [[*row, None, None] for row in rows])))
    assert (table.rows, len(table.columns)) == (12, 6)
    assert found[0]["word"] == "x"


def test_duplicate_names_get_numbers(tmp_path: Path) -> None:
    rows: Rows = [["age", "age", None], *[[n, n + 1, "x"] for n in range(5)]]
    assert [column.name for column in read(tmp_path, workbook(("data", rows)))[0].columns][:2] == ["age", "age_2"]


def test_the_first_visible_sheet_with_cells_is_read_unless_one_is_named(tmp_path: Path) -> None:
    sheets = (("empty", []), ("hidden", [["h", "i"], [1, 2]]), ("data", TABLE), ("more", [["m", "o"], [7, 8], [9, 9]]))
    data = workbook(*sheets, hidden=("hidden",))
    assert read(tmp_path, data)[0].columns[0].name == "n"
    assert read(tmp_path, data, ReadOptions(sheet="more"))[1] == [{"m": 7, "o": 8}, {"m": 9, "o": 9}]
    with pytest.raises(NotATable, match="no sheet 'nope'; the sheets are: 'empty', 'hidden', 'data', 'more'"):
        read(tmp_path, data, ReadOptions(sheet="nope"))


def test_formulas_give_their_stored_values(tmp_path: Path) -> None:
    data = workbook(("data", [["a", "twice"], [1, "=2*A2"], [2, "=2*A3"]]))
    computed = changed(data, SHEET, lambda text: text.replace("</f><v>0</v>", "</f><v>4</v>"))
    assert [row["twice"] for row in read(tmp_path, computed)[1]] == [4, 4]
    uncomputed = changed(data, SHEET, lambda text: text.replace("</f><v>0</v>", "</f>"))
    table, _ = read(tmp_path, uncomputed)
    assert ("formulas_without_value", None) in codes(table)
    assert table.columns[1].missing == 2


def test_kinds_keep_cells_as_strings(tmp_path: Path) -> None:
    data = workbook(("data", [["zip", "n"], [2134, 1], [10115, 2]]))
    assert [row["zip"] for row in read(tmp_path, data, ReadOptions(kinds={"zip": "text"}))[1]] == ["2134", "10115"]


def test_a_workbook_without_cells_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataset, match="the sheets are empty: 'a', 'b'"):
        read(tmp_path, workbook(("a", []), ("b", [])))


def test_a_cell_far_away_is_named(tmp_path: Path) -> None:
    far = changed(workbook(("data", TABLE)), SHEET, lambda text: text.replace('r="F4"', 'r="XFD1048576"'))
    with pytest.raises(NotATable, match="reaches to column XFD and row 1048576"):
        read(tmp_path, far)


def test_a_workbook_is_unpacked_up_to_the_limit_only(tmp_path: Path) -> None:
    bomb = changed(workbook(("data", TABLE)), SHEET, lambda text: text + " " * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(TableTooLarge, match="more than 1000000 bytes when unpacked"):
        read(tmp_path, bomb, limits=TableLimits(upload_bytes=1_000_000))


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("<worksheet", f"{ENTITIES}<worksheet", 1), "XML entities"),
        (lambda text: text[: len(text) // 2], "damaged|empty"),
        (lambda text: text.replace("<v>0</v>", "<v>99999999</v>"), "damaged"),
        (
            lambda text: re.sub('r="[A-Z]+[0-9]+"', 'r="A99999999999999999999"', text),
            "a cell outside of what a sheet has",
        ),
        (lambda _: "", "damaged|empty"),
    ],
)
def test_a_damaged_sheet_is_refused(tmp_path: Path, change: Callable[[str], str], message: str) -> None:
    with pytest.raises((NotATable, EmptyDataset), match=message):
        read(tmp_path, changed(workbook(("data", TABLE)), SHEET, change))


def test_a_workbook_that_declares_more_strings_than_it_has_is_refused(tmp_path: Path) -> None:
    def declare(text: str) -> str:
        declared, found = re.subn('uniqueCount="[0-9]+"', 'uniqueCount="4000000000"', text)
        assert found == 1
        return declared

    with pytest.raises(NotATable, match="declares 4000000000 strings and has fewer"):
        read(tmp_path, changed(workbook(("data", TABLE)), "xl/sharedStrings.xml", declare))


def test_a_cut_off_workbook_is_refused(tmp_path: Path) -> None:
    data = workbook(("data", TABLE))
    for end in (100, len(data) // 2, len(data) - 10):
        with pytest.raises(NotATable, match="zip archive that is damaged"):
            read(tmp_path, data[:end])


@pytest.mark.parametrize("cover", [[["Report of 2024"]], [["Report"], ["by the office"], [], ["for all"]]])
def test_a_cover_sheet_is_passed_over_and_other_sheets_are_named(tmp_path: Path, cover: Rows) -> None:
    data = workbook(("cover", cover), ("data", TABLE), ("empty", []), ("more", [["m", "o"], [7, 8]]))
    table, _ = read(tmp_path, data)
    assert table.columns[0].name == "n"
    told = next(each for each in table.warnings if each.code == "sheets_left_out")
    assert (told.count, told.detail.endswith(": 'cover', 'more'")) == (2, True)
    assert "sheets_left_out" not in [code for code, _ in codes(read(tmp_path, data, ReadOptions(sheet="data"))[0])]


@pytest.mark.parametrize(
    ("below", "skipped"),
    [
        ([["Source: the office of statistics"]], 1),
        ([[], ["* preliminary"], ["compiled by hand"]], 2),
        ([[], [None, "compiled by hand"]], 1),
        ([[], ["further"], ["other", "t"], [1, 2]], 3),
        ([[" ", "", " "], ["", " "], [" "]], 0),
    ],
)
def test_notes_and_blank_rows_below_a_table_are_no_rows(tmp_path: Path, below: Rows, skipped: int) -> None:
    table, _ = read(tmp_path, workbook(("data", [["x", "y", "z"], *([n, n * 2.5, n % 3] for n in range(12)), *below])))
    assert (table.rows, {*kinds(table).values()}) == (12, {"number"})
    assert sum(each.count for each in table.warnings if each.code == "lines_skipped") == skipped


def test_empty_last_cells_of_a_sheet_are_no_short_rows(tmp_path: Path) -> None:
    table, _ = read(tmp_path, workbook(("data", [["x", "y", "z"], *([n, n * 2.5, None] for n in range(12))])))
    assert (table.rows, "short_rows" in [code for code, _ in codes(table)]) == (12, False)


def test_a_cell_that_is_merged_over_rows_has_its_value_in_each_of_them(tmp_path: Path) -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("B2:D3", "Sales of the year")
        sheet.merge_range("B5:B6", "town")
        sheet.merge_range("C5:D5", 2023)
        sheet.merge_range("E5:F5", 2024)
        sheet.write_row("C6", ["men", "women", "men", "women"])
        for row, town in ((6, "Bath"), (9, "York")):
            sheet.merge_range(row, 1, row + 2, 1, town)
            for n in range(3):
                sheet.write_row(row + n, 2, [n, row + n, n % 2, 7])
    table, rows = read(tmp_path, out.getvalue())
    assert [column.name for column in table.columns] == [
        "town", "2023 men", "2023 women", "2024 men", "2024 women",
    ]  # fmt: skip
    assert [row["town"] for row in rows] == ["Bath"] * 3 + ["York"] * 3
    assert ("merged_cells", 6) in [(each.code, each.count) for each in table.warnings]
