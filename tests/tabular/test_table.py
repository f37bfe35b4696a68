"""Tables on disk: columns are loaded when they are used, and do not depend on how many are loaded together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backpropd.tabular import FeatureEncoder, Table, ingest, split_by_column
from backpropd.tabular import table as module
from backpropd.tabular.table import CategoricalColumn

TEXT = "a,a.b,c,d\n" + "".join(
    f"{n},{n * 2},{'uvw'[n % 3] if n % 5 else ''},{'yes' if n % 2 else 'no'}\n" for n in range(50)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table with missing values, strings, booleans and a dot in a name."""
    (tmp_path / "t.csv").write_text(TEXT)
    ingest(tmp_path / "t.csv", tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


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
    assert isinstance(column, CategoricalColumn)
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
