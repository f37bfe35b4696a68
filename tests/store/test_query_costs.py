"""Claims and pages read few rows of a large table, even while the database's statistics are out of date."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

from sqlalchemy import insert, text

from backpropd.store import jobs
from backpropd.store.ids import new_id
from backpropd.store.scheduling import claims, queries
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from backpropd.store.status import Status
from tests.store.conftest import TENANT, a_dataset, a_job

MANY = 10_000
LIMIT = 3_000  # rows and index entries on PostgreSQL, virtual machine steps on SQLite: a page of jobs takes about 700


def add(database: Database, tenant: str, count: int, **fields: Any) -> None:
    a_job(database, tenant=tenant, dataset_id=a_dataset(database, tenant))
    with database.write() as session:
        fixed = {"tenant": tenant, "dataset_id": "dataset_1", "spec": {}, "meta": {}, "epochs": 1, **fields}
        rows = [{"id": new_id("job"), **fixed} for _ in range(count)]
        session.execute(insert(Job).values(created_at=now(), queued_at=now()), rows)


def read_by(session: Any, action: Callable[[], object]) -> int:
    """The rows and index entries that PostgreSQL read for an action, or the steps that SQLite took."""
    if session.get_bind().dialect.name == "postgresql":
        before = read_so_far(session)
        action()
        return read_so_far(session) - before
    steps: list[int] = []
    connection = session.connection().connection.driver_connection
    connection.set_progress_handler(lambda: steps.append(10), 10)  # a true result would interrupt the statement
    try:
        action()
    finally:
        connection.set_progress_handler(None, 0)
    return sum(steps)


def read_so_far(session: Any) -> int:
    counted = text(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)) FROM pg_class "
        "WHERE oid = 'jobs'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'jobs'::regclass)"
    )
    return int(session.scalar(counted))


def test_claims_counts_and_pages_read_few_rows_whatever_the_statistics_say(database: Database) -> None:
    add(database, TENANT, 400, status="succeeded")  # the only jobs in the statistics
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    add(database, "many", MANY, status="queued")
    a_job(database, dataset_id=a_dataset(database))
    read: dict[object, int] = {}
    lengths = queries.FILE.query("queue_lengths")
    with database.write() as session:
        read["claim"] = read_by(session, lambda: claims.claim_next(session, ClaimOptions("w", 30)))
        read["lengths"] = read_by(
            session, lambda: statements.run(session, lengths, {"tenant": TENANT, "max_counted": 10})
        )
        arguments = product(
            (TENANT, "many", "without jobs"), (None, *Status), (None, new_id("job")), (None, "dataset_1", "few")
        )
        for tenant, status, start, dataset in arguments:
            if dataset is None or status is None or (tenant == "many" and status == "queued"):
                # of a dataset's jobs with a rare status, all jobs of the dataset are read
                page = partial(jobs.list_page, session, tenant, 10, start, status, dataset)
                read[tenant, status, start, dataset] = read_by(session, page)
    assert {name: count for name, count in read.items() if count > LIMIT} == {}
