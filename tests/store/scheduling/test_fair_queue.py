"""The queue: tenants in turns, then priority, then age; its limits, its estimates, and the workers that are alive."""

from random import Random

import pytest
from sqlalchemy import select, update

from backpropd import errors
from backpropd.store import jobs
from backpropd.store.scheduling import claims, fair_queue, submission, tenants, workers
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from tests.store.conftest import DATABASES, JOB, TENANT, a_dataset, a_job, claim_next, read, write


def submit_for(database: Database, tenants: str, priority: int = 0) -> dict[str, str]:
    """A job for each letter, of the tenant of that letter. Returns their names (`a1`) by their ids."""
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


def test_priority_orders_the_jobs_of_a_tenant_and_plays_no_part_between_tenants(database: Database) -> None:
    names = submit_for(database, "ab")
    names |= {id: name.upper() for id, name in submit_for(database, "bb", priority=10).items()}
    assert claim_order(database, names) == ["a1", "B1", "B2", "b2"]
    names = submit_for(database, "aaa", priority=10) | submit_for(database, "bb", priority=-10)
    names |= submit_for(database, "c")
    assert "".join(name[0] for name in claim_order(database, names)) == "acabab"


def test_a_tenant_has_turns_in_proportion_to_its_weight(database: Database) -> None:
    for tenant, weight in (("a", 3), ("b", 1), ("c", 0.5)):
        write(database, tenants.set_weight, tenant, weight)
    names = submit_for(database, "a" * 20 + "b" * 20 + "c" * 20)
    order = "".join(name[0] for name in claim_order(database, names, 27))
    assert {tenant: order.count(tenant) for tenant in "abc"} == {"a": 18, "b": 6, "c": 3}
    assert "aaaa" not in order
    shown = read(database, tenants.overview)
    assert [(row.tenant, round(row.weight, 3), row.queued, row.running) for row in shown] == [
        ("a", 3, 2, 18), ("b", 1, 14, 6), ("c", 0.5, 17, 3),
    ]  # fmt: skip
    with pytest.raises(errors.Invalid):
        write(database, tenants.set_weight, "a", 0)


@pytest.mark.parametrize("seed", range(4))
def test_positions_are_the_order_in_which_jobs_start(database: Database, seed: int) -> None:
    random = Random(seed)
    for tenant in "abcd":
        write(database, tenants.set_weight, tenant, random.choice((0.5, 1, 1, 2, 3)))
    names: dict[str, str] = {}
    for _ in range(3):  # some turns have been taken before
        names |= submit_for(database, "".join(random.choices("abcd", k=8)))
        claim_order(database, names, 5)
    with database.read() as session:
        waiting = [job for tenant in "abcd" for job in jobs.list_page(session, tenant, 100, None, "queued", None).rows]
        positions = {job.id: fair_queue.estimate(session, job, 30).position for job in waiting}
    claimed = []
    while claim := claim_next(database):
        claimed.append(claim.job_id)
    assert sorted(positions, key=lambda id: positions[id]) == claimed
    assert sorted(positions.values()) == list(range(1, len(claimed) + 1))


def test_positions_of_jobs_of_several_priorities_follow_turns(database: Database) -> None:
    names = submit_for(database, "aaabbc")
    names |= {id: name.upper() for id, name in submit_for(database, "b", priority=1).items()}
    with database.read() as session:
        positions = {
            name: fair_queue.estimate(session, jobs.get(session, name[0].lower(), id), 30).position
            for id, name in names.items()
        }
    assert [positions[name] for name in ("a1", "B1", "a2", "b4", "a3", "b5")] == [1, 3, 4, 5, 6, 7]


def test_a_job_whose_turn_is_over_yields_to_other_tenants_and_to_its_own_tenants_jobs_of_its_priority(
    database: Database,
) -> None:
    submit_for(database, "b")
    arguments = [("b", 0), ("b", 1), ("b", -1), ("a", 10), ("c", 10)]
    found = [read(database, fair_queue.must_yield, *each) for each in arguments]
    assert found == [True, False, True, True, True]


def test_the_start_is_estimated_from_living_workers_and_finished_jobs(database: Database) -> None:
    dataset_id = a_dataset(database)
    first, second, third = (a_job(database, dataset_id=dataset_id).id for _ in range(3))

    def estimate(job_id: str) -> tuple[int, float | None]:
        """The position, and the seconds until the start."""
        with database.read() as session:
            position, starts_at = fair_queue.estimate(session, jobs.get(session, TENANT, job_id), 30)
            time = session.scalar(select(now()))
            return position, None if starts_at is None else round((starts_at - time).total_seconds())

    assert estimate(first) == (1, None)  # there is no worker
    write(database, workers.record_heartbeat, "w", 1)
    assert (estimate(first), estimate(second)) == ((1, 0), (2, None))  # no job has finished
    claim_next(database)
    ended = {"training_seconds": 20.0, "status": "succeeded", "finished_at": now()}
    with database.write() as session:
        session.execute(update(Job).where(Job.id == first).values(**ended))
    assert (estimate(second), estimate(third)) == ((1, 0), (2, 20))


@pytest.mark.parametrize("database", DATABASES[1:], indirect=True)  # SQLite has one writer at a time
def test_the_next_tenant_is_served_while_the_first_ones_jobs_are_locked(database: Database) -> None:
    names = submit_for(database, "ab")
    with database.write() as session, database.write() as other:
        claim = claims.claim_next(session, ClaimOptions("w", 30))
        assert names[claim.job_id] == "a1"
        assert claim_order(database, names, 1) == ["b2"]
        assert claims.claim_next(other, ClaimOptions("w", 30)) is None


def test_a_tenant_runs_at_most_its_limit_of_jobs(database: Database) -> None:
    names = submit_for(database, "aaab")
    found = [claim_next(database, max_running=2) for _ in range(4)]
    assert [names[claim.job_id] if claim else None for claim in found] == ["a1", "b4", "a2", None]


def test_a_new_job_gets_the_estimate_that_is_read_later(database: Database) -> None:
    submit_for(database, "aaabbc")
    submit_for(database, "b", priority=1)
    dataset_id = a_dataset(database, "b")
    write(database, workers.record_heartbeat, "w", 9)
    with database.write() as session:
        new = submission.submit(session, "b", dataset_id=dataset_id, **JOB)
        later = fair_queue.estimate(session, new.job, 30)
    assert [(each.position, each.starts_at is None) for each in (new.estimate, later)] == [(8, False)] * 2


def test_the_queue_is_limited_for_each_tenant_and_in_total(database: Database) -> None:
    submit_for(database, "aaab")
    dataset_ids = {tenant: a_dataset(database, tenant) for tenant in "abc"}

    def rejection(tenant: str, per_tenant: int, total: int) -> str | None:
        """Why one more job is rejected; one that is accepted is rolled back."""
        limits = submission.QueueLimits(per_tenant, total)
        try:
            with database.write() as session:
                submission.submit(session, tenant, dataset_id=dataset_ids[tenant], limits=limits, **JOB)
                raise LookupError("roll back")
        except errors.QueueFull as full:
            return full.detail.split(" are")[0]
        except LookupError:
            return None

    assert [rejection("a", 3, 9), rejection("a", 4, 9), rejection("b", 2, 9)] == ["3 of your jobs", None, None]
    assert [rejection("c", 1, 4), rejection("c", 1, 5)] == ["4 jobs of all tenants", None]


def test_a_worker_is_alive_until_its_heartbeat_is_too_old_or_it_is_removed(database: Database) -> None:
    for slots in (3, 4):
        write(database, workers.record_heartbeat, "w", slots)
    assert read(database, workers.alive, 10) == (1, 4)
    assert read(database, workers.alive, -10) == (0, 0)
    write(database, workers.remove, "w")
    assert read(database, workers.alive, 10) == (0, 0)
