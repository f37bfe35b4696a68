"""A database of every older revision, with a row in each of its tables, is migrated, and the programs read the rows."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, func, insert, select

from backpropd.store import audit, datasets, epochs, jobs, keys, models, usage
from backpropd.store.scheduling import claims, tenants
from backpropd.store.sql import revision
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade
from backpropd.store.sql.schema import Base, Model
from tests.servers import fresh_database
from tests.store.conftest import SCRIPTS, read, write

TENANT = "acme"
# What a row needs, by the names of columns of any revision; columns that are not here are null or have a default.
VALUES: dict[str, Any] = {
    "id": "x_1", "tenant": TENANT, "name": "made before", "created_at": 1, "queued_at": 1, "at": 1, "seen_at": 1,
    "started_at": 1, "finished_at": None, "format": "csv", "rows": 3, "bytes": 9, "sha256": "00",
    "columns": [{"name": "x"}, {"name": "y"}], "status": "queued", "priority": 0, "rank": 0, "dataset_id": "ds_1",
    "spec": {"task": "regression", "target": ["y"]}, "metadata": {"note": 1}, "epoch": 2, "epochs": 10, "attempts": 1,
    "losses": 0, "seconds": 1.5, "token": 1, "number": 1, "job_number": 1, "entry": 1, "loss": 0.5, "metrics": {},
    "gradient_norm": 0.1, "learning_rate": 0.01, "data": b"state", "job_id": "job_1", "task": "regression",
    "network": {}, "state": b"state",
    "features": ["x"], "target": ["y"], "parameters": 2, "encoders": {}, "weights": b"w", "route": "r", "key": "k",
    "request_sha256": "00", "made_id": "ds_1", "slots": 1, "scopes": ["read"], "actor": "operator",
    "action": "keys.create",
    "round": 0, "recoveries": 0, "width": 2,
    "subject": "key_1", "reason": "submitted", "virtual_time": 5, "stride": 500_000, "role": "worker",
}  # fmt: skip
SHA256 = {"models": hashlib.sha256(b"w").hexdigest()}
# Submissions are no longer recorded, and workers register again.
FORGOTTEN = {"transitions", "workers"}
IDS = {"datasets": "ds_1", "jobs": "job_1", "models": "model_1", "api_keys": "key_1"}
REVISIONS = sorted(each.revision for each in ScriptDirectory(str(SCRIPTS)).walk_revisions())


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database without any table."""
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'old.db'}")
    return Database(fresh_database(request.getfixturevalue("postgres")))


def create_at(connection: Connection, old: str) -> list[Table]:
    """Create the tables of a revision, with one row in each."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, old)
    found = MetaData()
    found.reflect(connection)
    tables = [table for table in found.sorted_tables if table.name != "alembic_version"]
    for table in tables:
        row = {column.name: VALUES[column.name] for column in table.columns if column.name in VALUES}
        row |= {"id": IDS[table.name]} if table.name in IDS else {}
        row |= {"sha256": SHA256[table.name]} if table.name in SHA256 else {}
        if table.name != "jobs":
            row.pop("number", None)  # which the database counts
        connection.execute(insert(table).values(**row))
    return tables


@pytest.mark.parametrize("old", REVISIONS[:-1])
def test_rows_of_every_older_revision_are_read_after_the_migration(empty: Database, old: str) -> None:
    with empty.engine.begin() as connection:
        filled = {table.name for table in create_at(connection, old)}
    upgrade(empty, SCRIPTS)
    revision.check(empty)
    kept = {table.name: table for table in Base.metadata.sorted_tables if table.name in filled}
    with empty.read() as session:
        counts = {name: session.scalar(select(func.count()).select_from(table)) for name, table in kept.items()}
    assert {name for name, count in counts.items() if not count} <= FORGOTTEN
    assert [row.width for row in read(empty, datasets.list_page, TENANT, 20, None).rows] == [2]
    (job,) = read(empty, jobs.list_page, TENANT, 20, None, None, None).rows
    assert (job.task, job.target, job.status) == ("regression", ["y"], "queued")
    assert [row.loss for row in read(empty, epochs.after, job.number, 0, 10)] == [0.5]
    assert read(empty, models.get, TENANT, "model_1", Model.weights).weights == b"w"
    assert read(empty, usage.of, TENANT).jobs == 1
    assert [row.tenant for row in read(empty, tenants.overview)] == [TENANT]
    if "api_keys" in filled:
        assert read(empty, keys.get, TENANT, "key_1").scopes == ["read"]
        assert [entry.action for entry in read(empty, audit.after, TENANT, 0, 9)] == ["keys.create"]
    claim = write(empty, claims.claim_next, claims.ClaimOptions("w", 30.0))
    assert (claim.job_id, claim.checkpointed) == ("job_1", True)
    empty.dispose()


def test_the_newest_migration_is_the_one_that_the_programs_expect() -> None:
    assert REVISIONS[-1] == revision.NEWEST
