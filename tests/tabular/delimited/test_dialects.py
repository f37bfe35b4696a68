"""Delimiters, quotes, escapes and line ends are recognized, and what surrounds a table is left out with a warning."""

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from backpropd.errors import NotATable
from backpropd.tabular import IngestedTable, ReadOptions, preview_rows
from tests.tabular.reading import kinds, read

NAMES = ["when", "size", "town", "note"]
ROWS = [
    [f"2024-03-{n:02}", f"{n}.5", ["York", "Bath"][n % 2], ['a "b" c', "x, y; z", "plain"][n % 3]] for n in range(1, 25)
]
PLAIN = [[*row[:3], "some words"] for row in ROWS]


def written(rows: list[list[str]] = ROWS, names: list[str] | None = NAMES, **options: Any) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", **options).writerows(rows if names is None else [names, *rows])
    return out.getvalue()


def stored(folder: Path, text: str, **options: Any) -> tuple[IngestedTable, list[list[Any]]]:
    """What was ingested, and the rows but for the dates, which are stored as instants."""
    info, path = read(folder, text, ReadOptions(**options))
    return info, [list(row.values())[1:] for row in pq.read_table(path).to_pylist()]


def expected(rows: list[list[str]] = ROWS) -> list[list[Any]]:
    return [[float(row[1]), *row[2:]] for row in rows]


def codes(info: IngestedTable) -> list[str]:
    return [each.code for each in info.warnings]


@pytest.mark.parametrize(
    ("text", "delimiter", "quote"),
    [
        (written(), ",", '"'),
        (written(delimiter=";"), ";", '"'),
        (written(delimiter="\t"), "\t", '"'),
        (written(delimiter="|"), "|", '"'),
        (written(delimiter=" "), " ", '"'),
        (written(delimiter="~"), "~", '"'),
        (written(delimiter="\x01"), "\x01", '"'),
        (written(delimiter="\u00a6"), "\u00a6", '"'),
        (written(quotechar="'"), ",", "'"),
        (written(quotechar="'", quoting=csv.QUOTE_ALL), ",", "'"),
        (written(quoting=csv.QUOTE_ALL), ",", '"'),
        (written(escapechar="\\", doublequote=False), ",", '"'),
        (written(escapechar="\\", doublequote=False, quoting=csv.QUOTE_ALL), ",", '"'),
        (written().replace("\n", "\r\n"), ",", '"'),
        (written().replace("\n", "\r"), ",", '"'),
        (written().replace("\n", "\r\n", 9).replace("York\n", "York\r"), ",", '"'),
        (written().rstrip("\n"), ",", '"'),
        (written() + "\n\n", ",", '"'),
    ],
)
def test_a_dialect_is_recognized(tmp_path: Path, text: str, delimiter: str, quote: str) -> None:
    info, rows = stored(tmp_path, text)
    assert info.dialect is not None
    assert (info.dialect["delimiter"], info.dialect["quote"]) == (delimiter, quote)
    assert [column.name for column in info.columns] == NAMES
    assert rows == expected()


@pytest.mark.parametrize("delimiter", [", ", ";;", "||", "::", "   "])
def test_a_long_delimiter_is_recognized(tmp_path: Path, delimiter: str) -> None:
    text = written(PLAIN, delimiter="\x01").replace("\x01", delimiter)
    _, rows = stored(tmp_path, text)
    assert rows == expected(PLAIN)


def test_aligned_columns_are_read(tmp_path: Path) -> None:
    rows = [[row[0], row[1].rjust(9), row[2].ljust(8), "x"] for row in ROWS]
    info, found = stored(tmp_path, "\n".join(" ".join(row) for row in [[" " + NAMES[0], *NAMES[1:]], *rows]))
    assert found == [[float(row[1]), row[2], "x"] for row in ROWS]
    assert "unusual_delimiter" in codes(info)


@pytest.mark.parametrize(
    ("before", "skipped"),
    [
        ("sep=,\n", 1),
        ("Sizes of towns\n", 1),
        ("Sizes of towns,,,\n,,,\n", 2),
        ("Sizes of towns\nby the office, 2024\n\n", 3),
        ("Station: York\nPeriod: 2023, 2024\n\n", 3),
        ("# sizes, of towns\n# in 2024\n", 2),
        ("% sizes\n%\n", 2),
        ("// sizes\n// of towns\n", 2),
    ],
)
def test_what_precedes_a_table_is_skipped_with_a_warning(tmp_path: Path, before: str, skipped: int) -> None:
    info, rows = stored(tmp_path, before + written())
    assert rows == expected()
    assert info.dialect is not None
    assert info.dialect["skipped_lines"] == skipped
    assert [(each.code, each.examples[0].line) for each in info.warnings] == [("lines_skipped", 1)]


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        ("\nSource: the office, 2024\n", 1),
        ("Source: the office\n* preliminary\n", 2),
        ("\nOther towns\n\na,b,c,d,e,f\n" + "1,2,3,4,5,6\n" * 200, 202),
        ("\nwhen2,size2,town2,note2\n" + written(names=None), 25),
        ("\na,b\n1,2\n3,4\n", 3),
    ],
)
def test_what_follows_a_table_is_left_out_with_a_warning(tmp_path: Path, after: str, lines: int) -> None:
    info, rows = stored(tmp_path, written() + after)
    assert rows == expected()
    assert [(each.code, each.count) for each in info.warnings] == [("lines_skipped", lines)]


def test_comments_and_repeated_headers_between_rows_are_left_out(tmp_path: Path) -> None:
    text = "# first\n# second\n" + written(ROWS[:12]) + "# between\n" + written(ROWS[12:])
    info, rows = stored(tmp_path, text)
    assert rows == expected()
    assert [(each.code, each.count) for each in info.warnings] == [("lines_skipped", 4)]


def test_cells_that_begin_like_comments_are_cells(tmp_path: Path) -> None:
    info, _ = stored(tmp_path, "name,n\n" + "".join(f"#{n},{n}\n" for n in range(9)))
    assert (info.rows, info.warnings) == (9, ())


@pytest.mark.parametrize("data", ["a,b\n1,2\n,\n3,\n", "a,b,c\n,,\n1,2,3\n"])
def test_rows_of_empty_cells_are_rows(tmp_path: Path, data: str) -> None:
    info, _ = stored(tmp_path, data)
    assert info.rows == data.count("\n") - 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("when the town\nwas small\nit grew\n", "' '"),
        ("a/b\nx/y\nz/w\n", "'/'"),
        ("name\nYork\nBath\n", "name the delimiter"),
    ],
)
def test_a_single_column_of_text_is_refused_with_a_guess_of_the_delimiter(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(NotATable, match=f"single column of text.*{hint}"):
        read(tmp_path, text)


def test_a_single_column_of_numbers_is_a_table(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "size\n1.5\n2.5\n")
    assert (info.rows, info.columns[0].kind) == (2, "number")


def test_options_override_the_guess(tmp_path: Path) -> None:
    text = "first line\n! a comment\na:b\n'1:2':x\n! another\n3:y\n"
    info, path = read(tmp_path, text, ReadOptions(delimiter=":", quote="'", skip_lines=1, comment="!", header=True))
    assert [list(row.values()) for row in pq.read_table(path).to_pylist()] == [["1:2", "x"], ["3", "y"]]
    assert info.dialect is not None
    assert info.dialect["skipped_lines"] == 2


def test_title_lines_padded_with_delimiters_are_left_out(tmp_path: Path) -> None:
    padded = "Report of sizes,,,\nMade 2024-04-01,,,\n,,,\n"
    info, rows = stored(tmp_path, padded + written(PLAIN))
    assert [each.name for each in info.columns] == NAMES
    assert rows == expected(PLAIN)
    (warning,) = [each for each in info.warnings if each.code == "lines_skipped"]
    assert warning.examples[0].value == "Report of sizes,,,"


def test_spaces_within_the_cells_of_an_aligned_table_do_not_split_them(tmp_path: Path) -> None:
    lines = ["name       age   height", *(f"{f'Ann B{n}':<11}{n * 3 % 50:<6}{n * 1.5:<6}" for n in range(30))]
    info, path = read(tmp_path, "\n".join(lines))
    assert [each.name for each in info.columns] == ["name", "age", "height"]
    assert pq.read_table(path).column("name").to_pylist()[:2] == ["Ann B0", "Ann B1"]


def test_sentences_below_one_word_are_no_table(tmp_path: Path) -> None:
    text = "notes\n" + "".join(f"some free text number {n} and more\n" for n in range(30))
    with pytest.raises(NotATable, match="single column of text"):
        read(tmp_path, text)


def test_a_comment_between_rows_is_shown_as_it_stands(tmp_path: Path) -> None:
    text = "a,b\n" + "".join("# a note\n" if n % 10 == 4 else f"{n},{n * 7 % 5}\n" for n in range(40))
    info, _ = read(tmp_path, text)
    (warning,) = [each for each in info.warnings if each.code == "lines_skipped"]
    assert (warning.count, warning.examples[0].line, warning.examples[0].value) == (4, 6, "# a note")


@pytest.mark.parametrize("quote", ["“", "«"])
def test_a_quote_may_be_any_character(tmp_path: Path, quote: str) -> None:
    info, path = read(tmp_path, f"a,b\n{quote}x, y{quote},1\n{quote}z{quote},2\n", ReadOptions(quote=quote))
    assert pq.read_table(path)["a"].to_pylist() == ["x, y", "z"]
    assert info.dialect is not None
    assert info.dialect["quote"] == quote


@pytest.mark.parametrize("blank", ["", ";;;\n"])
def test_a_padded_list_of_properties_above_the_header_is_left_out(tmp_path: Path, blank: str) -> None:
    above = "Statement;;;\nAccount;DE 123;;\nPeriod;2024-03-01 to 2024-03-31;;\n" + blank
    info, rows = stored(tmp_path, above + written(PLAIN, delimiter=";"))
    assert [each.name for each in info.columns] == NAMES
    assert rows == expected(PLAIN)


def test_properties_with_blank_lines_between_them_are_left_out(tmp_path: Path) -> None:
    above = '"Data Source","Indicators of sizes",,\n\n"Last Updated","2024-03-01",,\n\n'
    info, rows = stored(tmp_path, above + written(PLAIN, quoting=csv.QUOTE_ALL))
    assert [each.name for each in info.columns] == NAMES
    assert rows == expected(PLAIN)


@pytest.mark.parametrize("blank", ["", ",,,\n"])
def test_notes_padded_with_delimiters_behind_the_table_are_left_out(tmp_path: Path, blank: str) -> None:
    below = f"{blank}Note: sizes are provisional,,,\nSource: a survey,,,\n"
    info, rows = stored(tmp_path, written(PLAIN) + below)
    assert rows == expected(PLAIN)
    assert "lines_skipped" in codes(info)


def test_a_last_row_with_a_name_alone_and_empty_rows_are_kept(tmp_path: Path) -> None:
    for last in ("2024-03-30,,,\n", ",,,\n,,,\n"):
        info, _ = read(tmp_path, written(PLAIN) + last)
        assert info.rows == len(PLAIN) + last.count("\n")


def test_a_file_whose_lines_were_joined_is_told(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "a,b,c1,2,34,5,6")
    assert "single_line" in [each.code for each in info.warnings]
    for text in ("a,b,c\n", "a,b\n1,2", "7"):
        assert "single_line" not in [each.code for each in read(tmp_path, text)[0].warnings]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_are_in_quotes_as_a_whole_are_read_without_them(tmp_path: Path, delimiter: str, end: str) -> None:
    rows = [["town", "size", "note"], *([f"York {n}", f"{n}.5", 'he said ""old""'] for n in range(9))]
    info, path = read(tmp_path, "".join(f'"{delimiter.join(row)}"{end}' for row in rows))
    assert kinds(info) == {"town": "category", "size": "number", "note": "category"}
    assert preview_rows(path, 1) == [{"town": "York 0", "size": 0.5, "note": 'he said "old"'}]
    assert "wrapped_lines" in [each.code for each in info.warnings]


@pytest.mark.parametrize("end", ["\r\n\x1a", "\x1a"])
def test_the_end_of_file_mark_of_dos_is_no_row_and_no_part_of_a_number(tmp_path: Path, end: str) -> None:
    info, _ = read(tmp_path, "town,size\r\nYork,1\r\nBath,2" + end)
    assert (info.rows, kinds(info)["size"]) == (2, "number")


@pytest.mark.parametrize("last", ["March {:02}, 2021 at 10:{:02} AM", "Tue, {:02} Mar 2021 10:{:02}:00 +0200"])
def test_a_delimiter_within_quotes_speaks_for_it_and_not_for_the_spaces_there(tmp_path: Path, last: str) -> None:
    lines = [f'ash,"{last.format(n, n)}"\n' for n in range(1, 20)]
    info, _ = read(tmp_path, "tree,seen\n" + "".join(lines))
    assert (info.rows, [column.name for column in info.columns]) == (19, ["tree", "seen"])
