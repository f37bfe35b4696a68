"""Missing values are recognized in columns of numbers and dates, and never make a level of words disappear."""

import pyarrow as pa
import pytest

from backpropd.tabular import convert_cells
from tests.tabular.cells.conftest import Uploader

MARKERS = [
    "-", "--", "---", ".", "..", "...", "?", "*", "#N/A", "#NA", "#DIV/0!", "#REF!", "#VALUE!", "#NUM!", "#NAME?",
    "<NA>", "NaT", "NaN", "-nan", "none", "None", "NONE", "null", "Null", "NULL", "(null)", "\\N", "nil", "missing",
    "Missing", "unknown", "N/A", "n/a", "n.a.", "NA", "na", "not available",
    "n.v.", "k. A.", "sin datos", "-nan(ind)", "\u2014", "\u2013",
    "#NV", "#VALEUR!", "#\u00a1DIV/0!", "#\u0417\u041d\u0410\u0427!", "(blank)",
]  # fmt: skip


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_is_missing_in_a_column_of_numbers(upload: Uploader, marker: str) -> None:
    column = upload(["1.5", marker, "2.5", marker, marker])
    assert (column.info.kind, column.info.missing, column.codes) == ("number", 3, [])


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_is_missing_in_a_column_of_dates(upload: Uploader, marker: str) -> None:
    column = upload(["2020-01-31", marker, "2020-02-01", marker])
    assert (column.info.kind, column.info.missing, column.codes) == ("date", 2, [])


@pytest.mark.parametrize("cell", ["inf", "-Inf", "Infinity", "\u221e"])
def test_an_infinite_number_is_missing_with_a_warning(upload: Uploader, cell: str) -> None:
    column = upload(["1.5", cell, "2.5"])
    assert (column.info.kind, column.info.missing, column.codes) == ("number", 1, ["infinite_numbers"])


@pytest.mark.parametrize("marker", ["-", "?", "NA", "None", "unknown", "missing", "#N/A"])
def test_a_marker_is_a_level_in_a_column_of_words(upload: Uploader, marker: str) -> None:
    column = upload(["red", marker, "blue", ""])
    assert (column.values, column.info.missing) == (["red", marker, "blue", None], 1)


def test_the_uploader_names_the_markers(upload: Uploader) -> None:
    assert upload(["1", "x", "-999", "2"], missing=("x", "-999")).values[0::3] == [1, 2]
    assert upload(["1", "x", "-999", "2"], missing=("x", "-999")).info.missing == 2
    assert upload(["red", "x", "blue"], missing=("x",)).values == ["red", None, "blue"]


def test_numbers_of_a_column_may_be_markers(upload: Uploader) -> None:
    column = upload(["1", "-999", "2"], missing=("-999",))
    assert (column.info.kind, column.info.missing, column.info.statistics["min"]) == ("number", 1, 1)


def test_a_prediction_knows_the_markers_of_the_upload(upload: Uploader) -> None:
    info = upload(["1", "-999", "2"], missing=("-999", "off")).info
    values, misfits = convert_cells(info, pa.array(["-999", "off", "3", "-"]))
    assert (values.to_pylist(), misfits.tolist()) == ([None, None, 3, None], [False, False, False, True])
