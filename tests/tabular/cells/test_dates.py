"""Dates and times in common formats are read, one format a column."""

from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpropd.errors import UnusableColumn
from backpropd.tabular import convert_cells, preview_rows
from backpropd.tabular.cells.date_formats import DATE_FORMATS
from backpropd.tabular.cells.dates import read_dates
from tests.tabular.cells.conftest import Uploader

MOMENT = datetime(2020, 12, 31)
FORMATS = [
    ("2020-12-31", "2020-01-01"), ("2020/12/31", "2020/1/1"), ("2020.12.31", "2020.01.01"),
    ("31/12/2020", "01/01/2020"), ("12/31/2020", "01/01/2020"), ("31.12.2020", "1.1.2020"), ("31-12-2020", "1-1-2020"),
    ("31.12.20", "01.01.20"),
    ("Thu 2020-12-31", "Wed 2020-01-01"), ("2020-12-31 (Thu)", "2020-01-01 (Wed)"), ("2020_12_31", "2020_01_01"),
    ("2020. 12. 31.", "2020. 1. 1."), ("2020.12.31.", "2020.01.01."), ("31. 12. 2020", "1. 1. 2020"),
    ("20201231T000000", "20200101T000000Z"), ("31.12.2020 00:00 Uhr", "01.01.2020 00:00 Uhr"),
    ("2020\ub144 12\uc6d4 31\uc77c", "2020\ub144 1\uc6d4 1\uc77c"),
    ("sábado, 31 de diciembre de 2020", "lunes, 1 de enero de 2020"),
    ("31 grudnia 2020", "1 stycznia 2020"), ("31 декабря 2020", "1 января 2020"), ("31 Aralık 2020", "1 Ocak 2020"),
    ("31 december 2020", "1 januari 2020"), ("31. prosince 2020", "1. ledna 2020"),
    ("2020\u5e7412\u670831\u65e5", "2020\u5e741\u67081\u65e5"), ("12/31/20", "1/1/20"),
    ("31 Dec 2020", "1 Jan 2020"), ("31-Dec-2020", "01-Jan-2020"),
    ("31-DEC-20", "01-JAN-20"), ("Dec 31, 2020", "Jan 1, 2020"), ("December 31 2020", "January 1 2020"),
    ("Thu, 31 Dec 2020", "Wed, 1 Jan 2020"), ("31st December 2020", "1st January 2020"),
    ("31st of December 2020", "1st of January 2020"), ("[31/Dec/2020:00:00:00 +0000]", "[01/Jan/2020:00:00:00 +0000]"),
    ("31. Dezember 2020", "1. Januar 2020"), ("31 décembre 2020", "1 janvier 2020"),
    ("31 de diciembre de 2020", "1 de enero de 2020"), ("2020 Dec 31", "2020 Jan 1"),
    ("2020-12-31T00:00:00Z", "2020-01-01T00:00:00Z"), ("2020-12-31 00:00", "2020-01-01 00:00"),
    ("2020-12-31T02:00:00+02:00", "2020-01-01T02:00:00+02:00"), ("2020-12-30T19:00:00.000-0500", "2019-12-31 19:00-05"),
    ("Thu Dec 31 00:00:00 2020", "Wed Jan  1 00:00:00 2020"),
    ("Thu Dec 31 00:00:00 +0000 2020", "Wed Jan 01 02:00:00 +0200 2020"),
    ("31DEC2020:00:00:00", "01JAN2020:00:00:00"), ("31/Dec/2020:00:00:00 +0000", "01/Jan/2020:00:00:00 +0000"),
    ("2020/12/31 1:00:00 AM GMT+1", "2020/01/01 1:00:00 AM GMT+1"), ("2020-12-31 00:00 CET", "2020-01-01 00:00 CET"),
    ("31/12/2020 12:00 AM", "01/01/2020 12:00 am"), ("2020-12-31 00:00:00.000000", "2020-01-01 00:00:00.000000"),
]  # fmt: skip


@pytest.mark.parametrize(("last", "first"), FORMATS)
def test_a_column_in_one_format_holds_dates(upload: Uploader, last: str, first: str) -> None:
    column = upload([last, first])
    assert (column.info.kind, column.info.missing) == ("date", 0)
    assert column.info.statistics["min"] == "2020-01-01"
    assert column.info.statistics["max"] == "2020-12-31"
    assert column.values == [18627, 18262]
    values, misfits = convert_cells(column.info, pa.array([last, "soon", " - ", None]))
    assert values.to_pylist() == [MOMENT, None, None, None]
    assert misfits.tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["1949-01", "1949-02"], date(1949, 1, 1)),
        (["01/1949", "12/1949"], date(1949, 1, 1)),
        (["01.1949", "12.1949"], date(1949, 1, 1)),
        (["1949M01", "1949M12"], date(1949, 1, 1)),
        (["1949\u5e741\u6708", "1949\u5e7412\u6708"], date(1949, 1, 1)),
        (["Jan '98", "Feb '98"], date(1998, 1, 1)),
        (["Q1 '98", "Q2 '98"], date(1998, 1, 1)),
        (["98-12-31", "98-01-01"], date(1998, 12, 31)),
        (["Jan 1949", "Feb 1949"], date(1949, 1, 1)),
        (["Jan-49", "Feb-49"], date(1949, 1, 1)),
        (["Jan-98", "Feb-98"], date(1998, 1, 1)),
        (["1949 Jan", "1949 Feb"], date(1949, 1, 1)),
        (["2020Q2", "2020Q3"], date(2020, 4, 1)),
        (["Q2 2020", "Q3 2020"], date(2020, 4, 1)),
        (["2020-W53", "2020-W01"], date(2020, 12, 28)),
        (["2021-W01-5", "2020-W01-1"], date(2021, 1, 8)),
    ],
)
def test_months_quarters_and_weeks_are_their_first_day(upload: Uploader, cells: list[str], first: date) -> None:
    column = upload(cells)
    assert column.info.kind == "date"
    assert column.values[0] == (first - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("cells", "hours"),
    [
        (["13:45", "0:30"], [13.75, 0.5]),
        (["13:45:36", "00:30:00"], [13.76, 0.5]),
        (["18.00.00", "23.30.00"], [18, 23.5]),
        (["18.30 Uhr", "9:15 Uhr", "7 Uhr"], [18.5, 9.25, 7]),
        (["1:45 PM", "12:30 am"], [13.75, 0.5]),
        (["1 pm", "12 a.m."], [13, 0]),
    ],
)
def test_a_time_of_day_is_a_number_of_hours(upload: Uploader, cells: list[str], hours: list[float]) -> None:
    column = upload(cells)
    assert (column.info.kind, column.info.statistics["format"]) == ("number", "time of day")
    assert column.values == pytest.approx(hours)
    assert convert_cells(column.info, pa.array([*cells, "7.5"]))[0].to_pylist() == pytest.approx([*hours, 7.5])


@pytest.mark.parametrize(
    ("cells", "hours", "form"),
    [
        (["26:30:00", "1:45:36"], [26.5, 1.76], "duration"),
        (["24:15", "23:45"], [24.25, 23.75], "duration"),
        (["2 days 01:30:00", "0 days 00:30:00.5"], [49.5, 0.5 + 0.5 / 3600], "duration"),
        (["-0:30:00", "26:00:00"], [-0.5, 26], "duration"),
        (["1:30.0", "72:00.5"], [0.025, 1.2 + 0.5 / 3600], "minutes and seconds"),
    ],
)
def test_a_duration_is_a_number_of_hours(upload: Uploader, cells: list[str], hours: list[float], form: str) -> None:
    column = upload(cells)
    assert (column.info.kind, column.info.statistics["format"]) == ("number", form)
    assert column.values == pytest.approx(hours)
    assert convert_cells(column.info, pa.array([*cells, "7.5"]))[0].to_pylist() == pytest.approx([*hours, 7.5])


@pytest.mark.parametrize(
    "cells",
    [["89:21", "102:44"], ["2020-13-01", "2020-14-01"],
     ["31/02/2020", "30/02/2020"], ["25:00", "13:99"], ["126/83", "120/80"],
     ["10.0.19", "11.0.20"], ["Jan", "Feb"], ["may be", "march on"], ["1/2", "3/4"]],
)  # fmt: skip
def test_what_is_no_date_stays_words(upload: Uploader, cells: list[str]) -> None:
    assert upload(cells).values == cells


def test_the_order_of_day_and_month_follows_from_the_whole_column(upload: Uploader) -> None:
    early = ["01/02/2020", "03/02/2020"] * 100
    column = upload([*early, "25/02/2020"])
    assert (column.info.statistics["format"], column.codes) == ("day/month/year", ["ambiguous_dates"])
    assert column.table.warnings[0].count == len(early)
    assert upload(["13/02/2020", "25/02/2020"]).codes == []
    assert upload(["01.02.2020", "03.02.2020"]).codes == []
    assert upload([*early, "02/25/2020"]).info.statistics["format"] == "month/day/year"


def test_an_undecided_order_is_that_of_rising_dates_with_a_warning(upload: Uploader) -> None:
    rising = [f"{day:02}/{month:02}/2020" for month in (1, 2, 3) for day in range(1, 13)]
    column = upload(rising)
    assert (column.info.statistics["format"], column.codes) == ("day/month/year", ["ambiguous_dates"])
    swapped = [f"{month:02}/{day:02}/2020" for month in (1, 2, 3) for day in range(1, 13)]
    assert upload(swapped).info.statistics["format"] == "month/day/year"
    months = [f"01/{month:02}/2020" for month in range(1, 13)]
    assert upload(months).info.statistics["format"] == "day/month/year"


def test_cells_that_are_no_dates_are_missing_and_listed(upload: Uploader) -> None:
    column = upload([*(f"2020-01-{day:02}" for day in range(1, 20)), "later"])
    assert (column.info.kind, column.info.missing, column.codes) == ("date", 1, ["cells_not_dates"])


def test_numbers_are_dates_if_they_look_so_and_are_named_so(upload: Uploader) -> None:
    assert upload(["20201231", "20200101"]).info.kind == "number"
    assert upload(["20201231", "20200101"], kinds={"x": "date"}).values == [18627, 18262]
    assert upload(["2019", "2020"], kinds={"x": "date"}).values == [17897, 18262]
    with pytest.raises(UnusableColumn, match="'x' cannot be of kind date"):
        upload(["red", "blue"], kinds={"x": "date"})


def test_dates_can_be_kept_as_words(upload: Uploader) -> None:
    cells = ["2020-12-31", "2020-01-01"]
    column = upload(cells, kinds={"x": "category"})
    assert (column.info.kind, column.values) == ("category", cells)


def test_rows_show_dates_in_iso_8601(upload: Uploader) -> None:
    column = upload(["31.12.2020", "01.01.2020 13:30", ""])
    assert [row["x"] for row in preview_rows(column.path, 3)] == ["2020-12-31", "2020-01-01T13:30:00", None]


WRITTEN = ["%Y-%m-%dT%H:%M:%S.%f", "%d/%m/%Y %H:%M:%S.%f", "%b %d, %Y %I:%M:%S.%f %p", "%A, %d %B %Y, %H:%M:%S.%f"]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), min_size=1),
    st.sampled_from(WRITTEN),
)
def test_a_moment_is_the_same_after_any_format(moments: list[datetime], written: str) -> None:
    cells = pa.array([moment.strftime(written) for moment in moments])
    found = [read_dates(cells, form) for form in DATE_FORMATS.values() if not form.is_time]
    assert any(each.to_pylist() == moments for each in found)


def test_another_format_is_read_where_only_one_reading_fits(upload: Uploader) -> None:
    info = upload(["2020-12-31", "2020-01-01"]).info
    for cell in ("31/12/2020", "31.12.2020", "Dec 31, 2020", "2020-12-31T00:00:00Z"):
        assert convert_cells(info, pa.array([cell]))[0].to_pylist() == [MOMENT]
    values, misfits = convert_cells(info, pa.array(["01/02/2020", "2020-12-31"]))
    assert (values.to_pylist(), misfits.tolist()) == ([None, MOMENT], [True, False])
    local = upload(["31/12/2020", "01/01/2020"]).info
    assert convert_cells(local, pa.array(["2020-12-31"]))[0].to_pylist() == [MOMENT]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("year week", "2021-W53"),
        ("year week", "2021-W01-9"),
        ("year week", "2021-W01-0"),
        ("year week", "2020-W00"),
        ("year week", "9999-W53-7"),
        ("year-month-day", "2020-01-01T12:00+99:99"),
        ("year-month-day", "0001-01-01T00:00:00+05:00"),
        ("year-month-day", "9999-12-31 23:59:60"),
    ],
)
def test_weeks_and_zones_that_do_not_exist_and_moments_beyond_the_years_are_no_dates(name: str, cell: str) -> None:
    assert read_dates(pa.array([cell]), DATE_FORMATS[name]).to_pylist() == [None]


def test_the_last_week_of_a_long_year_is_a_date() -> None:
    last = read_dates(pa.array(["2020-W53-7", "2021-W52"]), DATE_FORMATS["year week"])
    assert last.to_pylist() == [datetime(2021, 1, 3), datetime(2021, 12, 27)]


def test_a_column_with_a_moment_before_the_first_year_is_read(upload: Uploader) -> None:
    found = upload(["2020-12-31T00:00:00+05:00"] * 19 + ["0001-01-01T00:00:00+05:00"])
    assert (found.info.kind, found.info.missing, found.codes) == ("date", 1, ["cells_not_dates"])


@pytest.mark.parametrize("cells", [
    ["gen-20", "mag-20", "set-20", "ott-20"], ["set-20", "out-20", "nov-20", "dez-20"],
    ["Ocak 2000", "Şubat 2000", "Mart 2000"], ["Gen 2020", "Feb 2020", "Mar 2020"],
    ["ene-20", "may-20", "set-20", "dic-20"], ["jan/20", "fev/20", "abr/20", "set/20", "out/20", "dez/20", "dec/20"],
])  # fmt: skip
def test_months_of_one_language_are_dates_though_codes_begin_so(upload: Uploader, cells: list[str]) -> None:
    assert upload(cells * 3).info.kind == "date"


@pytest.mark.parametrize("cells", [
    ["DES-01", "DES-02", "DES-03"], ["SET-01", "OUT-02", "SET-03"], ["Mart 2000", "Mart 2001"],
    ["DES-01", "GEN-02", "KAS-03"],
])  # fmt: skip
def test_codes_that_begin_like_months_are_words(upload: Uploader, cells: list[str]) -> None:
    assert upload(cells * 3).info.kind == "category"
