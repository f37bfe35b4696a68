"""Whose turn it is: priority, then tenants in rounds, then age; and what a queued job is told of it."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from backpropd import errors
from backpropd.store import jobs
from backpropd.store.scheduling import claims, fair_queue, submission, workers
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from tests.store.conftest import TENANT, a_dataset, a_job


def posted(database: Database, tenants: str, priority: int = 0) -> dict[str, str]:
    """A job for each letter, of the tenant of that letter; the ids, with the names that tell them apart."""
    names: dict[str, str] = {}
    dataset_ids = {tenant: a_dataset(database, tenant) for tenant in set(tenants)}
    for number, tenant in enumerate(tenants, 1):
        job = a_job(database, tenant=tenant, priority=priority, dataset_id=dataset_ids[tenant])
        names[job.id] = f"{tenant}{number}"
    return names


def taken(database: Database, names: dict[str, str], most: int = 100) -> list[str]:
    """The names in the order in which they are claimed."""
    order = []
    for _ in range(most):
        with database.write() as session:
            claim = claims.claim_next(session, ClaimOptions("w", 30))
        if claim is None:
            break
        order.append(names[claim.job_id])
    return order


def test_a_tenants_first_job_waits_for_one_turn_however_many_another_has_queued(database: Database) -> None:
    names = posted(database, "aaaaa")
    assert taken(database, names, 2) == ["a1", "a2"]
    names |= posted(database, "b")
    assert taken(database, names) == ["b1", "a3", "a4", "a5"]


def test_tenants_take_turns_and_the_one_that_waits_longest_begins(database: Database) -> None:
    names = posted(database, "aaabbc")
    assert taken(database, names) == ["a1", "b4", "c6", "a2", "b5", "a3"]


def test_a_tenant_that_comes_back_has_saved_up_no_turns_and_owes_none(database: Database) -> None:
    names = posted(database, "a" * 6)
    taken(database, names)
    names = posted(database, "bbbb")
    assert taken(database, names, 2) == ["b1", "b2"]
    names |= {id: name.upper() for id, name in posted(database, "aa").items()}
    assert taken(database, names) == ["A1", "b3", "A2", "b4"]


def test_priority_goes_before_turns(database: Database) -> None:
    names = posted(database, "ab") | {id: name.upper() for id, name in posted(database, "bb", priority=3).items()}
    assert taken(database, names) == ["B1", "B2", "a1", "b2"]


def test_a_job_is_told_its_position(database: Database) -> None:
    names = posted(database, "aaabbc") | {id: name.upper() for id, name in posted(database, "b", priority=1).items()}
    ids = {name: id for id, name in names.items()}
    with database.read() as session:
        places = {
            name: fair_queue.estimate(session, jobs.get(session, name[0].lower(), ids[name]), 30)[0] for name in ids
        }
    assert (places["B1"], places["a1"], places["a3"]) == (1, 4, 7)
    assert max(places.values()) == len(places)


def test_a_job_is_told_the_same_when_it_is_posted_as_when_it_is_read(database: Database) -> None:
    posted(database, "aaabbc")
    posted(database, "b", priority=1)
    dataset_id = a_dataset(database, "b")
    with database.write() as session:
        workers.record_heartbeat(session, "w", 9)
    with database.write() as session:
        new = submission.submit(session, "b", dataset_id=dataset_id, epochs=1, name=None, spec={}, meta={})
        read = fair_queue.estimate(session, new.job, 30)
    assert (
        (new.estimate.position, new.estimate.starts_at is None) == (read.position, read.starts_at is None) == (8, False)
    )


def test_a_job_is_told_when_it_may_start(database: Database) -> None:
    dataset_id = a_dataset(database)
    first, second, third = (a_job(database, dataset_id=dataset_id).id for _ in range(3))

    def outlook(job_id: str) -> tuple[int, float | None]:
        with database.read() as session:
            place, starts = fair_queue.estimate(session, jobs.get(session, TENANT, job_id), 30)
            moment = session.scalar(select(now()))
            return place, None if starts is None or moment is None else round((starts - moment).total_seconds())

    assert outlook(first) == (1, None)  # no worker lives
    with database.write() as session:
        workers.record_heartbeat(session, "w", 1)
    assert (outlook(first), outlook(second)) == ((1, 0), (2, None))  # no job has ended yet
    with database.write() as session:
        assert claims.claim_next(session, ClaimOptions("w", 30))
        session.execute(
            update(Job).where(Job.id == first).values(training_seconds=20.0, status="succeeded", finished_at=now())
        )
    assert (outlook(second), outlook(third)) == ((1, 0), (2, 20))


def test_a_job_is_taken_while_there_is_room_for_its_tenant_and_for_all(database: Database) -> None:
    posted(database, "aaab")
    dataset_ids = {tenant: a_dataset(database, tenant) for tenant in "abc"}

    def refusal(tenant: str, own: int, in_all: int) -> str | None:
        """What is said to one more job, which is taken back."""
        about = {"dataset_id": dataset_ids[tenant], "epochs": 1, "name": None, "spec": {}, "meta": {}}
        try:
            with database.write() as session:
                submission.submit(session, tenant, limits=submission.QueueLimits(own, in_all), **about)
                raise LookupError("one too many for the next question")
        except errors.QueueFull as full:
            return full.detail.split(" are")[0]
        except LookupError:
            return None

    assert [refusal("a", 3, 9), refusal("a", 4, 9), refusal("b", 2, 9)] == ["3 jobs of yours", None, None]
    assert [refusal("c", 1, 4), refusal("c", 1, 5)] == ["4 jobs of all tenants together", None]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_past_a_tenant_whose_jobs_are_locked_the_next_one_is_taken(database: Database) -> None:
    names = posted(database, "ab")
    with database.write() as session, database.write() as other:
        claim = claims.claim_next(session, ClaimOptions("w", 30))
        assert claim is not None
        assert names[claim.job_id] == "a1"
        assert taken(database, names, 1) == ["b2"]
        assert claims.claim_next(other, ClaimOptions("w", 30)) is None


def test_a_tenant_runs_no_more_jobs_at_once_than_it_may(database: Database) -> None:
    names = posted(database, "aaab")
    order = []
    for _ in range(4):
        with database.write() as session:
            claim = claims.claim_next(session, ClaimOptions("w", 30, max_running=2))
            order.append(names[claim.job_id] if claim else None)
    assert order == ["a1", "b4", "a2", None]
