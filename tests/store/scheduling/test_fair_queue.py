"""The order of the queue: priority, then tenants in rounds, then age; and the estimates of positions and starts."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from backpropd.store import jobs
from backpropd.store.scheduling import claims, fair_queue, workers
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from tests.store.conftest import TENANT, a_dataset, a_job, claim_next, claimed


def submit_for(database: Database, tenants: str, priority: int = 0) -> dict[str, str]:
    """A job for each letter, of the tenant of that letter. Gives their names (`a1`) by their ids."""
    dataset_ids = {tenant: a_dataset(database, tenant) for tenant in set(tenants)}
    names = {}
    for number, tenant in enumerate(tenants, 1):
        job = a_job(database, tenant=tenant, priority=priority, dataset_id=dataset_ids[tenant])
        names[job.id] = f"{tenant}{number}"
    return names


def claim_order(database: Database, names: dict[str, str], count: int = 100) -> list[str]:
    """The names of the next jobs, at most `count`, in the order in which they are claimed."""
    order = []
    while len(order) < count and (claim := claim_next(database)):
        order.append(names[claim.job_id])
    return order


def test_a_tenants_first_job_waits_for_one_turn_however_many_another_has_queued(database: Database) -> None:
    names = submit_for(database, "aaaaa")
    assert claim_order(database, names, 2) == ["a1", "a2"]
    names |= submit_for(database, "b")
    assert claim_order(database, names) == ["b1", "a3", "a4", "a5"]


def test_tenants_take_turns_beginning_with_the_longest_wait(database: Database) -> None:
    names = submit_for(database, "aaabbc")
    assert claim_order(database, names) == ["a1", "b4", "c6", "a2", "b5", "a3"]


def test_a_tenant_without_jobs_neither_saves_turns_nor_owes_any(database: Database) -> None:
    names = submit_for(database, "a" * 6)
    claim_order(database, names)
    names = submit_for(database, "bbbb")
    assert claim_order(database, names, 2) == ["b1", "b2"]
    names |= {id: name.upper() for id, name in submit_for(database, "aa").items()}
    assert claim_order(database, names) == ["A1", "b3", "A2", "b4"]


def test_priority_goes_before_turns(database: Database) -> None:
    names = submit_for(database, "ab")
    names |= {id: name.upper() for id, name in submit_for(database, "bb", priority=3).items()}
    assert claim_order(database, names) == ["B1", "B2", "a1", "b2"]


def test_positions_follow_priority_and_turns(database: Database) -> None:
    names = submit_for(database, "aaabbc")
    names |= {id: name.upper() for id, name in submit_for(database, "b", priority=1).items()}
    with database.read() as session:
        positions = {
            name: fair_queue.estimate(session, jobs.get(session, name[0].lower(), id), 30).position
            for id, name in names.items()
        }
    assert (positions["B1"], positions["a1"], positions["a3"]) == (1, 4, 7)
    assert max(positions.values()) == len(positions)


def test_the_start_is_estimated_from_living_workers_and_finished_jobs(database: Database) -> None:
    dataset_id = a_dataset(database)
    first, second, third = (a_job(database, dataset_id=dataset_id).id for _ in range(3))

    def estimate(job_id: str) -> tuple[int, float | None]:
        """The position, and the seconds until the start."""
        with database.read() as session:
            position, starts_at = fair_queue.estimate(session, jobs.get(session, TENANT, job_id), 30)
            time = session.scalar(select(now()))
            assert time is not None
            return position, None if starts_at is None else round((starts_at - time).total_seconds())

    assert estimate(first) == (1, None)  # there is no worker
    with database.write() as session:
        workers.record_heartbeat(session, "w", 1)
    assert (estimate(first), estimate(second)) == ((1, 0), (2, None))  # no job has finished
    claimed(database)
    ended = {"training_seconds": 20.0, "status": "succeeded", "finished_at": now()}
    with database.write() as session:
        session.execute(update(Job).where(Job.id == first).values(**ended))
    assert (estimate(second), estimate(third)) == ((1, 0), (2, 20))


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_the_next_tenant_is_served_while_the_first_ones_jobs_are_locked(database: Database) -> None:
    names = submit_for(database, "ab")
    with database.write() as session, database.write() as other:
        claim = claims.claim_next(session, ClaimOptions("w", 30))
        assert claim is not None
        assert names[claim.job_id] == "a1"
        assert claim_order(database, names, 1) == ["b2"]
        assert claims.claim_next(other, ClaimOptions("w", 30)) is None


def test_a_tenant_runs_at_most_its_limit_of_jobs(database: Database) -> None:
    names = submit_for(database, "aaab")
    order = []
    for _ in range(4):
        with database.write() as session:
            claim = claims.claim_next(session, ClaimOptions("w", 30, max_running=2))
            order.append(names[claim.job_id] if claim else None)
    assert order == ["a1", "b4", "a2", None]
