"""Columns of a stored table converted to another kind: descriptions and values agree."""

from pathlib import Path

import numpy as np
import pytest

from backpropd.tabular import ColumnInfo, Table, TargetEncoder, ingest, with_kind, with_kinds
from backpropd.tabular.table import CategoricalColumn

TEXT = "store,flag,bit,code,size,note\n" + "".join(
    f"{(101, 205, '')[n % 3]},{('yes', 'No', 'YES', 'No')[n % 4]},{n % 2},{('07', '12')[n % 2]},{n / 4},note {n}\n"
    for n in range(30)
)


@pytest.fixture
def columns(tmp_path: Path) -> dict[str, ColumnInfo]:
    (tmp_path / "a.csv").write_text(TEXT)
    return {info.name: info for info in ingest(tmp_path / "a.csv", tmp_path / "a.parquet").columns}


@pytest.mark.parametrize(
    ("name", "kind", "levels"),
    [
        ("store", "category", {"101", "205"}),
        ("bit", "category", {"0", "1"}),
        ("bit", "boolean", {"0", "1"}),
        ("flag", "category", {"yes", "No"}),
        ("size", "category", None),
        ("note", "category", None),
    ],
)
def test_numbers_and_text_become_words_whose_description_agrees_with_the_values(
    tmp_path: Path, columns: dict[str, ColumnInfo], name: str, kind: str, levels: set[str] | None
) -> None:
    info = with_kind(columns[name], kind)
    column = with_kinds(Table.read(tmp_path / "a.parquet", [name]), {name: kind}).columns[name]
    assert isinstance(column, CategoricalColumn)
    assert (info.kind, info.distinct, info.missing) == (kind, len(column.levels), (column.codes < 0).sum())
    assert levels is None or set(column.levels) == levels
    if listed := info.statistics.get("levels"):
        counts = np.bincount(column.codes[column.codes >= 0])
        assert {each["value"]: each["count"] for each in listed} == dict(zip(column.levels, counts, strict=True))


@pytest.mark.parametrize(("name", "values"), [("flag", [1, 0, 1]), ("code", [7, 12, 7])])
def test_words_become_numbers_whose_description_agrees_with_the_values(
    tmp_path: Path, columns: dict[str, ColumnInfo], name: str, values: list[float]
) -> None:
    info = with_kind(columns[name], "number")
    column = with_kinds(Table.read(tmp_path / "a.parquet", [name]), {name: "number"}).columns[name]
    assert isinstance(column, np.ndarray)
    assert column[:3].tolist() == values
    assert info.statistics["mean"] == pytest.approx(column.mean())
    assert info.statistics["std"] == pytest.approx(column.std())
    assert (info.statistics["min"], info.statistics["max"]) == (column.min(), column.max())


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("store", "boolean", "other numbers than 0 and 1"),
        ("store", "date", "give its kind at upload"),
        ("code", "boolean", "'07'"),
        ("note", "number", "give its kind at upload"),
    ],
)
def test_what_is_not_possible_is_refused_with_the_reason(
    columns: dict[str, ColumnInfo], name: str, kind: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        with_kind(columns[name], kind)


def test_levels_that_are_booleans_and_numbers_are_no_numbers_and_their_values_neither() -> None:
    levels = [{"value": value, "count": 1} for value in ("t", "2", "3")]
    with pytest.raises(ValueError, match="'t', which is not a number"):
        with_kind(ColumnInfo("x", "category", 0, 3, {"levels": levels}), "number")


def test_booleans_of_two_spellings_have_both_as_labels_of_a_target() -> None:
    levels = [{"value": "yes", "count": 2}, {"value": "0", "count": 1}]
    info = with_kind(ColumnInfo("x", "category", 0, 2, {"levels": levels}), "boolean")
    table = Table({"x": CategoricalColumn(np.array([0, 1, 2], np.int32), ["yes", "0", "True"])}, 3)
    target = TargetEncoder.fit_classes(table, info)
    assert (target.labels, target.is_boolean) == (["0", "yes"], True)
    assert target.encode(table).tolist() == [1, 0, 1]


def test_a_number_with_more_values_than_were_counted_is_no_category() -> None:
    with pytest.raises(ValueError, match="too many different values"):
        with_kind(ColumnInfo("x", "number", 0, None, {"min": 0.0, "whole": True}), "category")


def test_every_column_can_become_text_and_keeps_an_example(columns: dict[str, ColumnInfo]) -> None:
    texts = {name: with_kind(info, "text") for name, info in columns.items()}
    assert {info.kind for info in texts.values()} == {"text"}
    assert texts["store"].statistics["example"] == "101"
    assert with_kind(columns["store"], "number") is columns["store"]
