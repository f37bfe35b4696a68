"""The cache of datasets: its size, and its tenants."""

from pathlib import Path

import pytest

from backpropd import errors
from backpropd.store import datasets
from backpropd.store.sql.database import Database
from service import dataset_cache
from service.dataset_cache import DatasetCache
from tests.migrated import sqlite
from tests.store.conftest import TENANT, a_dataset


def test_a_cached_dataset_is_not_visible_to_another_tenant(tmp_path: Path) -> None:
    database = Database(sqlite(tmp_path / "a.db"))
    cache, dataset_id = DatasetCache(database), a_dataset(database)
    assert cache.get(TENANT, dataset_id) is cache.get(TENANT, dataset_id)
    with pytest.raises(errors.NotFound):
        cache.get("another", dataset_id)


def test_the_oldest_entry_is_evicted_and_a_wide_table_is_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(sqlite(tmp_path / "a.db"))
    monkeypatch.setattr(dataset_cache, "MAX_DATASETS", 2)
    cache, ids = DatasetCache(database), [a_dataset(database) for _ in range(3)]
    first, second, _ = [cache.get(TENANT, each) for each in ids]
    assert cache.get(TENANT, ids[0]) is not first
    with database.write() as session:
        wide = datasets.get(session, TENANT, ids[1])
        wide.columns = [{"name": str(n)} for n in range(dataset_cache.MAX_COLUMNS + 1)]
    assert cache.get(TENANT, ids[1]) != second
    assert cache.get(TENANT, ids[1]) is not cache.get(TENANT, ids[1])
