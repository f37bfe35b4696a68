"""The store's tests run twice, on SQLite and on a real PostgreSQL; and what they have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backpropd.store import datasets
from backpropd.store.scheduling import claims, submission
from backpropd.store.scheduling.claims import Claim, ClaimOptions
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade
from backpropd.store.sql.schema import Job
from tests.migrated import sqlite
from tests.servers import fresh_database

SCRIPTS = Path(__file__).parent.parent.parent / "migrations"
TENANT = "local"
JOB: dict[str, Any] = {"epochs": 10, "name": None, "spec": {}, "meta": {}}
MODEL: dict[str, Any] = {
    "task": "regression",
    "network": {},
    "features": ["x"],
    "target": ["y"],
    "classes": None,
    "parameters": 2,
    "metrics": {},
    "validation_metrics": None,
    "encoders": {},
    "weights": b"w",
    "size": 1,
    "sha256": "00",
}


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
        return submission.submit(session, tenant, dataset_id=dataset_id, priority=priority, **JOB).job


def claim_next(database: Database, lease_seconds: float = 30.0) -> Claim | None:
    """The claim of the next queued job, if there is one."""
    with database.write() as session:
        return claims.claim_next(session, ClaimOptions("w1", lease_seconds))


def claimed(database: Database) -> Claim:
    """The claim of the next queued job."""
    claim = claim_next(database)
    assert claim is not None
    return claim


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
