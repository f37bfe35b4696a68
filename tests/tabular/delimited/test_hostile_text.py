"""Text whose quotes or blank lines invite a reader to look ahead again and again is read in a time like its size."""

import pytest

from backpropd.tabular.cell_shapes import EMPTY, shape
from backpropd.tabular.cells.missing import MARKERS
from backpropd.tabular.columns import MISSING_VALUES
from backpropd.tabular.delimited.layout import find_table
from backpropd.tabular.delimited.row_reader import Row, RowReader, split_line
from backpropd.tabular.delimited.syntax import Syntax

COMMA = Syntax(",")


def test_a_line_of_quotes_that_are_never_closed_is_split_at_each_delimiter() -> None:
    cells, faulty = split_line('"a,' * 200_000, COMMA)
    assert (cells[:2], len(cells), faulty) == (["a", "a"], 200_001, True)


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('"a,b",c', ["a,b", "c"]),
        ('"a"b,c",d', ['a"b,c', "d"]),
        ('"a""b"",c,d', ['a""b""', "c", "d"]),
        ('"""a""",b', ['"a"', "b"]),
        ('"""",b', ['"', "b"]),
        ('"" , "a" ,b"', ["", "a", 'b"']),
    ],
)
def test_a_quote_closes_a_cell_before_a_delimiter_unless_it_is_doubled(line: str, cells: list[str]) -> None:
    assert split_line(line, COMMA)[0] == cells


def test_rows_that_each_continue_to_the_end_are_read_line_by_line() -> None:
    rows = list(RowReader(['a","""\n'] * 40_000, COMMA))
    assert len(rows) == 40_000
    assert all(row.faulty for row in rows)


def test_a_faulty_quote_does_not_break_cells_of_several_lines_behind_it() -> None:
    lines = ['"5 inch,1\n', *['"two\n', 'lines",2\n'] * 1000]
    rows = list(RowReader(lines, COMMA, width=2))
    assert len(rows) == 1001
    assert rows[-1].cells == ["two\nlines", "2"]


def test_a_table_is_found_among_many_blank_lines() -> None:
    rows = [Row(n, 1, ["a", "b"] if n % 2 else [], "a,b", False) for n in range(40_000)]
    layout = find_table(rows, None, strict=False)
    assert layout.width == 2


def test_a_row_cut_at_the_end_of_a_beginning_is_left_out() -> None:
    lines = ["a,b\n", "1,2\n", '3,"x\n', "y\n"]
    reader = RowReader(lines, COMMA, is_cut=True)
    assert [row.cells for row in reader] == [["a", "b"], ["1", "2"]]
    assert reader.cut_lines == 2
    assert len(list(RowReader(lines, COMMA))) == 4


@pytest.mark.parametrize("marker", sorted(MARKERS))
def test_every_marker_of_a_missing_value_has_an_empty_shape(marker: str) -> None:
    assert shape(marker) == shape(marker.upper()) == EMPTY


def test_the_markers_of_plain_numbers_are_among_all() -> None:
    assert {marker.lower() for marker in MISSING_VALUES} <= MARKERS
