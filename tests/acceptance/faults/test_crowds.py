"""Many at once: one Idempotency-Key a hundred times, twenty threads on SQLite, hundreds of jobs of another tenant."""

from __future__ import annotations

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
from tests.acceptance.faults import kinds, truth
from tests.acceptance.faults.cluster import PARTS, Cluster

pytestmark = pytest.mark.acceptance

THREADS, SECONDS = 20, 6.0


@pytest.mark.parametrize("where", ["here", "grown"])
def test_a_hundred_posts_with_one_key_make_one_job(request: pytest.FixtureRequest, where: str) -> None:
    made: Cluster = request.getfixturevalue(where)
    body, key = kinds.request("perceptron", made.datasets), {"Idempotency-Key": f"once on {where}"}
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: made.answer("/v1/jobs", "POST", json=body, headers=key), range(100)))
    assert Counter(answer.status_code for answer in answers) == {202: 100}
    (job_id,) = {answer.json()["id"] for answer in answers}
    made.over([job_id])
    with made.database.read() as session:
        assert session.scalar(select(func.count()).where(Job.name == "perceptron", Job.id >= job_id)) == 1
    other = made.answer("/v1/jobs", "POST", json={**body, "name": "another"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_twenty_threads_that_read_and_write_never_meet_a_locked_database_and_a_kill_of_everything_leaves_it_whole(
    here: Cluster,
) -> None:
    until, seen, numbers = time.monotonic() + SECONDS, Counter[tuple[str, int]](), itertools.count()

    def use(seed: int) -> None:
        chance, mine = random.Random(seed), [here.post("perceptron")[0]]
        while time.monotonic() < until:
            job_id = chance.choice(mine)
            verb, path, body = chance.choice(
                [
                    ("POST", "/v1/jobs", {**kinds.request("perceptron", here.datasets), "name": str(next(numbers))}),
                    ("POST", "/v1/datasets", {"sample": "xor", "seed": next(numbers)}),
                    ("POST", f"/v1/jobs/{job_id}/cancel", None),
                    ("GET", f"/v1/jobs/{job_id}", None),
                    ("GET", f"/v1/jobs/{job_id}/epochs?limit=1000", None),
                    ("GET", "/v1/jobs?limit=100", None),
                ]
            )
            answer = here.answer(path, verb, json=body) if body else here.answer(path, verb)
            seen[verb, answer.status_code] += 1
            if path == "/v1/jobs" and answer.status_code == 202:
                mine.append(answer.json()["id"])

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in PARTS:
        here.kill(name)
    assert {status for _, status in seen} <= {200, 201, 202, 409}, seen
    assert sum(seen.values()) > 10 * THREADS
    assert "database is locked" not in here.logs()
    truth.assert_sound(here.database, here.settings)
    here.mend()
    with here.database.read() as session:
        job_ids = list(session.scalars(select(Job.id)))
    here.cancel_all()
    here.over(job_ids)
    truth.assert_sound(here.database, here.settings)


def test_priority_goes_first_and_hundreds_of_jobs_of_one_tenant_keep_no_other_waiting(here: Cluster) -> None:
    here.stop("worker-1")
    here.stop("worker-2")
    own = [here.post("perceptron")[0] for _ in range(3)]
    (urgent,) = here.post("perceptron", priority=10)
    crowd = a_crowd(here, own[0], 300)
    here.start("worker-1")
    here.over([urgent, *own])
    started = {job_id: here.job(job_id).started_at for job_id in (urgent, *own, *crowd)}
    order = sorted((at, job_id) for job_id, at in started.items() if at is not None)
    assert order[0][1] == urgent
    last = max(place for place, (_, job_id) in enumerate(order) if job_id in own)
    assert last <= 1 + 2 * len(own)  # a turn of the crowd's before each of them


def a_crowd(here: Cluster, like: str, count: int) -> list[str]:
    """So many queued jobs of another tenant's."""
    with here.database.write() as session:
        job = session.scalars(select(Job).where(Job.id == like)).one()
        table = session.scalars(select(Dataset).where(Dataset.id == job.dataset_id)).one()
        names = ("name", "format", "rows", "size", "sha256", "columns")
        own = datasets.create(session, "crowd", **{name: getattr(table, name) for name in names})
        about = {"dataset_id": own.id, "epochs": job.epochs, "name": None, "spec": job.spec, "meta": {}}
        return [submission.submit(session, "crowd", **about).job.id for _ in range(count)]
