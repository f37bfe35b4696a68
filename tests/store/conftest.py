"""The store's tests run on SQLite and on real PostgreSQL servers; and what they have in common."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backpropd.store import datasets, epochs
from backpropd.store.scheduling import claims, leases, submission
from backpropd.store.scheduling.claims import Claim, ClaimOptions
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from tests import migrated
from tests.servers import postgres_with_jit

SCRIPTS = Path(__file__).parent.parent.parent / "migrations"
TENANT = "local"
JOB: dict[str, Any] = {"epochs": 10, "name": None, "spec": {}, "meta": {}}
MODEL: dict[str, Any] = {
    "task": "regression", "network": {}, "features": ["x"], "target": ["y"], "classes": None, "parameters": 2,
    "metrics": {}, "validation_metrics": None, "encoders": {}, "weights": b"w", "size": 1,
    "sha256": hashlib.sha256(b"w").hexdigest(),
}  # fmt: skip


DATABASES = ["sqlite", "postgres", *(["postgres_jit"] if postgres_with_jit() else [])]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database."""
    if request.param == "sqlite":
        database = Database(migrated.sqlite(tmp_path / "test.db"))
    else:
        database = Database(migrated.postgres(request.getfixturevalue(request.param)))
    yield database
    database.dispose()


def write(database: Database, action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The result of `action(session, …)` in a transaction of its own."""
    with database.write() as session:
        return action(session, *arguments, **options)


def read(database: Database, action: Callable[..., Any], *arguments: Any) -> Any:
    with database.read() as session:
        return action(session, *arguments)


def a_dataset(database: Database, tenant: str = TENANT) -> str:
    """The id of a new dataset."""
    fields = {"name": "d", "format": "csv", "rows": 3, "size": 9, "sha256": "00", "columns": []}
    return write(database, datasets.create, tenant, **fields).id


def a_job(database: Database, *, priority: int = 0, dataset_id: str | None = None, tenant: str = TENANT) -> Job:
    """A new queued job."""
    dataset_id = dataset_id or a_dataset(database, tenant)
    return write(database, submission.submit, tenant, dataset_id=dataset_id, priority=priority, **JOB).job


def claim_next(database: Database, max_running: int = 100) -> Any:
    """The claim of the next queued job, or None; no tenant runs more than `max_running` jobs."""
    return write(database, claims.claim_next, ClaimOptions("w1", 30.0, max_running))


def a_claimed_job(database: Database) -> tuple[Job, Claim]:
    """A new job as it was in the queue, and the claim of it."""
    return a_job(database), claim_next(database)


def write_epochs(
    database: Database, claim: Claim, numbers: Iterable[int], checkpoint: tuple[int, bytes] | None = None
) -> None:
    """Write epochs and perhaps a checkpoint as the worker that has the claim."""
    rows = [an_epoch(number) for number in numbers]
    write(database, leases.write_epochs, claim, rows, 30, 1.0, checkpoint)


def epochs_of(database: Database, job: Job) -> list[int]:
    """The numbers of the stored epochs."""
    return [row.epoch for row in read(database, epochs.after, job.number, 0, 10)]


def an_epoch(number: int, loss: float = 1.0) -> dict[str, object]:
    """An epoch as a worker writes it."""
    numbers = {"epoch": number, "loss": loss, "gradient_norm": 0.1, "learning_rate": 0.01, "seconds": 0.001}
    return {**numbers, "metrics": {"accuracy": 0.5}, "validation_loss": None, "validation_metrics": None}
