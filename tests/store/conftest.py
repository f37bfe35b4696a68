"""The store's tests run twice: on SQLite, and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backpropd.store import datasets
from backpropd.store.scheduling import submission
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade
from backpropd.store.sql.schema import Job
from tests.migrated import sqlite
from tests.servers import fresh_database

SCRIPTS = Path(__file__).parent.parent.parent / "migrations"
TENANT = "local"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database."""
    if request.param == "postgresql":
        database = Database(fresh_database(request.getfixturevalue("postgres")))
        upgrade(database, SCRIPTS)
    else:
        database = Database(sqlite(tmp_path / "test.db"))
    yield database
    database.dispose()


def a_dataset(database: Database, tenant: str = TENANT) -> str:
    """The id of a new dataset."""
    with database.write() as session:
        fields = {"name": "d", "format": "csv", "rows": 3, "size": 9, "sha256": "00", "columns": []}
        return datasets.create(session, tenant, **fields).id


def a_job(database: Database, *, priority: int = 0, dataset_id: str | None = None, tenant: str = TENANT) -> Job:
    """A new queued job."""
    dataset_id = dataset_id or a_dataset(database)
    with database.write() as session:
        return submission.submit(
            session, tenant, dataset_id=dataset_id, epochs=10, name=None, priority=priority, spec={}, meta={}
        ).job


def an_epoch(number: int, loss: float = 1.0) -> dict[str, object]:
    """An epoch as a worker writes it."""
    return {
        "epoch": number,
        "loss": loss,
        "validation_loss": None,
        "metrics": {"accuracy": 0.5},
        "validation_metrics": None,
        "gradient_norm": 0.1,
        "learning_rate": 0.01,
        "seconds": 0.001,
    }
