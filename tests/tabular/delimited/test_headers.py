"""A header is told from a row, several rows of it are joined or skipped, and names are mended."""

from pathlib import Path

import pytest

from backpropd.tabular import IngestedTable, ReadOptions
from tests.tabular.reading import kinds, read


def names(info: IngestedTable) -> list[str]:
    return [column.name for column in info.columns]


def codes(info: IngestedTable) -> list[str]:
    return [each.code for each in info.warnings]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("week,mean price,4046,4225\n" + "".join(f"{n},{n}.2,{n * 700},{n * 611}\n" for n in range(9)), True),
        ("400.1,410.5,452.0,class\n" + "".join(f"0.{n},0.5{n},0.9{n},x{n % 2}\n" for n in range(9)), True),
        ("x,y,n,p\nn,y,y,x\nx,n,n,p\ny,x,n,y\n", False),
        ("5.1,setosa\n4.9,setosa\n4.7,versicolor\n", False),
        ("about 9,5,red\n3,4,red\n8,2,blue\n7,5,red\n", False),
        ("colour,taste\nred,sweet\nblue,sour\nred,sour\n", True),
        ("level=info,time=1ms\nlevel=info,time=22ms\nlevel=warn,time=3ms\n", False),
    ],
)
def test_a_header_is_told_from_a_row(tmp_path: Path, text: str, found: bool) -> None:
    info, _ = read(tmp_path, text)
    assert info.dialect is not None
    assert info.dialect["header"] is found
    assert info.rows == text.count("\n") - found


def test_the_option_header_overrides_the_guess(tmp_path: Path) -> None:
    text = "colour,taste\nred,sweet\nblue,sour\n"
    info, _ = read(tmp_path, text, ReadOptions(header=False))
    assert (info.rows, names(info)) == (3, ["column_1", "column_2"])
    info, _ = read(tmp_path, "1,2\n3,4\n5,6\n", ReadOptions(header=True))
    assert (info.rows, names(info)) == (2, ["1", "2"])


def test_a_row_of_units_is_skipped_with_its_line(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "size,town,price\nm2,,EUR\n" + "".join(f"{n}.5,York,{n}\n" for n in range(9)))
    assert (info.rows, names(info)) == (9, ["size", "town", "price"])
    assert [(each.code, each.examples[0].line) for each in info.warnings if each.column is None] == [("header_rows", 2)]


def test_several_rows_of_a_header_are_joined_where_the_first_leaves_names_open(tmp_path: Path) -> None:
    text = "town,2019,,2020,\n,men,women,men,women\n" + "".join(f"York,{n}.5,2.5,{n},4\n" for n in range(9))
    info, _ = read(tmp_path, text)
    assert names(info) == ["town", "2019 men", "2019 women", "2020 men", "2020 women"]
    assert "header_rows" in codes(info)


def test_a_row_that_names_the_columns_without_a_name_belongs_to_a_header_of_several_rows(tmp_path: Path) -> None:
    text = ",,score,score\n,,mean,deviation\n{}" + "".join(f"York,{n % 2},{n}.5,2.{n}\n" for n in range(9))
    info, _ = read(tmp_path, text.format("town,group,,\n"))
    assert (info.rows, names(info)) == (9, ["town", "group", "score mean", "score deviation"])
    info, _ = read(tmp_path, text.format("Bath,1,,\n"))
    assert info.rows == 10


@pytest.mark.parametrize("first", ["approx 90,5", "12 or 13,5", "<LLOD,5"])
def test_a_first_row_with_a_number_and_a_cell_that_is_none_is_no_second_header(tmp_path: Path, first: str) -> None:
    info, _ = read(tmp_path, f"size,rooms\n{first}\n" + "".join(f"{n}.5,{n % 5}\n" for n in range(30)))
    assert (info.rows, info.columns[0].missing) == (31, 1)
    assert codes(info)[:1] == ["cells_not_numbers"]


def test_numbers_with_decimal_commas_below_one_name_are_one_column(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "price\n" + "".join(f"{n},5\n" for n in range(9)))
    assert [(column.name, column.statistics["min"]) for column in info.columns] == [("price", 0.5)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("age,town,age", ["age", "town", "age_2"]),
        ("age,age,age_2", ["age", "age_3", "age_2"]),
        ("a, a ,b", ["a", "a_2", "b"]),
        ("a\u200b,b,c", ["a", "b", "c"]),
        ("a,,c", ["a", "column_2", "c"]),
    ],
)
def test_names_are_different_and_visible(tmp_path: Path, header: str, expected: list[str]) -> None:
    info, _ = read(tmp_path, header + "\n1,2,3\n4,5,6\n")
    assert names(info) == expected
    assert codes(info) == ([] if ",," in header else ["columns_renamed"])


def test_a_header_without_a_name_for_the_names_of_rows_gets_one(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "mpg,cyl\nMazda,21,6\nDatsun,22.8,4\nHornet,21.4,6\n")
    assert (names(info), codes(info)[:1]) == (["column_1", "mpg", "cyl"], ["columns_renamed"])


def test_an_empty_name_too_many_is_left_out(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "mpg,,cyl\n" + "21.5,6\n" * 9)
    assert (names(info), info.rows) == (["mpg", "cyl"], 9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (",2019,,2020,\nRegion,Q1,Q2,Q1,Q2\nN,1,2,3,4\nS,2,3,4,5\n", ["Region", "2019 Q1", "2019 Q2", "2020 Q1"]),
        ("Region,2019,,2020,\n,Sales,Cost,Sales,Cost\nN,1,2,3,4\nS,2,3,4,5\n", ["Region", "2019 Sales", "2019 Cost"]),
        ("name,height,weight\n,cm,kg\nAnn,170,60\nBob,180,80\n", ["name", "height", "weight"]),
    ],
)
def test_the_second_header_row_of_a_small_table_is_no_row(tmp_path: Path, text: str, expected: list[str]) -> None:
    info, _ = read(tmp_path, text)
    assert (info.rows, names(info)[: len(expected)], "header_rows" in codes(info)) == (2, expected, True)
    assert {column.kind for column in info.columns[1:]} == {"number"}


@pytest.mark.parametrize("title", ["Sales, 2019", "Sales by region, 2019, in euros", "Umsatz, Kosten, Gewinn, Verlust"])
def test_a_title_with_commas_is_no_header(tmp_path: Path, title: str) -> None:
    text = f"{title}\nregion,amount,qty\nNorth,1,2\nSouth,3,4\nEast,5,6\n"
    info, _ = read(tmp_path, text)
    assert (info.rows, names(info), codes(info)) == (3, ["region", "amount", "qty"], ["lines_skipped"])


def test_an_empty_row_below_the_first_one_separates_no_title(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "a,b,c\nw,w,w\n,,\n" + "x,w,\n" * 6)
    assert (info.rows, names(info)) == (8, ["a", "b", "c"])


def test_a_header_with_spaces_behind_its_commas_remains_one(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "region, amount\nunit, eur\nNorth,1\nSouth,3\nEast,5\n")
    assert names(info) == ["region", "amount"]
    info, _ = read(tmp_path, "region, amount\nNorth,1\nSouth,3\nEast,5\n")
    assert (info.rows, names(info)) == (3, ["region", "amount"])


NUMBERS = "".join(f"{n}.5 {n} {n % 2}\n" for n in range(9))


@pytest.mark.parametrize(
    ("comments", "found"),
    [
        ("# time size flag\n", ["time", "size", "flag"]),
        ("## version 4\n## source\n#time size flag\n", ["time", "size", "flag"]),
        ("% made by hand in two days\n% time size flag\n", ["time", "size", "flag"]),
        ("# seconds and metres\n# 3 columns 9\n", ["column_1", "column_2", "column_3"]),
        ("# time size flag\nt s f\n", ["t", "s", "f"]),
    ],
)
def test_the_last_comment_above_a_table_without_header_may_name_its_columns(
    tmp_path: Path, comments: str, found: list[str]
) -> None:
    info, _ = read(tmp_path, comments + NUMBERS)
    assert (names(info), info.rows) == (found, 9)
    info, _ = read(tmp_path, comments + NUMBERS.replace(" ", ","), ReadOptions(delimiter=","))
    assert info.rows == 9


def test_the_sign_of_a_comment_is_no_part_of_a_name_and_begins_cells_as_well(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "# time,size\n" + "".join(f"{n}.5,{n}\n" for n in range(9)))
    assert names(info) == ["time", "size"]
    info, _ = read(tmp_path, "#,tag\n" + "".join(f"{'#' if n % 4 else ''}{n},t{n % 3}\n" for n in range(9)))
    assert (names(info), info.rows) == (["#", "tag"], 9)


def test_a_table_of_counts_has_a_header_of_rising_numbers_behind_an_empty_cell(tmp_path: Path) -> None:
    rows = ["71,0,3,15", "70,1,11,13", "69,2,7,4"]
    info, _ = read(tmp_path, '"","16.5","17.25","18"\n' + "\n".join(rows))
    assert (info.rows, names(info)) == (3, ["column_1", "16.5", "17.25", "18"])
    info, _ = read(tmp_path, ",16.5,17.25,18\n" + "\n".join([*rows, rows[0]]))
    assert info.rows == 5


def test_a_line_about_the_file_with_more_cells_than_the_table_is_no_header(tmp_path: Path) -> None:
    above = (
        '"LOG1","Station 7","SN 1234","v2.1","prog.dld"\n"TIMESTAMP","RECORD","AirT"\n"TS","RN","Deg C"\n"","","Avg"\n'
    )
    rows = "".join(f'"2023-05-01 {n:02}:00:00",{n},{n / 4 + 1}\n' for n in range(24))
    info, _ = read(tmp_path, above + rows)
    assert (info.rows, kinds(info)) == (24, {"TIMESTAMP": "date", "RECORD": "number", "AirT": "number"})
    assert [warning.code for warning in info.warnings][:2] == ["header_rows", "lines_skipped"]


def test_a_header_with_a_separator_too_many_above_units_is_no_line_about_the_file(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "x,y,\ncm,kg\n1,2\n3,4\n5,6\n7,8\n")
    assert (info.rows, kinds(info)) == (4, {"x": "number", "y": "number"})
