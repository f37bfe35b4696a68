"""Numbers in every common notation are read, one notation a column."""

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpropd.errors import UnusableColumn
from backpropd.tabular import ColumnInfo, convert_cells
from backpropd.tabular.cells.infer_numbers import infer_numbers
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.notation import NUMBER_MARKS, NumberNotation
from backpropd.tabular.cells.numbers import plain_numbers, to_float64
from backpropd.tabular.cells.profile import CellProfile
from backpropd.tabular.cells.shapes import tidy
from tests.tabular.cells.conftest import Uploader

NOTATIONS: list[tuple[list[str], list[float], dict[str, Any]]] = [
    (["85,10", "9", "121,5"], [85.1, 9, 121.5], {"decimal": ","}),
    (["1.299,99", "12,5", "3"], [1299.99, 12.5, 3], {"decimal": ",", "thousands": "."}),
    (["1 299,99", "1\u202f000", "-3,5"], [1299.99, 1000, -3.5], {"decimal": ",", "thousands": " "}),
    (["1\u00a0299,99", "12\u2009000"], [1299.99, 12000], {"decimal": ",", "thousands": " "}),
    (["1'299.99", "1\u2019000"], [1299.99, 1000], {"thousands": "'"}),
    (["138,572.97", "12.5"], [138572.97, 12.5], {"thousands": ","}),
    (["1,234,567", "12"], [1234567, 12], {"thousands": ","}),
    (["12,34,567.5", "1,00,000"], [1234567.5, 100000], {"thousands": ","}),
    (["42.55%", "1 %"], [42.55, 1], {"unit": "%"}),
    (["$138,573.1", "$12"], [138573.1, 12], {"thousands": ",", "prefix": "$"}),
    (["-$5.00", "$-3", "($4.25)"], [-5, -3, -4.25], {"prefix": "$"}),
    (["138 €", "1.299,50 €"], [138, 1299.5], {"decimal": ",", "thousands": ".", "unit": "€"}),
    (["USD 12.50", "USD 1,200.00"], [12.5, 1200], {"thousands": ",", "prefix": "USD"}),
    (["R$ 1.200,50", "R$ 3,00"], [1200.5, 3], {"decimal": ",", "thousands": ".", "prefix": "R$"}),
    (["85.1 m2", "9 m2"], [85.1, 9], {"unit": "m2"}),
    (["12,5 km/h", "3,0 km/h"], [12.5, 3], {"decimal": ",", "unit": "km/h"}),
    (["5°C", "-7.5°C"], [5, -7.5], {"unit": "°C"}),
    (["300 K", "5 K"], [300, 5], {"unit": "K"}),
    (["5 m", "7 m"], [5, 7], {"unit": "m"}),
    (["10,000+", "500+", "1,000,000+"], [10000, 500, 1000000], {"thousands": ",", "unit": "+"}),
    (["30.32K", "1.2M", "500"], [30320, 1200000, 500], {"multipliers": True}),
    (["3bn", "1.5bn"], [3e9, 1.5e9], {"multipliers": True}),
    (["19M", "201k"], [19e6, 201e3], {"multipliers": True}),
    (["$1.2M", "$30K"], [1.2e6, 3e4], {"prefix": "$", "multipliers": True}),
    (["1,2 млн", "300 тыс."], [1.2e6, 3e5], {"decimal": ",", "multipliers": True}),
    (["3.5万", "1.2亿"], [35000, 1.2e8], {"multipliers": True}),
    (["7.5 l/100km", "12 l/100km"], [7.5, 12], {"unit": "l/100km"}),
    (["0,123", "1,234"], [0.123, 1.234], {"decimal": ","}),
    (["(12.5)", "3.2"], [-12.5, 3.2], {}),
    (["\u221212.5", "3", "\u20135"], [-12.5, 3, -5], {}),
    (["1.5×10³ ", "2 × 10^-2", "3·10⁻¹", "4.5×10^0", "7"], [1500, 0.02, 0.3, 4.5, 7], {}),
    (["12.5-", "3"], [-12.5, 3], {}),
    (["5,-", "12,50", "-3,--"], [5, 12.5, -3], {"decimal": ","}),
    (["- 12.5", "+ 3"], [-12.5, 3], {}),
]


@pytest.mark.parametrize(("cells", "values", "notation"), NOTATIONS)
def test_a_column_in_one_notation_holds_numbers(
    upload: Uploader, cells: list[str], values: list[float], notation: dict[str, Any]
) -> None:
    column = upload(cells)
    assert (column.info.kind, column.values) == ("number", values)
    expected = NumberNotation(**notation)
    assert NumberNotation.from_json(column.info.statistics.get("notation")) == expected
    assert ("notation" in column.info.statistics) == (not expected.is_plain)


@pytest.mark.parametrize(("cells", "values", "notation"), NOTATIONS)
def test_a_known_column_reads_its_notation_and_plain_numbers(
    upload: Uploader, cells: list[str], values: list[float], notation: dict[str, Any]
) -> None:
    info = upload(cells).info
    numbers, misfits = convert_cells(info, pa.array([*cells, "-1234.5", " - ", "seven", None]))
    assert numbers.to_pylist() == [*values, -1234.5, None, None, None]
    assert misfits.tolist() == [False] * len(cells) + [False, False, True, False]


@pytest.mark.parametrize(
    "cells",
    [
        ["02134", "10001", "10002"],
        ["00.5 m", "1.5 m"],
        ["9007199254740993 kg", "1 kg"],
        ["9,007,199,254,740,993", "1,000"],
        ["1e400 kg", "1 kg"],
        ["Item 1", "Item 2"],
        ["A2", "A4"],
        ["2013FAIL", "2012PASS"],
        ["126/83", "120/80"],
        ["5 kg", "3 g", "2 lb"],
        ["1-3", "4-6"],
        ["192.168.0.1", "10.0.0.1"],
        ["555-1234", "555-9876"],
        ["1,2,3", "4,5,6"],
        ["<5", ">100"],
        ["3 wheels"],
    ],
)
def test_cells_that_are_no_numbers_stay_words(upload: Uploader, cells: list[str]) -> None:
    column = upload(cells)
    assert column.info.kind == "category"
    assert column.values == cells


def test_groups_of_three_are_thousands_with_a_warning_unless_decimals_elsewhere_say_otherwise(upload: Uploader) -> None:
    alone = upload(["1,234", "5,678"])
    assert (alone.values, alone.codes) == ([1234, 5678], ["ambiguous_numbers"])
    beside_points = upload(["1,234", "5,678"], ["1.5", "2.5"])
    assert (beside_points.values, beside_points.codes) == ([1234, 5678], [])
    beside_commas = upload(["1,234", "5,678"], ["1,5", "2,5"])
    assert (beside_commas.values, beside_commas.codes) == ([1.234, 5.678], [])


def test_a_point_separates_thousands_where_other_columns_have_decimal_commas(upload: Uploader) -> None:
    assert upload(["1.234", "850", "12.000"], ["1,5", "2,5", "3"]).values == [1234, 850, 12000]
    assert upload(["1.23", "850", "12.000"], ["1,5", "2,5", "3"]).values == [1.23, 850, 12]


def test_a_warning_counts_once_where_points_turn_out_to_separate_thousands(upload: Uploader) -> None:
    found = upload(["1.234", "850", "12.000"], ["1,5 kg", "2,5 kg", "3 kg"])
    assert [(each.code, each.count) for each in found.table.warnings if each.column == "other"] == [("unit", 1)]


def test_the_dialect_shows_the_marks_of_the_numbers(upload: Uploader) -> None:
    dialect = upload(["1.234,5", "1,0"]).table.dialect
    assert dialect is not None
    assert (dialect["decimal"], dialect["thousands"]) == (",", ".")


def test_the_options_override_the_marks(upload: Uploader) -> None:
    assert upload(["1,234", "5,678"], decimal=",").values == [1.234, 5.678]
    assert upload(["1,234", "5,678"], thousands=",").values == [1234, 5678]
    assert upload(["1,234", "5,678"], thousands=",").codes == []
    assert upload(["1.234", "5.678"], thousands=".").values == [1234, 5678]
    assert upload(["1.234", "5.678"], decimal=",").values == [1234, 5678]
    assert upload(["85.1", "5.67"], decimal=",").values == [85.1, 5.67]


def test_nine_tenths_are_enough_for_numbers_and_a_warning_lists_the_rest(upload: Uploader) -> None:
    column = upload([*map(str, range(18)), "approx 90", "", "7"])
    assert (column.info.kind, column.info.missing) == ("number", 2)
    (warning,) = (warning for warning in column.table.warnings if warning.column == "x")
    assert (warning.code, warning.count) == ("cells_not_numbers", 1)
    assert [(example.line, example.value) for example in warning.examples] == [(20, "approx 90")]


def test_a_column_half_of_numbers_stays_words_with_a_warning(upload: Uploader) -> None:
    column = upload(["1", "2", "3", "many"])
    assert (column.info.kind, column.codes) == ("category", ["mixed_column"])
    warning = column.table.warnings[0]
    assert [(example.line, example.value) for example in warning.examples] == [(5, "many")]
    assert upload(["1", "some", "few", "many"]).codes == []


def test_numbers_in_several_units_stay_words_with_a_warning(upload: Uploader) -> None:
    column = upload(["5 kg", "300 g", "2 lb", "1 kg"])
    assert (column.info.kind, column.codes) == ("category", ["mixed_column"])


def test_a_unit_that_all_cells_share_is_reported(upload: Uploader) -> None:
    assert upload(["85.1 m2", "9 m2"]).codes == ["unit"]
    assert upload(["85.1%", "9%"]).codes == []


def test_a_kind_can_be_named(upload: Uploader) -> None:
    assert upload(["02134", "10001"], kinds={"x": "number"}).values == [2134, 10001]
    assert upload(["101", "102"], kinds={"x": "category"}).values == ["101", "102"]
    assert upload(["101", "102"], kinds={"x": "text"}).info.kind == "text"
    some = upload(["1", "2", "many", "few"], kinds={"x": "number"})
    assert (some.values[:2], some.info.missing, some.codes) == ([1, 2], 2, ["cells_not_numbers"])
    with pytest.raises(UnusableColumn, match="'x' cannot be of kind number"):
        upload(["red", "blue"], kinds={"x": "number"})


@pytest.mark.parametrize(("decimal", "thousands"), NUMBER_MARKS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_number_is_the_same_after_any_notation(decimal: str, thousands: str, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(-(10**12), 10**12).map(lambda n: n / 100), min_size=1))
    prefix = data.draw(st.sampled_from(["", "$", "€ ", "CHF "]))
    unit = data.draw(st.sampled_from(["", " %", " kg", " m2", "€"]))
    swap = str.maketrans({",": thousands, ".": decimal})
    parentheses = data.draw(st.booleans())

    def write(number: float) -> str:
        text = prefix + f"{abs(number):,.2f}".translate(swap) + unit
        return text if number >= 0 else f"({text})" if parentheses else f"-{text}"

    cells = tidy(pa.array([*map(write, numbers), write(0.25), write(1.5)]))
    profile = CellProfile(Markers())
    profile.add(cells)
    guess = infer_numbers(profile.shapes)
    assert guess is not None
    read = to_float64(plain_numbers(cells, guess.notation), exact=True)
    assert read is not None
    assert [math.isclose(a, b, rel_tol=0) for a, b in zip(read.to_pylist(), [*numbers, 0.25, 1.5], strict=True)]
    assert read.to_pylist() == [*numbers, 0.25, 1.5]


def test_a_description_without_a_notation_reads_plain_numbers() -> None:
    values, misfits = convert_cells(ColumnInfo("x", "number", 0, 2), pa.array(["1.5", " 2 ", "1,5", "1e400"]))
    assert values.to_pylist() == [1.5, 2, 1.5, None]
    assert misfits.tolist() == [False, False, False, True]


def test_another_notation_is_read_where_only_one_reading_fits() -> None:
    info = ColumnInfo("x", "number", 0, 2)
    for cell, value in (("100,5", 100.5), ("1.299,99", 1299.99), ("1,299.99", 1299.99), ("1 000,5", 1000.5)):
        assert convert_cells(info, pa.array([cell, "bad"]))[0].to_pylist() == [value, None]
    for cell in ("1,234", "42 %", "5 kg", "$5", "5K"):
        assert convert_cells(info, pa.array([cell, cell]))[1].all()


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (["1 hour", "2 hours", "30 hours"], "hour"),
        (["1 min", "2 mins", "3 min."], "min"),
        (["5 days", "6 days"], "days"),
        (["5 lbs", "6 lb"], "lb"),
    ],
)
def test_a_unit_and_its_plural_are_one_unit(upload: Uploader, cells: list[str], unit: str) -> None:
    column = upload(cells)
    assert (column.info.statistics["notation"]["unit"], column.codes) == (unit, ["unit"])
    assert column.values == [float(cell.split()[0]) for cell in cells]
    assert convert_cells(column.info, pa.array([f"7 {unit}", f"7 {unit[0]}"]))[0].to_pylist() == [7.0, None]


def test_units_that_differ_by_a_letter_that_is_no_plural_are_several(upload: Uploader) -> None:
    column = upload(["5 m", "6 ms"])
    assert (column.info.kind, column.codes) == ("category", ["mixed_column"])


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["١٠٠٠", "٢٠٫٥"], [1000.0, 20.5]),
        (["۱٬۰۰۰٫۵", "۲٬۵۰۰"], [1000.5, 2500.0]),
        (["１００", "２３．５"], [100.0, 23.5]),
        (["￥１，０００.5", "￥2,000.5"], [1000.5, 2000.5]),
        (["१२३", "४"], [123.0, 4.0]),
        (["๑๒", "๓"], [12.0, 3.0]),
    ],
)
def test_digits_of_other_scripts_are_digits(upload: Uploader, cells: list[str], numbers: list[float]) -> None:
    column = upload(cells)
    assert (column.info.kind, column.values) == ("number", numbers)
    assert convert_cells(column.info, pa.array([cells[0], "5"]))[0].to_pylist() == [numbers[0], 5.0]
