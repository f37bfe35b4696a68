"""Rescue of jobs that lost their worker."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from backpropd.store import jobs
from backpropd.store.scheduling import leases, rescue
from backpropd.store.sql.column_types import steady
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from tests.store.conftest import TENANT, a_job, an_epoch, claimed


def status(database: Database, job_id: str) -> str:
    with database.read() as session:
        return jobs.get(session, TENANT, job_id).status


def expire_and_rescue(database: Database) -> list[str]:
    """Let the lease of every running job expire, and rescue the jobs."""
    with database.write() as session:
        session.execute(update(Job).where(Job.status == "running").values(lease_expires_at=steady(-1)))
    with database.write() as session:
        return rescue.rescue_expired(session, 30, max_crashes=3)


def test_a_job_whose_lease_has_expired_is_queued_again_and_fails_after_three_crashes(database: Database) -> None:
    job = a_job(database)
    for crash in (1, 2, 3):
        claimed(database)
        assert expire_and_rescue(database) == [job.id]
        assert status(database, job.id) == ("queued" if crash < 3 else "failed")
    with database.read() as session:
        assert jobs.get(session, TENANT, job.id).error_code == "worker_lost"


def test_a_job_with_a_checkpoint_between_its_crashes_never_fails(database: Database) -> None:
    job = a_job(database)
    for epoch in range(1, 8):
        claim = claimed(database)
        with database.write() as session:
            leases.write_epochs(session, claim, [an_epoch(epoch)], 30, 1.0, (epoch, b"on"))
        assert expire_and_rescue(database) == [job.id]
        assert status(database, job.id) == "queued"


@pytest.mark.parametrize(("verb", "expected"), [("cancel", "cancelled"), ("pause", "paused")])
def test_a_stop_request_is_carried_out_although_the_worker_is_lost(
    database: Database, verb: str, expected: str
) -> None:
    job = a_job(database)
    claimed(database)
    with database.write() as session:
        getattr(jobs, verb)(session, TENANT, job.id)
    assert expire_and_rescue(database) == [job.id]
    assert status(database, job.id) == expected


def test_a_valid_lease_is_left_alone_and_one_from_before_a_restart_is_not(database: Database) -> None:
    job = a_job(database)
    claimed(database)
    with database.write() as session:
        assert rescue.rescue_expired(session, 30, max_crashes=3) == []
        session.execute(update(Job).values(lease_expires_at=steady(3600)))  # before the clock was set back
        assert rescue.rescue_expired(session, 30, max_crashes=3) == [job.id]
