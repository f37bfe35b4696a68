"""DatasetCache on disk: columns are read when they are asked for, and are the same however many are read together."""

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
    """A table with a name that has a dot, missing values, words and truths."""
    (tmp_path / "t.csv").write_text(TEXT)
    ingest(tmp_path / "t.csv", tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


@pytest.mark.parametrize(("values", "batch"), [(1, 1), (1, 7), (100, 7), (2**21, 2**16)])
def test_columns_are_the_same_however_many_are_read_at_once(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: int, batch: int
) -> None:
    monkeypatch.setattr(module, "MAX_VALUES_IN_MEMORY", values)
    monkeypatch.setattr(module, "BATCH_ROWS", batch)
    table = Table.read(path, ["a", "a.b", "c", "d"])
    assert table.rows == 50
    assert np.array_equal(table.columns["a"], np.arange(50.0))  # type: ignore[arg-type]
    assert np.array_equal(table.columns["a.b"], np.arange(50.0) * 2)  # type: ignore[arg-type]
    words = table.columns["c"]
    assert isinstance(words, CategoricalColumn)
    assert [words.levels[code] if code >= 0 else "" for code in words.codes[:6]] == ["", "v", "w", "u", "v", ""]
    assert np.array_equal(table.complete_rows(["a", "c"]), [n for n in range(50) if n % 5])


def test_parts_are_encoded_as_the_whole_is(path: Path, tmp_path: Path) -> None:
    infos = ingest(tmp_path / "t.csv", tmp_path / "again.parquet").columns
    table = Table.read(path, [info.name for info in infos])
    encoder = FeatureEncoder.fit(table, infos, np.arange(0, 50, 2), np.dtype("float32"))
    whole = encoder.transform(table)
    odd, last = encoder.transform_subsets(table, [np.arange(1, 50, 2), np.arange(49, 50)])
    assert np.array_equal(odd, whole[1::2])
    assert np.array_equal(last, whole[49:])


def test_a_column_splits_by_truths_and_by_words(path: Path) -> None:
    fitted, held_out = split_by_column(Table.read(path, ["d"]).columns["d"])
    assert np.array_equal(held_out, np.arange(1, 50, 2))
    assert np.array_equal(fitted, np.arange(0, 50, 2))
    numbers = split_by_column(np.array([1.0, 0.0, np.nan, 1.0]))
    assert [part.tolist() for part in numbers] == [[1, 2], [0, 3]]
    words = CategoricalColumn(np.array([0, 1, -1, 2], np.int32), ["VALID", "train", "Test"])
    assert split_by_column(words)[1].tolist() == [0, 3]
