"""Submission: the limits of the queue, and the estimate that a new job gets."""

from __future__ import annotations

from backpropd import errors
from backpropd.store.scheduling import fair_queue, submission, workers
from backpropd.store.sql.database import Database
from tests.store.conftest import JOB, a_dataset
from tests.store.scheduling.test_fair_queue import submit_for


def test_a_new_job_gets_the_estimate_that_is_read_later(database: Database) -> None:
    submit_for(database, "aaabbc")
    submit_for(database, "b", priority=1)
    dataset_id = a_dataset(database, "b")
    with database.write() as session:
        workers.record_heartbeat(session, "w", 9)
    with database.write() as session:
        new = submission.submit(session, "b", dataset_id=dataset_id, **JOB)
        read = fair_queue.estimate(session, new.job, 30)
    estimates = [(each.position, each.starts_at is None) for each in (new.estimate, read)]
    assert estimates == [(8, False), (8, False)]


def test_the_queue_is_limited_for_each_tenant_and_in_total(database: Database) -> None:
    submit_for(database, "aaab")
    dataset_ids = {tenant: a_dataset(database, tenant) for tenant in "abc"}

    def refusal(tenant: str, per_tenant: int, total: int) -> str | None:
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

    assert [refusal("a", 3, 9), refusal("a", 4, 9), refusal("b", 2, 9)] == ["3 jobs of yours", None, None]
    assert [refusal("c", 1, 4), refusal("c", 1, 5)] == ["4 jobs of all tenants together", None]
