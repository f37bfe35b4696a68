"""What is kept of datasets between two posts: as much as it may be, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from backpropd import errors
from backpropd.store import datasets
from backpropd.store.sql.database import Database
from service import dataset_cache
from service.dataset_cache import DatasetCache
from tests.migrated import sqlite
from tests.store.conftest import TENANT, a_dataset


def test_a_dataset_is_its_tenants_alone(tmp_path: Path) -> None:
    database = Database(sqlite(tmp_path / "a.db"))
    kept, dataset_id = DatasetCache(database), a_dataset(database)
    assert kept.get(TENANT, dataset_id) is kept.get(TENANT, dataset_id)
    with pytest.raises(errors.NotFound):
        kept.get("another", dataset_id)


def test_the_first_goes_when_there_are_many_and_a_wide_one_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(sqlite(tmp_path / "a.db"))
    monkeypatch.setattr(dataset_cache, "MAX_DATASETS", 2)
    kept, ids = DatasetCache(database), [a_dataset(database) for _ in range(3)]
    first, second, _ = [kept.get(TENANT, each) for each in ids]
    assert kept.get(TENANT, ids[0]) is not first
    with database.write() as session:
        wide = datasets.get(session, TENANT, ids[1])
        wide.columns = [{"name": str(n)} for n in range(dataset_cache.MAX_COLUMNS + 1)]
    assert kept.get(TENANT, ids[1]) != second
    assert kept.get(TENANT, ids[1]) is not kept.get(TENANT, ids[1])
