"""A row that does not fit is made to fit or left out, named with its line; only many such rows refuse a file."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from backpropd.errors import NotATable
from backpropd.tabular import IngestedTable, preview_rows
from backpropd.tabular.delimited.reader import open_delimited
from backpropd.tabular.read_options import ReadOptions
from tests.tabular.reading import kinds, read

HEADER = "town,size,price,note\n"
LINES = [f"{'York' if n % 2 else 'Bath'},{n}.5,{n * 1000},word-{n % 3}\n" for n in range(40)]
BAD = 20  # the row that is spoiled, on line 22


def rows_of(folder: Path, text: str) -> tuple[IngestedTable, list[list[Any]]]:
    info, path = read(folder, text)
    return info, [list(row.values()) for row in pq.read_table(path).to_pylist()]


def expected(row: int) -> list[Any]:
    return ["York" if row % 2 else "Bath", row + 0.5, row * 1000, f"word-{row % 3}"]


@pytest.mark.parametrize(
    ("bad", "becomes", "code"),
    [
        ("Bath,20.5,20000\n", ["Bath", 20.5, 20000, None], "short_rows"),
        ("Bath\n", ["Bath", None, None, None], "short_rows"),
        ("Bath,20.520000,word-2\n", ["Bath", 20.52, None, "word-2"], "separator_missing"),
        ("Bath,20.5,20000word-2\n", ["Bath", 20.5, None, "20000word-2"], "separator_missing"),
        ("Bath,,20.5,20000,word-2\n", ["Bath", 20.5, 20000, "word-2"], "long_rows"),
        ("Bath, the city,20.5,20000,word-2\n", ["Bath, the city", 20.5, 20000, "word-2"], "long_rows"),
        ("Bath,20.5,20000,a, b\n", ["Bath", 20.5, 20000, "a, b"], "long_rows"),
        ("Bath,20.5,20000,word-2,\n", ["Bath", 20.5, 20000, "word-2"], "trailing_delimiters"),
        ("Bath;20.5;20000;word-2\n", ["Bath", 20.5, 20000, "word-2"], "other_delimiter"),
        ("Bath\t20.5\t20000\tword-2\n", ["Bath", 20.5, 20000, "word-2"], "other_delimiter"),
        ('"Bath,20.5,20000,word-2\n', ["Bath", 20.5, 20000, "word-2"], "faulty_quotes"),
        ('Bath,20.5,20000,"word-2\n', ["Bath", 20.5, 20000, "word-2"], "faulty_quotes"),
        ('Bath,20.5,20000,"the "best" word"\n', ["Bath", 20.5, 20000, 'the "best" word'], "faulty_quotes"),
        ("~~~ a line of noise ~~~\n", None, "lines_left_out"),
    ],
)
def test_a_row_is_made_to_fit(tmp_path: Path, bad: str, becomes: list[Any] | None, code: str) -> None:
    info, rows = rows_of(tmp_path, HEADER + "".join([*LINES[:BAD], bad, *LINES[BAD + 1 :]]))
    assert rows[:BAD] == [expected(row) for row in range(BAD)]
    assert rows[-19:] == [expected(row) for row in range(BAD + 1, 40)]
    assert rows[BAD:-19] == ([] if becomes is None else [becomes])
    found = [(each.code, each.count, each.examples[0].line) for each in info.warnings if each.column is None]
    assert (code, 1, BAD + 2) in found


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_quotes_within_quoted_cells_are_told_and_refuse_no_file(tmp_path: Path, delimiter: str) -> None:
    lines = [f'"{n}"{delimiter}"the "best{delimiter} word" of all"\n' for n in range(20)]
    info, rows = rows_of(tmp_path, f'"n"{delimiter}"note"\n' + "".join(lines))
    assert rows == [[n, f'the "best{delimiter} word" of all'] for n in range(20)]
    assert ("faulty_quotes", 20) in [(each.code, each.count) for each in info.warnings]


NOTES = "[a] estimated, by us\n* provisional\nSource: World Bank, 2023\n"


def test_notes_with_as_many_cells_as_the_table_are_left_out_behind_a_blank_line(tmp_path: Path) -> None:
    table = "country,income\n" + "".join(f"c{n},{n}.5\n" for n in range(20))
    info, rows = rows_of(tmp_path, f"{table}\n{NOTES}")
    assert rows == [[f"c{n}", n + 0.5] for n in range(20)]
    assert ("lines_skipped", 3) in [(each.code, each.count) for each in info.warnings]
    assert rows_of(tmp_path, f"{table}\n{NOTES[-25:]}c20,1.5\n")[1][-2:] == [
        ["Source: World Bank", 2023.0],
        ["c20", 1.5],
    ]


@pytest.mark.parametrize("quoted", ['"York, Yorkshire"', '"two\nlines"', '"a ""quoted"" word"', '"\n\n"'])
def test_an_open_quote_swallows_nothing_before_a_row_that_is_quoted_well(tmp_path: Path, quoted: str) -> None:
    lines = [*LINES[:5], '"York,5.5,5000,x\n', *LINES[6:30], f"{quoted},30.5,30000,word-0\n", *LINES[31:]]
    info, rows = rows_of(tmp_path, HEADER + "".join(lines))
    assert info.rows == 40
    assert rows[30][0] == (quoted[1:-1].replace('""', '"').strip() or None)
    assert rows[6:30] == [expected(row) for row in range(6, 30)]


@pytest.mark.parametrize("bad", ["York,1.5,x,y,z,w,1,2\n", '"York,1.5,5,"x\n', "York;1.5;1;x\n"])
def test_a_file_of_which_more_than_a_tenth_is_guesswork_is_refused(tmp_path: Path, bad: str) -> None:
    assert rows_of(tmp_path, HEADER + "".join([*LINES, bad * 4]))[0].rows == 44
    with pytest.raises(NotATable, match=r"8 of 4\d rows do not fit the table \(line 42:"):
        rows_of(tmp_path, HEADER + "".join([*LINES, bad * 8]))


@pytest.mark.parametrize("behind", ["3;;4\x1f\na;;b\n|3;;4\n", "1;;2;;3;;4;;5;;6\n"])
def test_long_rows_behind_a_blank_line_are_no_error(tmp_path: Path, behind: str) -> None:
    info, _ = read(tmp_path, f"a;;b\n1;;2\n3;;4\n5;;6\n\n{behind}")
    assert info.warnings


def test_one_bad_row_of_a_few_is_not_refused(tmp_path: Path) -> None:
    info, rows = rows_of(tmp_path, "a,b\n1,2\n3,4\n5;6\n")
    assert (info.rows, rows[2]) == (3, [5, 6])


@pytest.mark.parametrize("end", ["\n", "\n\n", ",\n", ",,,\n"])
def test_blank_lines_and_trailing_delimiters_everywhere_are_no_guesswork(tmp_path: Path, end: str) -> None:
    info, rows = rows_of(tmp_path, HEADER + "".join(line.rstrip("\n") + end for line in LINES))
    assert rows == [expected(row) for row in range(40)]
    assert [each.code for each in info.warnings] == (["trailing_delimiters"] if "," in end else [])


def test_absent_last_cells_everywhere_are_no_guesswork(tmp_path: Path) -> None:
    info, rows = rows_of(tmp_path, HEADER + "".join(line.rpartition(",")[0] + "\n" for line in LINES[:20]) + LINES[20])
    assert [row[:3] for row in rows] == [expected(row)[:3] for row in range(21)]
    assert [(each.code, each.count) for each in info.warnings if each.column is None] == [("short_rows", 20)]


@pytest.mark.parametrize("word", ["Total", "Grand total", "Summe", "Average"])
@pytest.mark.parametrize("note", ["", "\n"])
def test_a_last_row_that_sums_up_is_kept_with_a_warning(tmp_path: Path, word: str, note: str) -> None:
    info, _ = rows_of(tmp_path, HEADER + "".join(LINES) + f"{note}{word},820,780000,\n")
    assert info.rows == 41
    assert [each.examples[0].line for each in info.warnings if each.code == "looks_like_total"] == [42 + len(note)]


@pytest.mark.parametrize("spoiled", ["", "# c\n# d\n", "Title\n\n"])
@pytest.mark.parametrize("cell", ["x", '"x\ny"', '"x\n\n\ny"'])
def test_the_line_of_a_row_is_known(tmp_path: Path, spoiled: str, cell: str) -> None:
    text = spoiled + "a,b,c\n" + "".join(f"{n},{cell if n % 3 else 'z'},{n}.5\n" for n in range(1000))
    path = tmp_path / "table.csv"
    path.write_text(text, newline="")
    reader = open_delimited(path, ReadOptions(), 100)
    rows = sum(len(block[0]) for block in reader)
    lines = text.split("\n")
    assert rows == 1000
    assert all(lines[reader.line_of(row) - 1].startswith(f"{row},") for row in range(1000))


@pytest.mark.parametrize(("bad", "detail"), [(1, "1 row has no last cells; "), (2, "2 rows have no last cells; ")])
def test_a_warning_counts_in_words_that_agree(tmp_path: Path, bad: int, detail: str) -> None:
    info, _ = rows_of(tmp_path, HEADER + "".join(LINES) + "Bath,20.5,20000\n" * bad)
    assert next(each for each in info.warnings if each.code == "short_rows").detail.startswith(detail)


def test_surplus_numbers_are_never_joined_to_a_number(tmp_path: Path) -> None:
    text = "a,b\n1,2\n3,4,5\n" + "".join(f"{n},{n * 2}\n" for n in range(30))
    info, path = read(tmp_path, text)
    assert pq.read_table(path).slice(1, 1).to_pylist() == [{"a": 3.0, "b": 4.0}]
    assert "long_rows" in [each.code for each in info.warnings]


def test_a_surplus_comma_within_words_spares_dates_and_numbers(tmp_path: Path) -> None:
    rows = [f"2020-01-{day:02},Person {day % 7},Remark {day % 3},{day * 3}" for day in [*range(1, 25)] * 2]
    rows[5] = "2020-01-06,Smith, John,Remark 2,7"
    rows[9] = "2020-01-10,Person 3,Milk, eggs,31"
    rows[12] = "2020-01-13,Person 4,Remark 1,bread,39"
    info, path = read(tmp_path, "\n".join(["date,name,remark,n", *rows, ""]))
    assert kinds(info) == {"date": "date", "name": "category", "remark": "category", "n": "number"}
    read_rows = preview_rows(path, 20)
    assert [*read_rows[5].values()] == ["2020-01-06", "Smith, John", "Remark 2", 7]
    assert [*read_rows[9].values()] == ["2020-01-10", "Person 3", "Milk, eggs", 31]
    assert [*read_rows[12].values()] == ["2020-01-13", "Person 4", "Remark 1,bread", 39]
    assert [warning.code for warning in info.warnings] == ["long_rows"]


def test_thousands_that_are_not_quoted_are_one_number(tmp_path: Path) -> None:
    rows = [f"Person {day % 7},2020-01-{day:02},{day * 3}" for day in range(1, 25)]
    rows[8] = "Person 2,2020-01-09,1,007"
    _, path = read(tmp_path, "\n".join(["name,date,n", *rows, ""]))
    assert [*preview_rows(path, 9)[8].values()] == ["Person 2", "2020-01-09", 1007]


@pytest.mark.parametrize("cell", ['="0012"', '"=""0012"""'])
def test_a_text_of_excel_keeps_its_zeros(tmp_path: Path, cell: str) -> None:
    info, path = read(tmp_path, f"code,n\n{cell},1\n{cell.replace('12', '13')},2\n{cell.replace('00', '45')},3\n")
    assert [row["code"] for row in preview_rows(path, 3)] == ["0012", "0013", "4512"]
    assert "excel_text" in [warning.code for warning in info.warnings]


@pytest.mark.parametrize("count", ["24 rows selected.", "24 record(s) selected.", "(24 rows)", "(24 rows affected)"])
def test_the_count_below_the_output_of_a_database_is_no_row(tmp_path: Path, count: str) -> None:
    rows = "".join(f"{n:5} {'Ann':10} {n * 100:8}\n" for n in range(24))
    info, _ = read(tmp_path, f"   ID NAME         SALARY\n----- ---------- --------\n{rows}\n  {count}\n")
    assert (info.rows, kinds(info)) == (24, {"ID": "number", "NAME": "category", "SALARY": "number"})


def test_a_header_that_is_repeated_often_is_no_row(tmp_path: Path) -> None:
    page = "Name,Amount\n" + "".join(f"N{n},{n}.5\n" for n in range(5))
    info, _ = read(tmp_path, page * 6)
    assert (info.rows, kinds(info)["Amount"]) == (30, "number")


def test_a_small_table_above_many_lines_that_do_not_belong_to_it_is_refused(tmp_path: Path) -> None:
    summary = "Source   df   Squares   Mean\n\nBetween   8   1.68   0.21\nWithin  180   1.80   0.01\n\n\n"
    data = "Data:  group   value\n" + "".join(f"        {n % 5}     {n}.5\n" for n in range(400))
    with pytest.raises(NotATable, match=r"only 2 of 40. lines are rows .* say with skip_lines"):
        read(tmp_path, f"Values:\n\n{summary}{data}")
    info, _ = read(tmp_path, f"Values:\n\n{summary}{data}", ReadOptions(skip_lines=9, header=False))
    assert info.rows == 400


def test_rows_without_values_at_the_end_are_kept_and_told(tmp_path: Path) -> None:
    table = "".join(f"York;{n};{n}.5\n" for n in range(9))
    for text in (f"town;n;x\n{table};;\n;;\n", f";town;n;x;\n{table.replace('York', ';York')};;;;\n;;;;\n"):
        info, _ = read(tmp_path, text)
        found = [(each.count, each.examples[0].line) for each in info.warnings if each.code == "empty_rows"]
        assert (info.rows, found) == (11, [(2, 11)])
    assert "empty_rows" not in [each.code for each in read(tmp_path, f"town;n;x\n;;\n{table}")[0].warnings]


@pytest.mark.parametrize("blank", ["", "\n"])
def test_a_footnote_with_commas_is_no_row(tmp_path: Path, blank: str) -> None:
    table = "town,size,rooms,price\n" + "".join(f"{['York', 'Bath'][n % 2]},{n},{n % 5},{n * 7}\n" for n in range(20))
    info, _ = read(tmp_path, table + blank + "Source: national office of statistics, 2020\n")
    assert (info.rows, [each.code for each in info.warnings if each.column is None]) == (20, ["lines_skipped"])


def test_a_line_above_footnotes_is_no_row(tmp_path: Path) -> None:
    table = "town,size\n" + "".join(f"Town {n},{n}\n" for n in range(20))
    info, _ = read(tmp_path, table + "=========\nFootnotes\nSizes are those of 2020.\n")
    assert (info.rows, [each.code for each in info.warnings if each.column is None]) == (20, ["lines_skipped"])


@pytest.mark.parametrize("ends", [("\r\n", "\n"), ("\n", "\r\n"), ("\n", "\r"), ("\r\n", "\r")])
def test_a_header_that_is_repeated_with_another_line_end_is_no_row(tmp_path: Path, ends: tuple[str, str]) -> None:
    first, other = ends
    parts = [f"{n},w{n % 3}" for n in range(6000)]
    lines = ["a,b", *parts[:3000]]
    data = first.join(lines) + first + other.join(["a,b", *parts[3000:]]) + other
    info, _ = read(tmp_path, data)
    assert info.rows == 6000
    assert kinds(info)["a"] == "number"
