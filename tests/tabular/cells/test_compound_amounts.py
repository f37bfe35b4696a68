"""Amounts with several units in a cell become numbers of one unit, with a warning; codes that look so stay words."""

import pyarrow as pa
import pytest

from backpropd.tabular import convert_cells
from tests.tabular.cells.conftest import Uploader

AMOUNTS = [
    ("duration in words", ["2h 50m", "5m", "19h"], [2 + 5 / 6, 1 / 12, 19.0]),
    ("duration in words", ["1 day, 2 hours and 30 mins", "-45 sec.", "1.5 Hours"], [26.5, -45 / 3600, 1.5]),
    ("duration in words", ["1 min", "2 hours", "20 minutes"], [1 / 60, 2.0, 1 / 3]),
    ("duration in words", ["8h30", "12h45", "9 h 05"], [8.5, 12.75, 9 + 1 / 12]),
    ("ISO 8601 duration", ["PT4M30S", "PT1H", "P1DT2H"], [4.5 / 60, 1.0, 26.0]),
    ("degrees", ["51°30'36\"N", "0°30'S", "3° 3′ 36″ W"], [51.51, -0.5, -3.06]),
    ("degrees", ["7.5°W", "8°W", "9.25° W"], [-7.5, -8.0, -9.25]),
    ("degrees", ["N 51°30'", "S 1°15.0'"], [51.5, -1.25]),
    ("feet and inches", ["5'11\"", "6'2\"", "5’ 0.5”"], [71.0, 74.0, 60.5]),
    ("feet and inches", ["5'11\"", "6'2\"", '70.5"'], [71.0, 74.0, 70.5]),
    ("feet and inches", ["5 ft 11 in", "6 ft", "6 feet 1 inch"], [71.0, 72.0, 73.0]),
]


@pytest.mark.parametrize(("form", "cells", "numbers"), AMOUNTS)
def test_amounts_with_several_units_are_numbers_of_one(
    upload: Uploader, form: str, cells: list[str], numbers: list[float]
) -> None:
    column = upload(cells)
    assert (column.info.statistics["format"], column.codes) == (form, ["unit"])
    assert column.values == pytest.approx(numbers)
    values, misfits = convert_cells(column.info, pa.array([cells[0], " - ", "7.5", "soon"]))
    assert values.to_pylist() == [pytest.approx(numbers[0]), None, 7.5, None]
    assert misfits.tolist() == [False, False, False, True]


@pytest.mark.parametrize("cells", [["5'11\"", "6'2\""], ["13:45", "0:30"], ["51°30'N", "8°S"]])
def test_the_kind_number_may_be_named_for_them_as_well(upload: Uploader, cells: list[str]) -> None:
    assert upload(cells, kinds={"x": "number"}).values == upload(cells).values


@pytest.mark.parametrize(
    "cells",
    [
        ["3S", "4S", "5M", "10H"],
        ["5'30\"", "4'45\""],
        ["51°75'N", "400°N"],
        ["00.5 h", "1.5 h"],
        ["5-11", "6-2"],
        ["P", "PT", "P1"],
        ["3 m 5 kg", "2 m 1 kg"],
    ],
)
def test_what_is_no_amount_stays_words(upload: Uploader, cells: list[str]) -> None:
    assert upload(cells).values == cells
