"""Jobs as clients manage them."""

from __future__ import annotations

import pytest

from backpropd import errors
from backpropd.store import epochs, jobs
from backpropd.store.scheduling import claims, job_endings, leases
from backpropd.store.sql.database import Database
from tests.store.conftest import MODEL, TENANT, a_job, an_epoch, claim_next, claimed


def test_only_a_finished_job_can_be_deleted(database: Database) -> None:
    job = a_job(database)
    with pytest.raises(errors.Conflict), database.write() as session:
        jobs.delete(session, TENANT, job.id)
    with database.write() as session:
        jobs.cancel(session, TENANT, job.id)
        jobs.delete(session, TENANT, job.id)
    with pytest.raises(errors.NotFound), database.read() as session:
        jobs.get(session, TENANT, job.id)


def test_a_cancelled_job_never_ends_succeeded(database: Database) -> None:
    job = a_job(database)
    claim = claimed(database)
    with database.write() as session:
        jobs.cancel(session, TENANT, job.id)
    with database.write() as session:
        assert leases.renew(session, claim, 30, 1.0) == "cancel"
        assert job_endings.succeed(session, claim, "epochs", MODEL, [an_epoch(1)]) == ("cancelled", None)
    with database.read() as session:
        cancelled = jobs.get(session, TENANT, job.id)
        rows = epochs.after(session, cancelled.number, 0, 10)
        assert (cancelled.epoch, cancelled.model_id, len(rows)) == (1, None, 1)
    with pytest.raises(errors.Conflict, match="is cancelled"), database.write() as session:
        jobs.cancel(session, TENANT, job.id)


def test_a_paused_job_is_not_claimed_until_it_is_resumed(database: Database) -> None:
    job = a_job(database)
    claim = claimed(database)
    with database.write() as session:
        jobs.pause(session, TENANT, job.id)
    with database.write() as session:
        leases.write_epochs(session, claim, [an_epoch(1)], 30, 1.0, (1, b"one"))
        assert job_endings.apply_request(session, claim) == "paused"
    assert claim_next(database) is None
    with database.write() as session:
        jobs.resume(session, TENANT, job.id)
    again = claimed(database)
    with database.read() as session:
        assert claims.resume_point(session, again).checkpoint == b"one"


def test_a_pause_request_can_be_withdrawn_before_it_is_carried_out(database: Database) -> None:
    job = a_job(database)
    claim = claimed(database)
    with database.write() as session:
        jobs.pause(session, TENANT, job.id)
    with database.write() as session:
        assert jobs.resume(session, TENANT, job.id).status == "running"
    with database.write() as session:
        assert job_endings.apply_request(session, claim) == "queued"
