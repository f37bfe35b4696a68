"""Encoders, JSON rows, splits and samples."""

import json
from pathlib import Path

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.tabular import (
    ColumnInfo,
    FeatureEncoder,
    Table,
    TargetEncoder,
    ingest,
    list_samples,
    max_width,
    table_from_json_rows,
    train_validation_split,
    write_sample,
)

CSV = "size,colour,big,y\n1,red,yes,10\n3,blue,no,20\n,red,,30\n5,,yes,40\n7,green,no,50\n"


@pytest.fixture
def table(tmp_path: Path) -> tuple[Table, list[ColumnInfo]]:
    (tmp_path / "t.csv").write_text(CSV)
    infos = list(ingest(tmp_path / "t.csv", tmp_path / "t.parquet").columns)
    return Table.read(tmp_path / "t.parquet", [info.name for info in infos]), infos


def test_numbers_are_standardized_and_categories_one_hot(table: tuple[Table, list[ColumnInfo]]) -> None:
    data, infos = table
    encoder = FeatureEncoder.fit(data, infos[:3], np.arange(4), np.dtype("float64"))
    assert encoder.names == [
        "size", "size is missing", "colour = blue", "colour = red", "colour is missing", "big",
        "big is missing",
    ]  # fmt: skip
    x = encoder.transform(data)
    assert x[:4, 0].mean() == pytest.approx(0)
    assert x[2, :2].tolist() == [0, 1]
    assert x[4, 2:5].tolist() == pytest.approx([1 / 3, 2 / 3, 0])  # green is in no training row
    assert x[3, 2:5].tolist() == [0, 0, 1]  # missing
    assert encoder.width <= max_width(infos[:3])


def test_validation_rows_do_not_change_the_encoder(table: tuple[Table, list[ColumnInfo]]) -> None:
    data, infos = table
    changed = Table({**data.columns, "size": np.where(np.arange(5) == 4, 1e9, data.columns["size"])}, 5)  # type: ignore[call-overload]
    encoders = [FeatureEncoder.fit(each, infos[:3], np.arange(4), np.dtype("float32")) for each in (data, changed)]
    assert encoders[0].to_json() == encoders[1].to_json()


def test_an_encoder_is_the_same_after_json(table: tuple[Table, list[ColumnInfo]]) -> None:
    data, infos = table
    encoder = FeatureEncoder.fit(data, infos[:3], np.arange(5), np.dtype("float32"))
    loaded = FeatureEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert np.array_equal(loaded.transform(data), encoder.transform(data))


@pytest.mark.parametrize(
    ("scaling", "low", "high"), [("standard", -1.5, 1.5), ("unit", 0.0, 1.0), ("symmetric", -1.0, 1.0)]
)
def test_targets_are_scaled_and_decoded(
    table: tuple[Table, list[ColumnInfo]], scaling: str, low: float, high: float
) -> None:
    data, infos = table
    target = TargetEncoder.fit_scaling(data, infos[3:], np.arange(5), scaling)
    y = target.encode(data)
    assert (y.min(), y.max()) == (pytest.approx(low, abs=0.1), pytest.approx(high, abs=0.1))
    loaded = TargetEncoder.from_json(json.loads(json.dumps(target.to_json())))
    assert np.allclose(loaded.decode(y)[:, 0], [10, 20, 30, 40, 50])


def test_classes_are_ordered_labels(table: tuple[Table, list[ColumnInfo]]) -> None:
    data, infos = table
    assert TargetEncoder.fit_classes(data, infos[3]).labels == ["10", "20", "30", "40", "50"]
    present = data.take(data.complete_rows(["big"]), ["big"])
    booleans = TargetEncoder.fit_classes(present, infos[2])
    assert booleans.labels == ["no", "yes"]
    assert booleans.encode(present).tolist() == [1, 0, 1, 0]


def test_rows_from_json_are_checked_cell_by_cell() -> None:
    infos = [ColumnInfo("a/b", "number", 0, 2), ColumnInfo("c", "category", 0, 2), ColumnInfo("d", "boolean", 0, 2)]
    good = table_from_json_rows([["1.5", 7, 1], [None, "x", "no"]], infos)
    assert np.array_equal(good.columns["a/b"], [1.5, np.nan], equal_nan=True)  # type: ignore[arg-type]
    with pytest.raises(Invalid) as caught:
        table_from_json_rows([{"a/b": True, "c": 1, "d": 2}], infos)
    assert [problem.pointer for problem in caught.value.problems] == ["/rows/0/a~1b", "/rows/0/d"]
    with pytest.raises(Invalid, match="lack the column 'd'"):
        table_from_json_rows([{"a/b": 1, "c": 1}], infos)


def test_a_split_is_stratified_disjoint_and_repeatable() -> None:
    codes = np.array([0] * 50 + [1] * 30 + [2] * 20)
    train, validation = train_validation_split(100, 0.2, np.random.default_rng(1), codes)
    assert sorted([*train, *validation]) == list(range(100))
    assert np.bincount(codes[validation]).tolist() == [10, 6, 4]
    assert np.array_equal(train, train_validation_split(100, 0.2, np.random.default_rng(1), codes)[0])


def test_every_class_keeps_a_training_row() -> None:
    codes = np.array([0] * 30 + [1, 2, 2])
    train, validation = train_validation_split(33, 0.5, np.random.default_rng(0), codes)
    assert set(codes[train]) == {0, 1, 2}
    assert len(validation) > 0
    assert len(train_validation_split(5, 0.0, np.random.default_rng(0))[1]) == 0


@pytest.mark.parametrize("listed", list_samples(), ids=lambda sample: sample.name)
def test_every_sample_is_a_table_with_its_rows_and_target(tmp_path: Path, listed: object) -> None:
    write_sample(listed.name, tmp_path / "s.csv")
    info = ingest(tmp_path / "s.csv", tmp_path / "s.parquet")
    assert info.rows == listed.rows
    assert listed.target in [column.name for column in info.columns]
    assert all(column.missing == 0 for column in info.columns)


def test_a_seed_generates_the_same_points(tmp_path: Path) -> None:
    def generate(**parameters: float) -> bytes:
        write_sample("xor", tmp_path / "s.csv", rows=100, **parameters)  # type: ignore[arg-type]
        return (tmp_path / "s.csv").read_bytes()

    assert generate(seed=1) == generate(seed=1)
    assert generate(seed=1) != generate(seed=2)
    rows = np.loadtxt(generate(seed=1).decode().splitlines(), delimiter=",", skiprows=1)
    assert ((rows[:, 0] * rows[:, 1] >= 0) == (rows[:, 2] == 1)).all()


def test_a_constant_training_column_is_not_scaled_by_a_rounded_deviation() -> None:
    data = Table({"x": np.array([0.1] * 7 + [0.2])}, 8)
    encoder = FeatureEncoder.fit(data, [ColumnInfo("x", "number", 0, 2)], np.arange(7), np.dtype("float64"))
    assert np.abs(encoder.transform(data)).max() < 1
