"""Leased jobs: claims in the order of the queue, writes with the current fencing token, endings and rescue."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import update

from backpropd import errors
from backpropd.store import jobs
from backpropd.store.scheduling import claims, job_endings, leases, rescue
from backpropd.store.scheduling.claims import Claim, ClaimOptions
from backpropd.store.sql.column_types import steady
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from tests.store.conftest import (
    MODEL,
    TENANT,
    a_claimed_job,
    a_job,
    an_epoch,
    claim_next,
    epochs_of,
    read,
    write,
    write_epochs,
)


def test_the_highest_priority_goes_first_and_then_the_oldest(database: Database) -> None:
    assert claim_next(database) is None
    submitted = [a_job(database, priority=p).id for p in (0, 0, 5)]
    assert [claim_next(database).job_id for _ in range(3)] == [submitted[2], submitted[0], submitted[1]]
    assert claim_next(database) is None


def test_concurrent_workers_claim_each_job_once(database: Database) -> None:
    submitted = {a_job(database).id for _ in range(12)}
    got: list[str] = []

    def work(_: object = None) -> None:
        while (claim := claim_next(database)) is not None:
            got.append(claim.job_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    work()  # on PostgreSQL a worker may stop early, when all rows are locked: claim the rest
    assert sorted(got) == sorted(submitted)


@pytest.mark.parametrize(("checkpoint", "remaining"), [((3, b"three"), [1, 2, 3]), (None, [])])
def test_a_claim_deletes_the_epochs_after_the_checkpoint(
    database: Database, checkpoint: tuple[int, bytes] | None, remaining: list[int]
) -> None:
    job, first = a_claimed_job(database)
    write_epochs(database, first, range(1, 6), checkpoint)
    write(database, job_endings.hand_back, first, "test")
    second = claim_next(database)
    assert (second.checkpointed, second.attempt) == (checkpoint is not None, 2)
    assert second.fencing_token > first.fencing_token
    assert read(database, claims.resume_point, second) == claims.ResumePoint(checkpoint and checkpoint[1], None)
    assert epochs_of(database, job) == remaining


ACTIONS: dict[str, Callable[[Any, Claim], object]] = {
    "renew": lambda session, claim: leases.renew(session, claim, 30, 1.0),
    "write_epochs": lambda session, claim: leases.write_epochs(session, claim, [an_epoch(1)], 30, 1.0),
    "stop_request": leases.stop_request,
    "succeed": lambda session, claim: job_endings.succeed(session, claim, "epochs", MODEL),
    "fail": lambda session, claim: job_endings.fail(session, claim, "diverged", "…"),
    "apply_request": job_endings.apply_request,
    "hand_back": lambda session, claim: job_endings.hand_back(session, claim, "…"),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_stale_token_writes_nothing(database: Database, action: Callable[[Any, Claim], object]) -> None:
    job, stale = a_claimed_job(database)
    write(database, job_endings.hand_back, stale, "test")
    claim_next(database)
    with pytest.raises(errors.LeaseLost):
        write(database, action, stale)
    assert epochs_of(database, job) == []


def test_epochs_that_are_written_twice_are_stored_once(database: Database) -> None:
    job, claim = a_claimed_job(database)
    for last in (3, 5):
        write_epochs(database, claim, range(1, last + 1))
    assert epochs_of(database, job) == [1, 2, 3, 4, 5]


def statuses(database: Database, job: Job) -> list[str]:
    return [step.status for step in read(database, jobs.transitions, [job])[job.number]]


def test_success_writes_the_last_epochs_the_model_and_the_status_together(database: Database) -> None:
    job, claim = a_claimed_job(database)
    rows = [an_epoch(1), an_epoch(2)]
    assert write(database, job_endings.succeed, claim, "epochs", MODEL, rows, 1.5) == ("succeeded", None)
    ended = read(database, jobs.get, TENANT, job.id)
    assert None not in (ended.model_id, ended.finished_at)
    assert (ended.epoch, ended.training_seconds) == (2, 1.5)
    assert epochs_of(database, job) == [1, 2]
    assert statuses(database, job) == ["queued", "running", "succeeded"]


def test_the_transaction_that_ends_a_job_can_claim_the_next(database: Database) -> None:
    first, second = a_job(database), a_job(database)
    claim = claim_next(database)
    options = ClaimOptions("w2", 30)
    _, following = write(database, job_endings.succeed, claim, "epochs", MODEL, claim_next=options)
    assert (claim.job_id, following.job_id) == (first.id, second.id)
    running = read(database, jobs.get, TENANT, second.id)
    assert (running.status, running.worker) == ("running", "w2")
    assert statuses(database, second) == ["queued", "running"]


def expire_and_rescue(database: Database) -> list[str]:
    """Let the lease of every running job expire, and rescue the jobs."""
    with database.write() as session:
        session.execute(update(Job).where(Job.status == "running").values(lease_expires_at=steady(-1)))
    return write(database, rescue.rescue_expired, 30, 3)


def test_a_job_whose_lease_has_expired_is_queued_again_and_fails_after_three_crashes(database: Database) -> None:
    job = a_job(database)
    for expected in (("queued", None), ("queued", None), ("failed", "worker_lost")):
        claim_next(database)
        assert expire_and_rescue(database) == [job.id]
        rescued = read(database, jobs.get, TENANT, job.id)
        assert (rescued.status, rescued.error_code) == expected


def test_a_job_with_a_checkpoint_between_its_crashes_never_fails(database: Database) -> None:
    job = a_job(database)
    for epoch in range(1, 8):
        write_epochs(database, claim_next(database), [epoch], (epoch, b"on"))
        assert expire_and_rescue(database) == [job.id]
        assert read(database, jobs.get, TENANT, job.id).status == "queued"


@pytest.mark.parametrize(("verb", "expected"), [(jobs.cancel, "cancelled"), (jobs.pause, "paused")])
def test_a_stop_request_is_carried_out_although_the_worker_is_lost(
    database: Database, verb: Callable[..., Job], expected: str
) -> None:
    job, _ = a_claimed_job(database)
    write(database, verb, TENANT, job.id)
    assert expire_and_rescue(database) == [job.id]
    assert read(database, jobs.get, TENANT, job.id).status == expected


def test_a_valid_lease_is_left_alone_and_one_from_before_a_restart_is_not(database: Database) -> None:
    job, _ = a_claimed_job(database)
    with database.write() as session:
        assert rescue.rescue_expired(session, 30, max_crashes=3) == []
        session.execute(update(Job).values(lease_expires_at=steady(3600)))  # before the clock was set back
        assert rescue.rescue_expired(session, 30, max_crashes=3) == [job.id]
