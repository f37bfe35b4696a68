"""A tenant's rows: one by its id, and pages of them."""

from __future__ import annotations

import time

import pytest

from backpropd import errors
from backpropd.store import datasets, jobs
from backpropd.store.sql.database import Database
from tests.store.conftest import TENANT, a_dataset, a_job


def test_a_tenant_cannot_read_the_rows_of_another(database: Database) -> None:
    job = a_job(database)
    with database.read() as session:
        with pytest.raises(errors.NotFound):
            jobs.get(session, "other", job.id)
        with pytest.raises(errors.NotFound):
            datasets.get(session, "other", job.dataset_id)
        assert jobs.list_page(session, "other", 10, None, None, None).rows == []


def test_pages_are_newest_first_and_complete(database: Database) -> None:
    dataset_id = a_dataset(database)
    submitted = []
    for _ in range(5):
        submitted.append(a_job(database, dataset_id=dataset_id).id)
        time.sleep(0.002)
    listed, cursor = [], None
    while True:
        with database.read() as session:
            page = jobs.list_page(session, TENANT, 2, cursor, None, None)
        listed += [job.id for job in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert listed == submitted[::-1]
