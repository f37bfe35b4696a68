"""Versions of jobs."""

from __future__ import annotations

from backpropd.store import job_versions
from backpropd.store.scheduling import leases
from backpropd.store.sql.database import Database
from tests.store.conftest import a_job, an_epoch, claimed


def test_the_versions_of_several_jobs_are_read_and_a_deleted_job_is_left_out(database: Database) -> None:
    first, second = a_job(database), a_job(database)
    claim = claimed(database)
    with database.write() as session:
        leases.write_epochs(session, claim, [an_epoch(1)], 30, 1.0)
    with database.read_connection() as connection:
        found = job_versions.read(connection, [first.id, second.id, "job_gone"])
        assert job_versions.read(connection, []) == {}
    assert found == {first.id: ("running", claim.fencing_token, 1), second.id: ("queued", 0, 0)}
