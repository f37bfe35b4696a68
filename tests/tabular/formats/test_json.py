"""Tables in JSON, in all the forms that people write them in, and errors that name the line."""

import json
from pathlib import Path

import pytest

from backpropd.errors import EmptyDataset, NotATable, TableTooLarge
from backpropd.tabular import ReadOptions, TableLimits, ingest, preview_rows
from tests.tabular.formats.reading import codes, kinds, read

AB = [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ('[{"a": 1, "b": "x"}, {"a": 2.5}]', "json"),
        ('[\n  {"b": "x", "a": 1},\n  {"a": 2.5, "b": null}\n]\n', "json"),
        ('\ufeff[["a", "b"], [1, "x"], [2.5, null]]', "json"),
        ('{"data": [{"a": 1, "b": "x"}, {"a": 2.5, "b": ""}]}', "json"),
        ('{"a": [1, 2.5], "b": ["x", null]}', "json"),
        ('{"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2.5, null]]}', "json"),
        ('{"a": {"0": 1, "1": 2.5}, "b": {"0": "x", "1": null}}', "json"),
        ('{"0": {"a": 1, "b": "x"}, "1": {"a": 2.5}}', "json"),
        ('{"a": 1, "b": "x"}\n\n{"a": 2.5}\n', "jsonl"),
        ('{"a": 1,\n "b": "x"}{"a": 2.5}', "jsonl"),
        ('["a", "b"]\n[1, "x"]\r\n[2.5, null]', "jsonl"),
    ],
)
def test_every_form_of_a_table_is_read(tmp_path: Path, text: str, format: str) -> None:
    table, rows = read(tmp_path, text)
    assert (table.format, table.dialect) == (format, None)
    assert rows == AB


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ('{"data": {"p": {"a": 1, "b": "x"}, "q": {"b": null, "a": 2.5}}}', False),
        ('{"status": "ok", "data": {"p": {"a": 1, "b": "x"}, "q": {"a": 2.5, "b": null}}}', True),
        ('{"response": {"code": 200, "items": {"p": {"a": 1, "b": "x"}, "q": {"a": 2.5, "b": null}}}}', True),
    ],
)
def test_rows_by_key_within_an_envelope_are_read(tmp_path: Path, text: str, left_out: bool) -> None:
    table, rows = read(tmp_path, text)
    assert rows == [{"key": key, **row} for key, row in zip("pq", AB, strict=True)]
    assert (("members_left_out", None) in codes(table)) == left_out


def test_objects_unlike_each_other_are_one_row(tmp_path: Path) -> None:
    text = '{"name": "n", "data": {"math": {"a": 1}, "biology": {"b": 2}}}'
    assert read(tmp_path, text)[1] == [{"name": "n", "data.math.a": 1, "data.biology.b": 2}]


def test_one_object_of_single_values_is_one_row(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a": 1, "b": "x"}')[1] == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_the_encodings_of_json_are_read(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, '[{"größe": "ä"}]'.encode(encoding))[1] == [{"größe": "ä"}]


def test_names_are_the_union_of_all_objects_in_the_order_of_appearance(tmp_path: Path) -> None:
    lines = ['{"b": 1}'] * 9000 + ['{"a": "x", "b": 2}', '{"c": 1}']
    table, _ = read(tmp_path, "\n".join(lines))
    assert [(column.name, column.missing) for column in table.columns] == [("b", 1), ("a", 9001), ("c", 9001)]


def test_values_are_kept_as_they_are_written(tmp_path: Path) -> None:
    cells = ["3", "3.10", '"x"', "12345678901234567890", "true", "1e400", '" padded "']
    _, rows = read(tmp_path, "[" + ",".join(f'{{"a": {cell}}}' for cell in cells) + "]")
    assert [row["a"] for row in rows] == ["3", "3.10", "x", "12345678901234567890", "true", "1e400", "padded"]


def test_numbers_that_a_float64_cannot_represent_make_a_column_of_strings(tmp_path: Path) -> None:
    table, rows = read(tmp_path, '[{"a": 9007199254740993, "b": 1e-400, "c": 6.02e23}]')
    assert kinds(table)["c"] == "number"
    assert (rows[0]["a"], rows[0]["b"]) == ("9007199254740993", "1e-400")


def test_a_late_word_makes_the_whole_column_words(tmp_path: Path) -> None:
    _, rows = read(tmp_path, '{"a": 1.50}\n' * 20_000 + '{"a": "word"}\n' * 20_000)
    assert rows[0] == {"a": "1.50"}


def test_inner_objects_become_columns_and_lists_become_json(tmp_path: Path) -> None:
    table, rows = read(tmp_path, '[{"a": {"b": {"c": 1}, "d": {}}, "t": [1, 2.50, "x", {"k": null}]}]')
    assert rows == [{"a.b.c": 1, "a.d": None, "t": '[1, 2.50, "x", {"k": null}]'}]
    assert ("nested_values", "t") in codes(table)


def test_short_rows_lack_their_last_values(tmp_path: Path) -> None:
    table, rows = read(tmp_path, "[[1, 2],\n[3]]")
    assert rows == [{"column_1": 1, "column_2": 2}, {"column_1": 3, "column_2": None}]
    assert [(each.code, each.examples[0].line) for each in table.warnings] == [("short_rows", 2)]


def test_the_header_of_lists_can_be_declared(tmp_path: Path) -> None:
    text = '[["a", "b"], ["x", "y"]]'
    assert read(tmp_path, text, ReadOptions(header=False))[0].rows == 2
    assert read(tmp_path, "[[1, 2], [3, 4]]", ReadOptions(header=True))[1] == [{"1": 3, "2": 4}]


def test_kinds_keep_cells_as_strings(tmp_path: Path) -> None:
    assert read(tmp_path, '[{"a": 3.10}]', ReadOptions(kinds={"a": "text"}))[1] == [{"a": "3.10"}]


def test_members_beside_the_rows_are_told(tmp_path: Path) -> None:
    table, _ = read(tmp_path, '{"count": 1, "data": [{"a": 1}], "next": null}')
    assert codes(table)[0] == ("members_left_out", None)
    assert "'count', 'next'" in table.warnings[0].detail


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1},\n{"a": NaN}]', "line 2: .*NaN is not a number in JSON: write null"),
        ('[{"a": 1},\n{"a": -Infinity}]', "line 2: .*-Infinity"),
        ('{"a": 1}\n{"a": 2\n{"a": 3}\n', "line 3: this is not valid JSON: expecting ',' delimiter"),
        ('{"a": 1}\n{"a": 2', "line 2: .*cut off"),
        ('[{"a": 1},\n{"a": 2},\n', "line 3: .*expected a value|line 3: .*cut off"),
        ('[{"a": 1}\n{"a": 2}]', "line 2: this is not valid JSON: expected ',', and found '{'"),
        ('[{"a": 1}]\n\nx', "line 3: .*more follows"),
        ('{"a": 1,}', "line 1: .*(property name|trailing comma)"),
        ("{'a': 1}", "line 1: .*double quotes"),
        ('{"a": 1, "a": 2}', "the name 'a' twice"),
        ('{"a": 1}\n5\n', "line 2: this row is a single value, and the first row is an object"),
        ('[{"a": 1}, [1]]', "line 1: this row is a list"),
        ("[1, 2]", "a list of single values"),
        ("{}", "this object is empty"),
        ('{"a": [1, 2], "b": [1]}', "'a' has 2 values and 'b' has 1"),
        ('{"x": [{"a": 1}], "y": [{"a": 1}]}', "several tables .'x', 'y'."),
        ('[{"a": "\\u0000"}]', "'a' has a string with the character NUL"),
        ('[{"a": "\\ud800"}]', "half of a surrogate pair"),
        ('[{"\\ud800": 1}]', "half of a surrogate pair"),
        ('[{"a": ' + "[" * 100_000, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        (b'[{"a": 1},\n{"a": "\xe4"}]', "line 2: the text is not valid UTF-8"),
    ],
)  # fmt: skip
def test_broken_json_is_refused_with_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(NotATable, match=message):
        read(tmp_path, text)


def test_a_repeated_name_among_a_hundred_thousand_is_found_at_once(tmp_path: Path) -> None:
    names = [f'"x{n}": 1' for n in range(100_000)]
    with pytest.raises(NotATable, match="the name 'x99999' twice"):
        read(tmp_path, f"[{{{', '.join([*names, names[-1]])}}}]")


@pytest.mark.parametrize("text", ["[]", "[{}]", '{"a": [], "b": []}', '{"data": []}'])
def test_a_table_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(EmptyDataset):
        read(tmp_path, text)


def test_limits_hold_while_the_columns_are_sought(tmp_path: Path) -> None:
    names = json.dumps([{f"c{n}": 1} for n in range(50)])
    with pytest.raises(TableTooLarge, match="11 columns; the maximum is 10"):
        read(tmp_path, names, limits=TableLimits(columns=10))
    with pytest.raises(TableTooLarge, match="more than 10 rows"):
        read(tmp_path, '{"a": 1}\n' * 20, limits=TableLimits(rows=10))


@pytest.mark.parametrize("text", ["[a],[b]\n1,2\n", "{a,b}\n1,2\n", '"[1]",b\n1,2\n'])
def test_a_text_file_is_not_taken_for_json(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text)[0].format == "csv"


def test_a_dotted_name_beside_an_inner_object_is_a_column_of_its_own(tmp_path: Path) -> None:
    table, rows = read(tmp_path, '[{"a.b": 1, "a": {"b": 2}}]')
    assert rows == [{"a.b": 1, "a.b_2": 2}]
    assert ("columns_renamed", None) in codes(table)


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ('{"response": {"data": [{"a": 1, "b": "x"}, {"a": 2.5}]}}', ""),
        ('{"data": {"users": [{"a": 1, "b": "x"}, {"a": 2.5}], "next": null}, "errors": []}', "'errors', 'data.next'"),
        ('{"x": {"fields": [{"id": 1}], "records": [{"a": 1, "b": "x"}, {"a": 2.5}]}}', "'x.fields'"),
        ('{"ms": 3, "hits": {"hits": [["a", "b"], [1, "x"], [2.5, null]]}}', "'ms'"),
        ('{"r": {"s": {"columns": ["a", "b"], "rows": [[1, "x"], [2.5, null]]}}}', ""),
        ('{"at": 7, "hourly": {"a": [1, 2.5], "b": ["x", null]}}', "'at'"),
    ],
)
def test_a_table_within_several_objects_is_found(tmp_path: Path, text: str, left_out: str) -> None:
    table, rows = read(tmp_path, text)
    assert rows == AB
    told = [each.detail for each in table.warnings if each.code == "members_left_out"]
    assert told[0].endswith(f": {left_out}") if left_out else not told


def test_inner_tables_side_by_side_are_refused_with_their_paths(tmp_path: Path) -> None:
    with pytest.raises(NotATable, match=r"several tables \('r\.x', 'r\.y'\)"):
        read(tmp_path, '{"r": {"x": [{"a": 1}], "y": [{"a": 1}]}}')


def test_rows_by_name_keep_their_lists(tmp_path: Path) -> None:
    _, rows = read(tmp_path, '{"p": {"a": 1, "t": [[1]]}, "q": {"a": 2, "t": [[2]]}}')
    assert [(row["key"], row["a"]) for row in rows] == [("p", 1), ("q", 2)]


def test_a_list_within_objects_without_rows_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataset, match=r"'r\.data' is empty"):
        read(tmp_path, '{"r": {"data": []}}')


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"a": n, "b": 'x",[{'} for n in range(100)]),
        json.dumps({"count": 1, "data": [{"a": n, "b": ["x"]} for n in range(100)]}, indent=1),
        "\n".join(json.dumps({"a": n, "b": {"c": 1}}) for n in range(100)),
        json.dumps([["a", "b"], *([n, "x"] for n in range(100))]),
    ],
)
def test_a_look_at_the_beginning_reads_whole_rows(tmp_path: Path, text: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for size in (299, 300, 301, 302):
        source.write_text(text[:302])
        table = ingest(source, target, beginning=size)
        assert 3 < table.rows < 40
    assert preview_rows(target, 3)[2]["a"] == 2


def test_a_look_at_columns_reads_them_whole(tmp_path: Path) -> None:
    (tmp_path / "source").write_text(json.dumps({"a": [*range(100)], "b": [*range(100)]}))
    assert ingest(tmp_path / "source", tmp_path / "target", beginning=300).rows == 100


@pytest.mark.parametrize("text", ["x,y\n1,2", '"x","y"\n1,2\n', "x;y\n1;2\n", "1,2\n3,4\n"])
def test_text_that_is_declared_as_json_is_read_if_it_is_a_table(tmp_path: Path, text: str) -> None:
    for format in ("json", "jsonl"):
        assert read(tmp_path, text, format=format)[0].format == "csv"


@pytest.mark.parametrize(
    "text", ["[1,2", "{a: 1, b: 2}", '["a", 1\n', "[1,2\n3,4\n", "[,]", '["a"],[1]', "{,}", "[a],[b]\n1,2\n"]
)
def test_what_is_declared_as_json_and_begins_like_it_is_broken_json(tmp_path: Path, text: str) -> None:
    for broken in (text, text + " " * 70_000):
        with pytest.raises(NotATable, match="this is broken JSON"):
            read(tmp_path, broken, format="json")


@pytest.mark.parametrize("text", ["null", "42\n", '"text"', '"a,b"', "true", "NaN", "hello", "null,false", "\n0,0\n\n"])
def test_a_single_value_or_line_that_is_declared_as_json_is_no_table(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotATable, match="neither a table in JSON nor in text"):
        read(tmp_path, text, format="json")


def test_the_same_bytes_declared_as_text_are_text(tmp_path: Path) -> None:
    assert read(tmp_path, "[a],[b]\n1,2\n")[1] == [{"[a]": 1, "[b]": 2}]
    assert read(tmp_path, "a,b\n")[0].rows == 0
