"""Tables on disk: columns are loaded when they are used, however many together, and small tables are cached."""

from pathlib import Path

import numpy as np
import pytest

from backpropd.tabular import FeatureEncoder, Table, ingest, split_by_column
from backpropd.tabular import table as module
from backpropd.tabular.table import CACHED_BYTES, CategoricalColumn

TEXT = "a,a.b,c,d\n" + "".join(
    f"{n},{n * 2},{'uvw'[n % 3] if n % 5 else ''},{'yes' if n % 2 else 'no'}\n" for n in range(50)
)


def write(folder: Path, text: str) -> Path:
    (folder / "t.csv").write_text(text)
    ingest(folder / "t.csv", folder / "t.parquet")
    return folder / "t.parquet"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table with missing values, strings, booleans and a dot in a name."""
    return write(tmp_path, TEXT)


@pytest.mark.parametrize(("values", "batch"), [(1, 1), (1, 7), (100, 7), (2**21, 2**16)])
def test_columns_do_not_depend_on_how_many_are_loaded_together(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: int, batch: int
) -> None:
    monkeypatch.setattr(module, "MAX_VALUES_IN_MEMORY", values)
    monkeypatch.setattr(module, "BATCH_ROWS", batch)
    table = Table.read(path, ["a", "a.b", "c", "d"])
    assert table.rows == 50
    assert np.array_equal(table.columns["a"], np.arange(50.0))  # type: ignore[arg-type]
    assert np.array_equal(table.columns["a.b"], np.arange(50.0) * 2)  # type: ignore[arg-type]
    column = table.columns["c"]
    assert [column.levels[code] if code >= 0 else "" for code in column.codes[:6]] == ["", "v", "w", "u", "v", ""]
    assert np.array_equal(table.complete_rows(["a", "c"]), [n for n in range(50) if n % 5])


def test_subsets_are_encoded_as_the_whole_table(path: Path, tmp_path: Path) -> None:
    infos = ingest(tmp_path / "t.csv", tmp_path / "again.parquet").columns
    table = Table.read(path, [info.name for info in infos])
    encoder = FeatureEncoder.fit(table, infos, np.arange(0, 50, 2), np.dtype("float32"))
    x = encoder.transform(table)
    odd, last = encoder.transform_subsets(table, [np.arange(1, 50, 2), np.arange(49, 50)])
    assert np.array_equal(odd, x[1::2])
    assert np.array_equal(last, x[49:])


def test_a_column_splits_by_booleans_numbers_and_strings(path: Path) -> None:
    training, validation = split_by_column(Table.read(path, ["d"]).columns["d"])
    assert np.array_equal(validation, np.arange(1, 50, 2))
    assert np.array_equal(training, np.arange(0, 50, 2))
    numbers = split_by_column(np.array([1.0, 0.0, np.nan, 1.0]))
    assert [rows.tolist() for rows in numbers] == [[1, 2], [0, 3]]
    column = CategoricalColumn(np.array([0, 1, -1, 2], np.int32), ["VALID", "train", "Test"])
    assert split_by_column(column)[1].tolist() == [0, 3]


def test_a_small_table_is_cached_until_its_file_changes(tmp_path: Path) -> None:
    path = write(tmp_path, "x,w\n1,a\n2,b\n")
    table = Table.read(path, ["x", "w"])
    assert Table.read(path, ["x", "w"]) is table
    for values in (table.columns["x"], table.columns["w"].codes):  # type: ignore[union-attr]
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0
    write(tmp_path, "x,w\n3,a\n4,b\n")
    assert np.array_equal(np.asarray(Table.read(path, ["x", "w"]).columns["x"]), [3, 4])
    path.unlink()
    with pytest.raises(FileNotFoundError):
        Table.read(path, ["x", "w"])


def test_a_table_with_many_rows_in_a_small_file_is_not_cached(tmp_path: Path) -> None:
    path = write(tmp_path, "w,x\n" + "a,\n" * 50_000)
    assert path.stat().st_size < CACHED_BYTES
    tables = [Table.read(path, ["w"]) for _ in range(2)]
    assert tables[0] is not tables[1]
    assert all(isinstance(table.columns["w"], CategoricalColumn) for table in tables)
    assert [len(table.complete_rows(["w"])) for table in tables] == [50_000] * 2
