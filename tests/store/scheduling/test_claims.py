"""Claims: one worker a job, every write fenced."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import update

from backpropd import errors
from backpropd.store import epochs, jobs
from backpropd.store.scheduling import claims, job_endings, leases, rescue
from backpropd.store.scheduling.claims import Claim, ClaimOptions
from backpropd.store.sql.column_types import steady
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from tests.store.conftest import TENANT, a_dataset, a_job, an_epoch

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


def claim(database: Database, seconds: float = 30.0) -> Claim | None:
    with database.write() as session:
        return claims.claim_next(session, ClaimOptions("w1", seconds))


def claimed(database: Database, seconds: float = 30.0) -> Claim:
    found = claim(database, seconds)
    assert found is not None
    return found


def status(database: Database, job_id: str) -> str:
    with database.read() as session:
        return jobs.get(session, TENANT, job_id).status


def test_an_empty_queue_gives_no_claim(database: Database) -> None:
    assert claim(database) is None


def test_the_highest_priority_goes_first_and_then_the_oldest(database: Database) -> None:
    dataset_id = a_dataset(database)
    wanted = [a_job(database, priority=p, dataset_id=dataset_id).id for p in (0, 0, 5)]
    assert [claimed(database).job_id for _ in range(3)] == [wanted[2], wanted[0], wanted[1]]
    assert claim(database) is None


def test_many_claimants_at_once_get_each_job_once(database: Database) -> None:
    dataset_id = a_dataset(database)
    wanted = {a_job(database, dataset_id=dataset_id).id for _ in range(12)}
    got: list[str] = []

    def work() -> None:
        while (found := claim(database)) is not None:
            got.append(found.job_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # on PostgreSQL a claimant that met only locked rows ends early: what is left is claimed here
    work()
    assert sorted(got) == sorted(wanted)


def test_a_claim_removes_the_epochs_past_the_checkpoint(database: Database) -> None:
    job = a_job(database)
    first = claimed(database)
    with database.write() as session:
        leases.write_epochs(session, first, [an_epoch(n) for n in range(1, 6)], 30, 1.0, (3, b"three"))
    with database.write() as session:
        job_endings.hand_back(session, first, "test")
    second = claimed(database)
    assert (second.checkpointed, second.fencing_token > first.fencing_token, second.attempt) == (True, True, 2)
    with database.read() as session:
        assert claims.resume_point(session, second) == claims.ResumePoint(b"three", None)
        assert [row.epoch for row in epochs.after(session, job.number, 0, 10)] == [1, 2, 3]


def test_a_stale_token_writes_nothing(database: Database) -> None:
    job = a_job(database)
    stale = claimed(database)
    with database.write() as session:
        job_endings.hand_back(session, stale, "test")
    claimed(database)
    for write in (
        lambda session: leases.renew(session, stale, 30, 1.0),
        lambda session: leases.write_epochs(session, stale, [an_epoch(1)], 30, 1.0),
        lambda session: job_endings.succeed(session, stale, "epochs", MODEL),
        lambda session: job_endings.fail(session, stale, "diverged", "…"),
        lambda session: job_endings.hand_back(session, stale, "…"),
        lambda session: leases.stop_request(session, stale),
    ):
        with pytest.raises(errors.LeaseLost), database.write() as session:
            write(session)
    with database.read() as session:
        assert epochs.after(session, job.number, 0, 10) == []


def test_success_writes_the_model_and_the_status_together(database: Database) -> None:
    job = a_job(database)
    held = claimed(database)
    with database.write() as session:
        assert job_endings.succeed(session, held, "epochs", MODEL, [an_epoch(1), an_epoch(2)], 1.5) == (
            "succeeded",
            None,
        )
    with database.read() as session:
        done = jobs.get(session, TENANT, job.id)
        assert [row.epoch for row in epochs.after(session, done.number, 0, 10)] == [1, 2]
        steps = [step.status for step in jobs.transitions(session, [done])[done.number]]
    assert done.model_id is not None
    assert done.finished_at is not None
    assert (done.epoch, done.training_seconds) == (2, 1.5)
    assert steps == ["queued", "running", "succeeded"]


def test_an_acknowledged_cancel_never_ends_succeeded(database: Database) -> None:
    job = a_job(database)
    held = claimed(database)
    with database.write() as session:
        jobs.cancel(session, TENANT, job.id)
    with database.write() as session:
        assert leases.renew(session, held, 30, 1.0) == "cancel"
        assert job_endings.succeed(session, held, "epochs", MODEL, [an_epoch(1)]) == ("cancelled", None)
    with database.read() as session:
        over = jobs.get(session, TENANT, job.id)
        assert (over.epoch, over.model_id, len(epochs.after(session, over.number, 0, 10))) == (1, None, 1)
    with pytest.raises(errors.Conflict, match="is cancelled"), database.write() as session:
        jobs.cancel(session, TENANT, job.id)


def test_a_paused_job_is_resumed_from_its_checkpoint(database: Database) -> None:
    job = a_job(database)
    held = claimed(database)
    with database.write() as session:
        jobs.pause(session, TENANT, job.id)
    with database.write() as session:
        leases.write_epochs(session, held, [an_epoch(1)], 30, 1.0, (1, b"one"))
        assert job_endings.apply_request(session, held) == "paused"
    assert claim(database) is None
    with database.write() as session:
        jobs.resume(session, TENANT, job.id)
    again = claimed(database)
    with database.read() as session:
        assert claims.resume_point(session, again).checkpoint == b"one"


def lose(database: Database) -> list[str]:
    """Have the lease of every running job run out, and sweep."""
    with database.write() as session:
        session.execute(update(Job).where(Job.status == "running").values(lease_expires_at=steady(-1)))
    with database.write() as session:
        return rescue.rescue_expired(session, 30, max_crashes=3)


def test_a_lease_that_ran_out_is_taken_up_again_and_at_last_given_up(database: Database) -> None:
    job = a_job(database)
    for loss in (1, 2, 3):
        claimed(database)
        assert lose(database) == [job.id]
        assert status(database, job.id) == ("queued" if loss < 3 else "failed")
    with database.read() as session:
        assert jobs.get(session, TENANT, job.id).error_code == "worker_lost"


def test_a_job_that_gets_on_between_its_losses_is_never_given_up(database: Database) -> None:
    job = a_job(database)
    for loss in range(1, 8):
        held = claimed(database)
        with database.write() as session:
            leases.write_epochs(session, held, [an_epoch(loss)], 30, 1.0, (loss, b"on"))
        assert lose(database) == [job.id]
        assert status(database, job.id) == "queued"


@pytest.mark.parametrize(("request_", "wanted"), [("cancel", "cancelled"), ("pause", "paused")])
def test_what_was_asked_of_a_job_is_done_although_its_worker_is_lost(
    database: Database, request_: str, wanted: str
) -> None:
    job = a_job(database)
    claimed(database)
    with database.write() as session:
        getattr(jobs, request_)(session, TENANT, job.id)
    assert lose(database) == [job.id]
    assert status(database, job.id) == wanted


def test_a_lease_that_stands_is_left_alone_and_one_from_another_time_is_not(database: Database) -> None:
    job = a_job(database)
    claimed(database, seconds=30)
    with database.write() as session:
        assert rescue.rescue_expired(session, 30, max_crashes=3) == []
        session.execute(update(Job).values(lease_expires_at=steady(3600)))  # before the clock was set back
        assert rescue.rescue_expired(session, 30, max_crashes=3) == [job.id]


def test_a_pause_that_was_not_carried_out_can_be_withdrawn(database: Database) -> None:
    job = a_job(database)
    held = claimed(database)
    with database.write() as session:
        jobs.pause(session, TENANT, job.id)
    with database.write() as session:
        assert jobs.resume(session, TENANT, job.id).status == "running"
    with database.write() as session:
        assert job_endings.apply_request(session, held) == "queued"


def test_epochs_that_are_written_twice_are_there_once(database: Database) -> None:
    job = a_job(database)
    held = claimed(database)
    for last in (3, 5):
        with database.write() as session:
            leases.write_epochs(session, held, [an_epoch(n) for n in range(1, last + 1)], 30, 1.0)
    with database.read() as session:
        assert [row.epoch for row in epochs.after(session, job.number, 0, 10)] == [1, 2, 3, 4, 5]
