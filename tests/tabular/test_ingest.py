"""Files become tables, or errors that name the line."""

import csv
import io
import re
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backpropd.errors import EmptyDataset, NotATable
from backpropd.tabular import Table, ingest, preview_rows
from backpropd.tabular.columns import MISSING_VALUES
from backpropd.tabular.delimited.lossy_numbers import WINDOW_BYTES
from backpropd.tabular.delimited.reader import DelimitedReader
from backpropd.tabular.formats import FORMATS, FileFormat, open_text
from backpropd.tabular.lossless_numbers import NUMBER, parse_numbers
from tests.tabular.reading import kinds, levels, read


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(tmp_path: Path, delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["a", "b"], ["1.5", "x, y"]])
    info, path = read(tmp_path, out.getvalue())
    assert preview_rows(path, 5) == [{"a": 1.5, "b": "x, y"}]
    assert info.format == ("tsv" if delimiter == "\t" else "csv")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-3e4", "+5", ""], "number"),
        (["0", "1"], "number"),
        (["007", "8"], "category"),
        (["1e400", "1"], "category"),
        (["9007199254740993", "1"], "category"),
        (["9007199254740993", "0.5"], "category"),
        (["-9007199254740993.0", "0.5"], "category"),
        (["6.02e23", "1e300"], "number"),
        (["1e-400", "1"], "category"),
        (["-0.0000", "0e-999"], "number"),
        (["0", "5", "0"], "number"),
        (["-007", "1"], "category"),
        (["+0.7", "-0.7", "0.07", ".07"], "number"),
        ([" 7", "8 "], "number"),
        (["0x10", "1"], "category"),
        (["１２", "1"], "number"),
        (["yes", "No", ""], "boolean"),
        (["TRUE", "false"], "boolean"),
        (["true", "no"], "category"),
        (["a", "b", "a"], "category"),
        ([f"id-{n}" for n in range(30)], "text"),
        (["", "NA"], "number"),
    ],
)
def test_the_kind_of_a_column_follows_the_rule(tmp_path: Path, cells: list[str], kind: str) -> None:
    info, _ = read(tmp_path, "row,x\n" + "".join(f"r,{cell}\n" for cell in cells))
    assert kinds(info)["x"] == kind
    assert info.columns[1].missing == sum(cell in MISSING_VALUES for cell in cells)


LOSSY = ["007", "-007", " +00.5", "9007199254740993", "1e-400", "0." + "0" * 400 + "1", "1e400"]


@pytest.mark.parametrize(("cell", "quote"), [*((cell, "") for cell in LOSSY), ("007", '"'), ("1e-400", '"')])
def test_a_late_value_that_a_float64_cannot_represent_makes_the_column_text(
    tmp_path: Path, cell: str, quote: str
) -> None:
    info, path = read(tmp_path, "a,b\n" + "1.50,2\n" * 200_000 + f"{quote}{cell}{quote},3\n")
    assert kinds(info) == {"a": "category", "b": "number"}
    assert sorted(levels(path)) == sorted(["1.50", cell.strip()])


@pytest.mark.parametrize(("cell", "text"), [('"0"07', "007"), ('""07', "07"), ('"1e"-400', "1e-400"), ('"-"07', "-07")])
def test_a_partly_quoted_number_keeps_its_text(tmp_path: Path, cell: str, text: str) -> None:
    info, path = read(tmp_path, f"a,b\n1.50,2\n{cell},3\n")
    assert (kinds(info)["a"], preview_rows(path, 2)[1]["a"]) == ("category", text)


@pytest.mark.parametrize("cell", LOSSY)
def test_a_lossy_first_value_makes_the_column_text(tmp_path: Path, cell: str) -> None:
    info, path = read(tmp_path, f"a\n{cell}\n0\n")
    assert (kinds(info)["a"], preview_rows(path, 1)[0]["a"]) == ("category", cell.strip())


@pytest.mark.parametrize("offset", range(-6, 2))
@pytest.mark.parametrize("cell", ["007", "-07", " 00", "1e-400"])
def test_a_lossy_value_is_found_at_the_edge_of_a_window(tmp_path: Path, cell: str, offset: int) -> None:
    before = "1.5\n" * (WINDOW_BYTES // 4 - 2)
    before += "2" * (WINDOW_BYTES + offset - len(before) - 1) + "\n"
    _, path = read(tmp_path, f"a\n{before}{cell}\n0\n")
    assert cell.strip() in levels(path)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_file_is_read_at_most_twice_if_many_columns_turn_out_to_be_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quote: str
) -> None:
    passes = []
    tasks = DelimitedReader._tasks
    monkeypatch.setattr(DelimitedReader, "_tasks", lambda reader: passes.append(reader) or tasks(reader))
    late = "".join(f"{'1,' * n}late,{'1,' * (9 - n)}1\n" + f"{'1,' * 10}1\n" * 50_000 for n in range(10))
    info, _ = read(tmp_path, ",".join("abcdefghij") + f",{quote}k{quote}\n" + f"{'1,' * 10}1\n" * 50_000 + late)
    assert list(kinds(info).values()) == ["number"] * 11
    assert [column.missing for column in info.columns] == [1] * 10 + [0]
    assert len(passes) == 3  # the first block for the guess, and twice the whole file


NUMERALS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False).map(repr),
    st.from_regex(r"[+-]?[0-9]{0,4}\.?[0-9]{0,4}(e[+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"[ ]?0{0,3}[1-9]{0,20}[ ]?", fullmatch=True),
    st.sampled_from(["x", "", "NA", "１", "9007199254740992", "9007199254740991", "1e-324", "5e-324", "1_0"]),
)


def is_lossless(cell: str) -> bool:
    """The rule for numbers, cell by cell, in exact arithmetic."""
    if not NUMBER.fullmatch(cell):
        return False
    text = cell.strip()
    exact, x = Decimal(text), float(text)
    whole = "e" not in text and exact == exact.to_integral_value()
    is_code = re.match(r"[+-]?0[0-9]", text) or re.fullmatch(r"\+[0-9]{7,}", text)
    return not is_code and np.isfinite(x) and not (whole and abs(exact) >= 2**53) and (x != 0) == (exact != 0)


@settings(deadline=None)
@given(cells=st.lists(NUMERALS, min_size=1, max_size=6))
def test_a_block_of_numbers_follows_the_rule_cell_by_cell(cells: list[str]) -> None:
    numbers = parse_numbers(pa.array(["1", *cells]).slice(1))
    assert (numbers is not None) == all(is_lossless(cell) for cell in cells)
    if numbers is not None:
        assert numbers.to_pylist() == [float(cell) for cell in cells]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("2019,2020\n1.5,2\n3.5,4.5\n2.5,1.5\n", ["2019", "2020"]),
        ("city,2019,2020\nBerlin,83019213,83166711\n", ["city", "2019", "2020"]),
        (",0,1\na,0.5,2.5\n", ["column_1", "0", "1"]),
        ("1,2,3\n4,5,6\n", None),
        ("1,10\n2,20\n2.5,30.5\n", None),
        ("1990,1995\n2.5,2001\n", None),
        ("5,red\n4.5,blue\n", None),
        ("2020,2019\n1.5,2.5\n", None),
        ("2019,2020\n", None),
    ],
)
def test_numbers_are_a_header_only_if_they_differ_from_the_cells_below(
    tmp_path: Path, text: str, names: list[str] | None
) -> None:
    info, _ = read(tmp_path, text)
    width, lines = text.split("\n")[0].count(",") + 1, text.count("\n")
    assert list(kinds(info)) == (names or [f"column_{n}" for n in range(1, width + 1)])
    assert info.rows == lines - bool(names)


def test_a_wide_header_is_read(tmp_path: Path) -> None:
    names = [f"a_rather_long_name_of_a_column_{n}" for n in range(10_000)]
    assert len(",".join(names)) > 256 * 1024
    info, path = read(tmp_path, ",".join(names) + "\n" + ",".join(map(str, range(10_000))) + "\n")
    assert [column.name for column in info.columns] == names
    assert list(preview_rows(path, 1)[0].values()) == list(range(10_000))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-16"])
def test_blank_lines_are_skipped(tmp_path: Path, end: str, encoding: str) -> None:
    text = end.join(["", "", '"ä', 'b",c', "", "1,x", "", "2, NA", "3, ", ""])
    info, path = read(tmp_path, text.encode(encoding))
    assert [[*row.values()] for row in preview_rows(path, 5)] == [[1, "x"], [2, "NA"], [3, None]]
    assert [column.name for column in info.columns] == [f"ä{end}b", "c"]
    assert info.columns[1].missing == 1


def test_columns_without_a_header_are_numbered(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "5.1,setosa\n4.9,setosa\n")
    assert (kinds(info), info.rows) == ({"column_1": "number", "column_2": "category"}, 2)
    info, _ = read(tmp_path, "a,,c\n1,2,3\n")
    assert list(kinds(info)) == ["a", "column_2", "c"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x1f\x8b....", "gzip"),
        (b"a,b\n1,2\n\0,3\n", "line 3 contains a NUL byte"),
        (b"a,b\n" + b"1,2\n" * 200_000 + b"\0,3\n", "line 200002 contains a NUL byte"),
        (b"a,b\n1,2\n" + b"x" * 2_100_000 + b",1\n", "ends at line 3 is longer than 256 KiB"),
        (b'a,b\n1,2\n"' + b"x" * 2_100_000 + b'",1\n', "ends at line 3 is longer than 256 KiB"),
        ("a,b\n1,2\n".encode("utf-16") + b"x", "UTF-16"),
        (b"<html><body>", "a web page"),
    ],
)
def test_an_error_in_a_file_names_the_line(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(NotATable, match=message):
        read(tmp_path, data)


@pytest.mark.parametrize("data", [b"", b"\n\n", b" \r\n"])
def test_a_file_without_content_is_an_empty_dataset(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(EmptyDataset):
        read(tmp_path, data)


@pytest.mark.parametrize("data", [b"a,b\n", b"a,b", b"a,b\n\n", b"a,b\r\n\r\n\r\n"])
def test_a_header_without_rows_is_a_table_with_columns(tmp_path: Path, data: bytes) -> None:
    info, path = read(tmp_path, data)
    assert (info.rows, [column.name for column in info.columns]) == (0, ["a", "b"])
    assert preview_rows(path, 5) == []


def test_statistics_over_many_blocks_equal_numpys(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(5, 3, 150_000).round(6)
    info, path = read(tmp_path, "x\n" + "\n".join(map(str, x.tolist())) + "\n")
    statistics = info.columns[0].statistics
    assert (statistics["min"], statistics["max"]) == (x.min(), x.max())
    assert statistics["mean"] == pytest.approx(x.mean())
    assert statistics["std"] == pytest.approx(x.std())
    assert np.array_equal(Table.read(path, ["x"]).columns["x"], x)  # type: ignore[arg-type]


# Cells that begin with a letter, so that none is missing or a number, without halves and characters of no width.
CHARACTERS = st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs", "Cf"])
CELLS = st.text(CHARACTERS, max_size=20).map(lambda text: "w" + text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20), delimiter=st.sampled_from([",", ";", "\t", "|"])
)
@example(rows=[("w", "w\\"), ("w", "w\\0")], delimiter=",")
def test_what_a_csv_writer_wrote_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, str]], delimiter: str
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("a", "b"), *rows])
    source, target = tmp_path / "t.csv", tmp_path / "t.parquet"
    source.write_bytes(out.getvalue().encode())
    monkeypatch.setitem(FORMATS, "declared", FileFormat("declared", (), partial(open_text, declared=delimiter)))
    ingest(source, target, format="declared")
    assert [tuple(row.values()) for row in preview_rows(target, 100)] == [(a.strip(), b.strip()) for a, b in rows]


def test_the_number_pattern_matches_only_decimals() -> None:
    assert all(NUMBER.fullmatch(text) for text in ("1", "-1.5", ".5", "5.", "1e-3", " 7 "))
    assert not any(NUMBER.fullmatch(text) for text in ("", "-", "1,5", "0x1", "1_000", "nan", "１"))


def test_a_quote_within_a_word_is_valid(tmp_path: Path) -> None:
    _, path = read(tmp_path, 'size,n\n5" pipe,1\n')
    assert preview_rows(path, 5) == [{"size": '5" pipe', "n": 1}]


def test_columns_that_training_leaves_out_are_told(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "id,same,none,x\n" + "".join(f"{n},7,,{n % 5}\n" for n in range(1, 21)))
    found = {(warning.column, warning.code) for warning in info.warnings}
    assert found == {("id", "looks_like_id"), ("same", "constant_column"), ("none", "empty_column")}


@pytest.mark.parametrize(("cells", "value"), [(["1.234", "5.678"], 1234), (["1,234", "5,678"], 1.234)])
def test_groups_of_three_beside_semicolons_carry_a_warning(tmp_path: Path, cells: list[str], value: float) -> None:
    info, path = read(tmp_path, "".join(["a;b\n", *(f"{cell};{n}\n" for n, cell in enumerate(cells))]))
    assert Table.read(path, ["a"]).columns["a"][0] == value  # type: ignore[index]
    assert [warning.code for warning in info.warnings if warning.column == "a"] == ["ambiguous_numbers"]


@pytest.mark.parametrize("odd", ["0.5", "12.5", "1.2345"])
def test_a_number_that_cannot_have_thousands_makes_the_point_a_decimal_mark(tmp_path: Path, odd: str) -> None:
    info, path = read(tmp_path, f"a;b\n1.234;1\n5.678;2\n{odd};3\n")
    assert Table.read(path, ["a"]).columns["a"].tolist() == [1.234, 5.678, float(odd)]  # type: ignore[union-attr]
    assert "ambiguous_numbers" not in [warning.code for warning in info.warnings]


@pytest.mark.parametrize(
    ("levels", "rows", "kind"),
    [(20, 40, "category"), (21, 200, "text"), (24, 322, "category"), (100, 1000, "category"), (101, 1500, "text")],
)
def test_words_that_recur_often_enough_are_a_category(tmp_path: Path, levels: int, rows: int, kind: str) -> None:
    info, _ = read(tmp_path, "team,n\n" + "".join(f"t{n % levels},{n}\n" for n in range(rows)))
    assert info.columns[0].kind == kind
