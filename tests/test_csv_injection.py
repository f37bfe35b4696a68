"""Cells that a spreadsheet would run as formulas are escaped; all others are unchanged."""

import pytest

from backpropd.csv_injection import escape_cell, escape_row


@pytest.mark.parametrize(
    "cell", ["=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=1", "-", "+", "-x"]
)
def test_text_that_begins_like_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert escape_cell(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell", ["-1", "+0.5", "-1e-7", "-.5", "-3.", "-1,5", -1.5, 0, None, True, "", "a=b", "'=1", " =1"]
)
def test_numbers_and_other_text_are_unchanged(cell: object) -> None:
    assert escape_cell(cell) is cell


def test_names_of_columns_are_escaped_too() -> None:
    assert escape_row({"=a": "@b", "c": -1.0}) == {"'=a": "'@b", "c": -1.0}
