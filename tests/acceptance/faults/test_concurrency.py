"""Many clients at once: one Idempotency-Key a hundred times, twenty threads on SQLite, hundreds of jobs of a tenant."""

import itertools
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from backpropd.store import datasets
from backpropd.store.scheduling import submission
from backpropd.store.sql.schema import Dataset, Job
from tests.acceptance.faults import invariants, job_kinds
from tests.acceptance.faults.cluster import PROGRAMS, Cluster

pytestmark = pytest.mark.acceptance

THREADS, SECONDS = 20, 6.0


@pytest.mark.parametrize("fixture", ["cluster", "postgres_cluster"])
def test_a_hundred_posts_with_one_key_make_one_job(request: pytest.FixtureRequest, fixture: str) -> None:
    cluster: Cluster = request.getfixturevalue(fixture)
    body, key = job_kinds.request("perceptron", cluster.datasets), {"Idempotency-Key": f"once on {fixture}"}
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: cluster.request("/v1/jobs", "POST", json=body, headers=key), range(100)))
    assert Counter(answer.status_code for answer in answers) == {202: 100}
    (job_id,) = {answer.json()["id"] for answer in answers}
    cluster.wait_until_ended([job_id])
    with cluster.database.read() as session:
        assert session.scalar(select(func.count()).where(Job.name == "perceptron", Job.id >= job_id)) == 1
    other = cluster.request("/v1/jobs", "POST", json={**body, "name": "another"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_twenty_threads_never_find_the_database_locked_and_a_kill_of_all_programs_does_not_corrupt_it(
    cluster: Cluster,
) -> None:
    deadline, statuses, numbers = time.monotonic() + SECONDS, Counter[tuple[str, int]](), itertools.count()

    job = job_kinds.request("perceptron", cluster.datasets)

    def use(seed: int) -> None:
        random_, own = random.Random(seed), [cluster.post("perceptron")[0]]
        while time.monotonic() < deadline:
            job_id = random_.choice(own)
            method, path, body = random_.choice(
                [
                    (
                        "POST",
                        "/v1/jobs",
                        {**job, "name": str(next(numbers))},
                    ),
                    ("POST", "/v1/datasets", {"sample": "xor", "seed": next(numbers)}),
                    ("POST", f"/v1/jobs/{job_id}/cancel", None),
                    ("GET", f"/v1/jobs/{job_id}", None),
                    ("GET", f"/v1/jobs/{job_id}/epochs?limit=1000", None),
                    ("GET", "/v1/jobs?limit=100", None),
                ]
            )
            answer = cluster.request(path, method, json=body) if body else cluster.request(path, method)
            statuses[method, answer.status_code] += 1
            if path == "/v1/jobs" and answer.status_code == 202:
                own.append(answer.json()["id"])

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in PROGRAMS:
        cluster.kill(name)
    assert {status for _, status in statuses} <= {200, 201, 202, 409}, statuses
    assert sum(statuses.values()) > 10 * THREADS
    assert "database is locked" not in cluster.logs()
    invariants.assert_consistent(cluster.database, cluster.settings)
    cluster.repair()
    with cluster.database.read() as session:
        job_ids = list(session.scalars(select(Job.id)))
    cluster.cancel_all()
    cluster.wait_until_ended(job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)


def test_priority_goes_first_and_hundreds_of_jobs_of_one_tenant_do_not_delay_another(cluster: Cluster) -> None:
    cluster.stop("worker-1")
    cluster.stop("worker-2")
    own = [cluster.post("perceptron")[0] for _ in range(3)]
    (urgent,) = cluster.post("perceptron", priority=10)
    others = queue_jobs_of_another_tenant(cluster, own[0], 300)
    cluster.start("worker-1")
    cluster.wait_until_ended([urgent, *own])
    started = {job_id: cluster.job(job_id).started_at for job_id in (urgent, *own, *others)}
    order = sorted((at, job_id) for job_id, at in started.items() if at is not None)
    assert next(job_id for _, job_id in order if job_id not in others) == urgent
    last = max(position for position, (_, job_id) in enumerate(order) if job_id in own)
    assert last <= 1 + 2 * len(own)  # one job of the other tenant before each of them


def queue_jobs_of_another_tenant(cluster: Cluster, like: str, count: int) -> list[str]:
    """Queue `count` jobs with the spec of the job `like`."""
    with cluster.database.write() as session:
        job = session.scalars(select(Job).where(Job.id == like)).one()
        table = session.scalars(select(Dataset).where(Dataset.id == job.dataset_id)).one()
        names = ("name", "format", "rows", "size", "sha256", "columns")
        own = datasets.create(session, "other", **{name: getattr(table, name) for name in names})
        about = {"dataset_id": own.id, "epochs": job.epochs, "name": None, "spec": job.spec, "meta": {}}
        return [submission.submit(session, "other", **about).job.id for _ in range(count)]
