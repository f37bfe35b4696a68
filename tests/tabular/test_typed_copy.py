"""Tables that a model is to predict: copied as they are, with the values that an upload would have."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backpropd.errors import NotATable, TableTooLarge
from backpropd.tabular import IngestedTable, ReadOptions, TableLimits, ingest, preview_rows
from backpropd.tabular.inputs.table_rows import TableRows

TABLE = pa.table(
    {
        "x": [0.5, float("nan"), None, float("inf")],
        "whole": pa.array([1, 2, 3, None], pa.int32()),
        "huge": [1, 2, 2**60 + 1, 3],
        "word": pa.array(["a", " b ", None, ""]).dictionary_encode(),
        "day": [dt.date(2020, 1, 2), None, dt.date(1969, 1, 1), dt.date(2000, 1, 1)],
        "flag": [True, None, False, True],
        "inner": [{"a": 1.5}, {"a": 2.5}, None, {"a": 3.5}],
        "list": [[1], [2, 3], None, []],
        "empty": pa.nulls(4),
    }
)
KNOWN = {"x": "number", "whole": "number", "word": "text", "flag": "text"}


def read(folder: Path, table: pa.Table, known: dict[str, str], **options: Any) -> tuple[IngestedTable, list[Any]]:
    """The description of a Parquet file to predict, and its columns' cells."""
    pq.write_table(table, folder / "source", row_group_size=3)
    found = ingest(folder / "source", folder / "copy", options=ReadOptions(known_kinds=known, **options))
    rows = TableRows(folder / "copy", found.rows, found.columns)
    return found, [
        {name: cells.values.to_pylist() for name, cells in block.items()} for block in rows.blocks(rows.names(), 2)
    ]


def is_copied(folder: Path) -> bool:
    return (folder / "copy").read_bytes().startswith(b"ARROW1")


def test_a_copy_has_the_values_and_the_warnings_of_an_upload(tmp_path: Path) -> None:
    copied, blocks = read(tmp_path, TABLE, KNOWN)
    assert is_copied(tmp_path)
    stored = ingest(tmp_path / "source", tmp_path / "stored")
    columns = {name: [value for block in blocks for value in block[name]] for name in blocks[0]}
    columns["day"] = [value and value.date().isoformat() for value in columns["day"]]
    assert columns == {name: [row[name] for row in preview_rows(tmp_path / "stored", 4)] for name in columns}
    assert all(len(next(iter(block.values()))) <= 2 for block in blocks)
    about_training = ("constant_column", "empty_column")
    assert copied.warnings == tuple(each for each in stored.warnings if each.code not in about_training)
    assert copied.rows == stored.rows == 4
    assert [(each.name, each.missing) for each in copied.columns] == [
        (each.name, each.missing) for each in stored.columns
    ]


def test_a_copys_numbers_are_described_by_their_range(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path, pa.table({"x": [3.0, None, -1.5], "none": pa.nulls(3, pa.float64()), "w": ["a"] * 3}), KNOWN
    )
    assert [(each.kind, each.statistics) for each in found.columns[:2]] == [
        ("number", {"min": -1.5, "max": 3.0}),
        ("number", {}),
    ]


@pytest.mark.parametrize(("known", "options"), [({"word": "number"}, {}), (KNOWN, {"missing": ("a",)}), ({}, {})])
def test_a_table_is_not_copied_if_its_cells_may_mean_something_else(
    tmp_path: Path, known: dict[str, str], options: dict[str, Any]
) -> None:
    read(tmp_path, TABLE, known, **options)
    assert not is_copied(tmp_path)


def read_text(folder: Path, text: str, **options: Any) -> dict[str, list[Any]]:
    """The cells of a text to predict, by column."""
    (folder / "source").write_text(text)
    found = ingest(folder / "source", folder / "copy", options=ReadOptions(known_kinds=KNOWN, **options))
    (block,) = TableRows(folder / "copy", found.rows, found.columns).blocks([each.name for each in found.columns], 999)
    return {name: cells.values.to_pylist() for name, cells in block.items()}


def test_text_is_copied_with_the_cells_of_an_upload(tmp_path: Path) -> None:
    text = "x,whole,word,note\n0.5,1,a,b c\n,2, 007 ,\n-1e3,3,,NA\n"
    cells = read_text(tmp_path, text)
    assert is_copied(tmp_path)
    assert cells == {
        "x": [0.5, None, -1000],
        "whole": [1, 2, 3],
        "word": ["a", "007", None],
        "note": ["b c", None, "NA"],
    }
    assert cells == read_text(tmp_path, text, missing=("", "-"))
    assert not is_copied(tmp_path)


LONG = "x,word\n" + "1.5,a\n" * 50_000


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("x;word\n1.234;a\n", 1234),
        ('x,word\n"1,5",a\n', 1.5),
        ("x\tword\tflag\n1.234\t2,5\t3,5\n", 1234),
        ("x,word,other\n1,a,7\n", 1),
        ("x,word,other\n" + "1,a,b\n" * 300 + "1,a,b\n", 1),
        (LONG + '"1.234,5",a\n', 1.5),
    ],
)
def test_text_whose_cells_may_mean_something_else_is_read_as_an_upload(tmp_path: Path, text: str, x: Any) -> None:
    (tmp_path / "source").write_text(text)
    found = ingest(tmp_path / "source", tmp_path / "copy", options=ReadOptions(known_kinds=KNOWN))
    first = next(TableRows(tmp_path / "copy", found.rows, found.columns).blocks(["x"], 1))
    assert first["x"].values.to_pylist() == [x]
    assert is_copied(tmp_path) is text.endswith("b\n")


def test_few_different_words_are_described(tmp_path: Path) -> None:
    words = pa.table({"word": ["b", None, "a", "b"], "text": [f"{n:03}" for n in range(4)], "long": ["a" * 101] * 4})
    found, _ = read(tmp_path, words, {**KNOWN, "text": "text", "long": "text"})
    assert [(each.kind, each.missing, each.distinct) for each in found.columns] == [
        ("category", 1, 2),
        ("category", 0, 4),
        ("text", 0, None),
    ]
    assert found.columns[0].statistics == {"levels": [{"value": "b", "count": 2}, {"value": "a", "count": 1}]}
    many, _ = read(tmp_path, pa.table({"word": [str(n) for n in range(51)]}), KNOWN)
    assert (many.columns[0].kind, dict(many.columns[0].statistics)) == ("text", {})


@pytest.mark.parametrize("limits", [TableLimits(rows=3), TableLimits(cells=30), TableLimits(columns=8)])
def test_a_copy_has_the_limits_of_an_upload(tmp_path: Path, limits: TableLimits) -> None:
    pq.write_table(TABLE, tmp_path / "source")
    with pytest.raises(TableTooLarge):
        ingest(tmp_path / "source", tmp_path / "copy", options=ReadOptions(known_kinds=KNOWN), limits=limits)


def test_a_damaged_file_is_no_copy(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "source", compression="none")
    data = (tmp_path / "source").read_bytes()
    (tmp_path / "source").write_bytes(data[:4] + b"\xff" * 60 + data[64:])
    with pytest.raises(NotATable):
        ingest(tmp_path / "source", tmp_path / "copy", options=ReadOptions(known_kinds=KNOWN))
