"""The ends of jobs."""

from __future__ import annotations

from backpropd.store import epochs, jobs
from backpropd.store.scheduling import job_endings
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.database import Database
from tests.store.conftest import MODEL, TENANT, a_job, an_epoch, claimed


def test_success_writes_the_last_epochs_the_model_and_the_status_together(database: Database) -> None:
    job = a_job(database)
    claim = claimed(database)
    rows = [an_epoch(1), an_epoch(2)]
    with database.write() as session:
        assert job_endings.succeed(session, claim, "epochs", MODEL, rows, 1.5) == ("succeeded", None)
    with database.read() as session:
        ended = jobs.get(session, TENANT, job.id)
        assert [row.epoch for row in epochs.after(session, ended.number, 0, 10)] == [1, 2]
        steps = [step.status for step in jobs.transitions(session, [ended])[ended.number]]
    assert ended.model_id is not None
    assert ended.finished_at is not None
    assert (ended.epoch, ended.training_seconds) == (2, 1.5)
    assert steps == ["queued", "running", "succeeded"]


def test_the_transaction_that_ends_a_job_can_claim_the_next(database: Database) -> None:
    first, second = a_job(database), a_job(database)
    claim = claimed(database)
    with database.write() as session:
        _, following = job_endings.succeed(session, claim, "epochs", MODEL, claim_next=ClaimOptions("w2", 30))
    assert following is not None
    assert (claim.job_id, following.job_id) == (first.id, second.id)
    with database.read() as session:
        running = jobs.get(session, TENANT, second.id)
        assert (running.status, running.worker) == ("running", "w2")
        assert [step.status for step in jobs.transitions(session, [running])[running.number]] == ["queued", "running"]
