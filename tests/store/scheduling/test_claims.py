"""Claims: one worker for each job, in the order of the queue."""

from __future__ import annotations

import threading

from backpropd.store import epochs
from backpropd.store.scheduling import claims, job_endings, leases
from backpropd.store.sql.database import Database
from tests.store.conftest import a_dataset, a_job, an_epoch, claim_next, claimed


def test_an_empty_queue_gives_no_claim(database: Database) -> None:
    assert claim_next(database) is None


def test_the_highest_priority_goes_first_and_then_the_oldest(database: Database) -> None:
    dataset_id = a_dataset(database)
    submitted = [a_job(database, priority=p, dataset_id=dataset_id).id for p in (0, 0, 5)]
    assert [claimed(database).job_id for _ in range(3)] == [submitted[2], submitted[0], submitted[1]]
    assert claim_next(database) is None


def test_concurrent_workers_claim_each_job_once(database: Database) -> None:
    dataset_id = a_dataset(database)
    submitted = {a_job(database, dataset_id=dataset_id).id for _ in range(12)}
    got: list[str] = []

    def work() -> None:
        while (claim := claim_next(database)) is not None:
            got.append(claim.job_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work()  # on PostgreSQL a worker may stop early, when all rows are locked: claim the rest
    assert sorted(got) == sorted(submitted)


def test_a_claim_deletes_the_epochs_after_the_checkpoint(database: Database) -> None:
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


def test_a_claim_without_a_checkpoint_deletes_all_epochs(database: Database) -> None:
    job = a_job(database)
    first = claimed(database)
    with database.write() as session:
        leases.write_epochs(session, first, [an_epoch(1)], 30, 1.0)
        job_endings.hand_back(session, first, "test")
    assert not claimed(database).checkpointed
    with database.read() as session:
        assert epochs.after(session, job.number, 0, 10) == []
