"""Migrations: they create the declared tables, and rows of older revisions can be read."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text

from backpropd.store import audit, datasets, jobs, models, snapshots
from backpropd.store.scheduling import submission
from backpropd.store.snapshots import StoredSnapshot
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade
from backpropd.store.sql.schema import Base, Model
from tests.servers import connect
from tests.store.conftest import JOB, SCRIPTS, TENANT, a_claimed_job, a_job, claim_next, read, write


def test_a_second_migration_changes_nothing(database: Database) -> None:
    job = a_job(database)
    upgrade(database, SCRIPTS)
    assert read(database, jobs.get, TENANT, job.id).status == "queued"


def test_the_migrations_create_the_tables_that_the_code_declares(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


def test_a_database_without_an_encoding_is_refused_in_one_sentence(postgres: str) -> None:
    name = f"ascii_{uuid4().hex[:12]}"
    with connect(make_url(postgres)) as connection:
        locale = "LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' {locale} TEMPLATE template0")
    url = make_url(postgres).set(database=name).render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-m", "worker", "migrate"],
        env={**os.environ, "BACKPROPD_DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("misconfigured: the database has the encoding SQL_ASCII, and backpropd needs UTF8")
    assert len(done.stderr.splitlines()) == 1


@contextmanager
def at_revision(database: Database, revision: str) -> Iterator[Connection]:
    """The database at an older revision; at the end it is migrated again."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        yield connection
    upgrade(database, SCRIPTS)


def test_a_job_of_revision_5_has_one_submission(database: Database) -> None:
    job, _ = a_claimed_job(database)
    with at_revision(database, "0005") as connection:
        listed = connection.execute(text("SELECT status, reason FROM transitions ORDER BY number")).all()
    assert [status for status, _ in listed] == ["queued", "running"]
    steps = read(database, jobs.transitions, [job])[job.number]
    assert [(step.status, step.reason) for step in steps] == listed


def test_a_model_of_revision_1_has_no_report(database: Database) -> None:
    fields = {
        "id": "model_1", "tenant": TENANT, "job_id": "job_1", "task": "regression", "network": "{}", "features": "[]",
        "target": "[]", "parameters": 1, "metrics": "{}", "encoders": "{}", "weights": b"w", "bytes": 1,
        "sha256": hashlib.sha256(b"w").hexdigest(),
        "created_at": 1,
    }  # fmt: skip
    with at_revision(database, "0001") as connection:
        columns, parameters = ", ".join(fields), ", ".join(f":{name}" for name in fields)
        connection.execute(text(f"INSERT INTO models ({columns}) VALUES ({parameters})"), fields)
    model = read(database, models.get, TENANT, "model_1", Model.weights, Model.report, Model.training_state)
    assert (model.weights, model.report, model.training_state) == (b"w", None, None)


def test_names_of_workers_are_removed_from_the_reasons_of_revision_8(database: Database) -> None:
    job, _ = a_claimed_job(database)
    old = {
        "claimed by host-1a2b/12/34, attempt 2": "claimed by a worker, attempt 2",
        "the lease of host-1a2b/12/34 ran out (crash 1)": "its worker's lease ran out (crash 1)",
        "host-1a2b/12/34 died (crash 1)": "its worker died (crash 1)",
        "resumed by request": "resumed by request",
    }
    lost = "the job lost its worker 3 times, last on host/1/2 at epoch 7: it may need more"
    with at_revision(database, "0008") as connection:
        connection.execute(text("DELETE FROM transitions"))
        for reason in old:
            row = {"number": job.number, "tenant": TENANT, "reason": reason}
            connection.execute(
                text(
                    "INSERT INTO transitions (job_number, tenant, status, at, reason) "
                    "VALUES (:number, :tenant, 'queued', 0, :reason)"
                ),
                row,
            )
        connection.execute(text("UPDATE jobs SET error_code = 'worker_lost', error_detail = :detail"), {"detail": lost})
        connection.execute(
            text(
                "INSERT INTO audit (at, tenant, actor, action, subject) "
                "VALUES (1, 'a', '', '', ''), (2, 'b', '', '', '')"
            )
        )
    steps = read(database, jobs.transitions, [job])[job.number]
    assert [step.reason for step in steps[1:]] == list(old.values())
    assert read(database, jobs.get, TENANT, job.id).error_detail == lost.replace(" on host/1/2", "")
    assert [[each.entry for each in read(database, audit.after, tenant, 0, 9)] for tenant in "ab"] == [[1], [1]]


def test_a_database_with_a_fork_goes_back_to_revision_15_and_forward_again(database: Database) -> None:
    snapshot = StoredSnapshot(5, b"weights", b"rest")
    fork = submission.Fork("job_parent", 5, b"state", snapshot)
    dataset = a_job(database).dataset_id
    job = write(database, submission.submit, TENANT, dataset_id=dataset, fork=fork, **JOB).job
    assert read(database, snapshots.get, job.number, 5) == snapshot
    with at_revision(database, "0015") as connection:
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar() == 2
    found = read(database, jobs.get, TENANT, job.id)
    assert (found.parent_job_id, found.parent_epoch, found.snapshot_bytes, found.epoch) == (None, None, 0, 5)
    assert read(database, snapshots.get, job.number, 5) is None
    claimed = [claim_next(database) for _ in range(2)]
    assert [(claim.job_id == job.id, claim.checkpointed) for claim in claimed] == [(False, False), (True, False)]


def test_lists_show_datasets_and_jobs_of_revision_10(database: Database) -> None:
    spec = {"task": "regression", "target": ["y"]}
    columns = [{"name": "x"}, {"name": "y"}]
    fields = {"name": "d", "format": "csv", "rows": 3, "size": 9, "sha256": "00", "columns": columns}
    dataset = write(database, datasets.create, TENANT, **fields).id
    write(database, submission.submit, TENANT, dataset_id=dataset, **{**JOB, "spec": spec})
    with at_revision(database, "0010"):
        pass
    assert [row.width for row in read(database, datasets.list_page, TENANT, 20, None).rows] == [2]
    (job,) = read(database, jobs.list_page, TENANT, 20, None, None, None).rows
    assert (job.task, job.target) == ("regression", ["y"])
