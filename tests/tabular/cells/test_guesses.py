"""What is guessed about the cells of a column is told in a warning, and what is a code stays words."""

import re
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backpropd.tabular import convert_cells
from backpropd.tabular.cells.centuries import first_year
from backpropd.tabular.lossless_numbers import find_lossy, parse_numbers
from tests.tabular.cells.conftest import Uploader

PLAIN_NUMBER = re.compile(r"-?([0-9]{1,18}(\.[0-9]{0,3})?|\.[0-9]{1,3})(e-?[0-9]{1,3})?")
MANY = [*map(str, range(30_000))]


@pytest.mark.parametrize("cells", [["12B", "38M", "5K"], ["7B", "12K", "9M", "14B"], ["12T", "3B"]])
def test_seats_sizes_and_jerseys_stay_words_with_a_warning(upload: Uploader, cells: list[str]) -> None:
    column = upload(cells)
    assert (column.info.kind, column.values, column.codes) == ("category", cells, ["mixed_column"])


@pytest.mark.parametrize(
    "code", ["DES-{:02}", "TEM-{:02}", "Batch 2020-01-{:02}", "1. {}. 10", "1.{}.10.", "RM1{}", "Kr{}", "Abc${}"]
)
def test_a_code_is_no_date_and_no_amount(upload: Uploader, code: str) -> None:
    cells = [code.format(n) for n in range(1, 13)] * 2
    column = upload(cells)
    assert (column.info.kind in ("category", "text"), column.values) == (True, cells)


def test_ordinals_of_different_endings_are_words_and_no_units(upload: Uploader) -> None:
    column = upload(["1st class", "2nd class", "3rd class", "3rd class"])
    assert (column.info.kind, column.codes) == ("category", [])


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["30.32K", "1.2M"], [30320, 1.2e6]),
        (["$5K", "$12M"], [5e3, 12e6]),
        (["5K", "12M", "420"], [5e3, 12e6, 420]),
        (["5k", "12M"], [5e3, 12e6]),
        (["3 million", "2 billion"], [3e6, 2e9]),
    ],
)
def test_multipliers_of_amounts_are_read_and_told(upload: Uploader, cells: list[str], values: list[float]) -> None:
    column = upload(cells)
    assert (column.info.kind, column.values, column.codes) == ("number", values, ["multipliers"])
    assert column.table.warnings[0].examples[0].value == cells[0]


@pytest.mark.parametrize(
    "cells",
    [
        ["+49 170 123", "+49 171 456"],
        ["+491701234567", "+491701234568"],
        ["+1 555 123 4567", "+1 555 987 6543", "unknown number"],
    ],
)
def test_phone_numbers_keep_their_plus(upload: Uploader, cells: list[str]) -> None:
    column = upload(cells)
    assert (column.info.kind, column.values) == ("category", cells)


def test_numbers_with_a_plus_remain_numbers(upload: Uploader) -> None:
    assert upload(["+3", "-2", "+1"]).values == [3, -2, 1]
    assert upload(["+1234567", "-2345678", "-3", "+5"]).values == [1234567, -2345678, -3, 5]
    assert upload(["+1 234,5", "-567,0"]).values == [1234.5, -567]


def test_accounting_notations_are_negative_numbers(upload: Uploader) -> None:
    assert upload(["$(45.00)", "$ (3.50)", "($12.00)", "$ 1,200.00"]).values == [-45, -3.5, -12, 1200]
    assert upload(["(45.00) €", "( 3.50 €)", "12.00 €"]).values == [-45, -3.5, 12]


@pytest.mark.parametrize("odd", ["007", "9007199254740993", "1e400"])
def test_one_number_that_makes_a_column_words_is_named_with_its_line(upload: Uploader, odd: str) -> None:
    column = upload([*MANY, odd, "5"])
    assert (column.info.kind, column.codes) == ("text", ["mixed_column"])
    warning = column.table.warnings[0]
    assert (warning.count, [(each.line, each.value) for each in warning.examples]) == (1, [(30_002, odd)])
    assert upload([*MANY, odd], kinds={"x": "number"}).info.kind == "number"


def test_columns_of_codes_carry_no_warning_of_mixture(upload: Uploader) -> None:
    assert "mixed_column" not in upload(["02134", "10001", "02135"]).codes
    assert "mixed_column" not in upload([str(2**53 + n) for n in range(20)]).codes


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.from_regex(PLAIN_NUMBER, fullmatch=True), min_size=1, max_size=5))
def test_the_lossy_cells_are_those_for_which_a_column_is_no_numbers(cells: list[str]) -> None:
    array = pa.array(cells)
    assert bool(find_lossy(array).any()) == (parse_numbers(array) is None)


@pytest.mark.parametrize("rest", [["0.12"], ["12", "0", ""]])
def test_numbers_beside_percentages_are_read_as_they_stand_with_a_warning(upload: Uploader, rest: list[str]) -> None:
    column = upload(["15%", "20 %", *rest, "35%"])
    assert column.values[:3] == [15, 20, float(rest[0])]
    assert column.codes == ["mixed_units"]
    assert [(each.line, each.value) for each in column.table.warnings[0].examples] == [(4, rest[0])]
    assert upload(["15%", "20%", "0"]).codes == []


@pytest.mark.parametrize(
    ("years", "now", "first"),
    [
        ({61, 88, 3}, 2026, 1937),  # births
        ({35, 50, 70, 88, 3}, 2026, 1927),
        ({20, 45, 61}, 2026, 1920),
        ({24, 31}, 2026, 1937),  # contracts
        ({49}, 2026, 1937),
        ({27}, 2026, 1937),
        ({37}, 2026, 1937),
        ({0, 26, 50, 99}, 2026, 1927),
        ({98, 99, 0, 1}, 2026, 1937),
        ({26}, 2099, 2010),
        (set(), 2026, 1927),
    ],
)
def test_the_century_follows_from_all_years_and_the_present_one(years: set[int], now: int, first: int) -> None:
    assert first_year(years, now) == first


def test_years_of_births_are_not_in_the_future(upload: Uploader) -> None:
    column = upload(["12/05/61", "30/11/88", "17/02/03"])
    assert [date.fromordinal(int(day) + 719163).year for day in column.values] == [1961, 1988, 2003]
    assert "two_digit_years" in column.codes
    again, _ = convert_cells(column.info, pa.array(["12/05/61", "12/05/1961"]))
    assert [each.year for each in again.to_pylist()] == [1961, 1961]


def test_four_digit_years_carry_no_warning(upload: Uploader) -> None:
    column = upload(["30/11/1988", "17/02/2003"])
    assert (column.codes, "first_year" in column.info.statistics) == ([], False)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["0.7", "<0.5", "1.4", "> 9", "≤0.1", "2"], [0.7, 0.5, 1.4, 9, 0.1, 2]),
        (["1,5", "2,5*", "3,5", "4,5 †"], [1.5, 2.5, 3.5, 4.5]),
        (["12", "13 [1]", "14", "15 (a)", "16"], [12, 13, 14, 15, 16]),
        (["1.5", "2.5 p", "3.5", "4.5 e", "5.5"], [1.5, 2.5, 3.5, 4.5, 5.5]),
        (["1.5%", "<0.5 %", "2%"], [1.5, 0.5, 2]),
        (["12", "≈15", "17"], [12, 15, 17]),
    ],
)
def test_limits_and_footnote_marks_beside_numbers_are_left_out_and_told(
    upload: Uploader, cells: list[str], values: list[float]
) -> None:
    column = upload(cells)
    assert (column.values, column.codes) == (values, ["annotated_numbers"])
    assert column.table.warnings[0].examples[0].value == cells[1]
    again, misfits = convert_cells(column.info, pa.array(cells))
    assert (again.to_pylist(), misfits.any()) == (values, False)


@pytest.mark.parametrize("cells", [["<5", ">100"], ["1*", "2*", "3"], ["5 g", "300", "2 m"], ["A*", "B*"]])
def test_signs_that_few_bare_numbers_lack_leave_words(upload: Uploader, cells: list[str]) -> None:
    assert upload(cells).values == cells


def test_credits_are_no_crores(upload: Uploader) -> None:
    assert upload(["1,200.50 Cr", "3.10 Cr"]).values == [1200.5, 3.1]
    assert upload(["2.5 Cr", "40 Lakh"]).values == [2.5e7, 4e6]


def test_bytes_beside_their_multiples_are_no_billions(upload: Uploader) -> None:
    assert upload(["9 B", "3 KB", "1.5 MB"]).values == [9, 3000, 1.5e6]
    assert upload(["9B", "3M", "1.5K"]).values == [9e9, 3e6, 1500]


def test_dates_in_two_formats_stay_words_with_a_warning(upload: Uploader) -> None:
    column = upload([*(f"2023-01-{day:02}" for day in range(10, 25)), "09.01.2023", "later"])
    assert (column.info.kind, column.codes[0]) == ("category", "mixed_column")
    assert [(each.line, each.value) for each in column.table.warnings[0].examples] == [
        (17, "09.01.2023"),
        (18, "later"),
    ]
    assert upload([f"{year}/{(year + 1) % 100:02}" for year in range(1990, 2014)]).codes == []


def test_the_dash_of_accountants_is_missing(upload: Uploader) -> None:
    assert upload([" $ -   ", "$ 1.50", "$2.50"]).info.missing == 1


def test_numbers_that_all_stand_in_parentheses_are_negative_with_a_warning(upload: Uploader) -> None:
    column = upload(["(2008)", "(1999)"])
    assert (column.values, column.codes) == ([-2008.0, -1999.0], ["negative_numbers"])
    assert upload(["(2008)", "1999"]).codes == []
