"""Redis loses its data, is killed, stays down or does not answer: jobs are accepted and each ends once."""

import json
import time
from collections.abc import Callable

import pytest

from backpropd.queue import QUEUE, TASK
from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster
from tests.acceptance.faults.waiting import eventually
from tests.servers import Redis

pytestmark = pytest.mark.acceptance

QUEUED = 30


def flush(redis: Redis) -> None:
    with redis.client() as client:
        client.flushall()


def kill_and_restart(redis: Redis) -> None:
    redis.kill()
    redis.start()


def post(cluster: Cluster, count: int) -> list[str]:
    return [job_id for _ in range(count) for job_id in cluster.post("perceptron")]


@pytest.mark.parametrize("fault", [flush, kill_and_restart])
def test_no_job_is_lost_when_redis_loses_its_data(cluster: Cluster, fault: Callable[[Redis], None]) -> None:
    running = cluster.post("adam", "sgd", times=3)
    for job_id in running:
        cluster.wait_until_running(job_id)
    queued = post(cluster, QUEUED)
    fault(cluster.redis)
    queued += post(cluster, 5)
    cluster.wait_until_ended([*running, *queued])
    assert set(cluster.statuses([*running, *queued])) == {"succeeded"}
    assert {cluster.job(job_id).attempts for job_id in queued} == {1}
    invariants.assert_uninterrupted(cluster.database, cluster.settings, running)
    invariants.assert_consistent(cluster.database, cluster.settings)


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_without_redis_jobs_are_accepted_and_readyz_says_what_is_missing(cluster: Cluster, fault: str) -> None:
    (running,) = cluster.post("adam", times=3)
    cluster.wait_until_running(running)
    cluster.redis.kill() if fault == "killed" else cluster.redis.freeze()
    times, queued = [], []
    for _ in range(5):
        began = time.monotonic()
        queued += post(cluster, 1)
        times.append(time.monotonic() - began)
    eventually(lambda: cluster.request("/readyz").status_code == 503, cluster.logs)  # checks are kept for a second
    readiness = cluster.request("/readyz")
    cluster.wait_until_ended([running])  # a running job does not need the broker
    time.sleep(3)
    cluster.redis.start() if fault == "killed" else cluster.redis.thaw()
    cluster.wait_until_ended(queued)
    assert max(times) < 3
    assert (readiness.status_code, readiness.json()["broker"]["ready"]) == (503, False)
    assert readiness.json()["database"]["ready"]
    assert "Retry-After" in readiness.headers
    assert set(cluster.statuses([running, *queued])) == {"succeeded"}
    assert {cluster.job(job_id).attempts for job_id in queued} == {1}
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [running])


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"body": "", "headers": {}, "properties": {}}',
        json.dumps(
            {"body": "W10=", "content-type": "application/x-python-serialize", "headers": {"task": TASK}}
        ).encode(),
    ],
)
def test_a_malformed_wake_up_message_is_ignored(cluster: Cluster, message: bytes) -> None:
    before = [cluster.processes[name].pid for name in ("worker-1", "worker-2")]
    with cluster.redis.client() as client:
        for _ in range(4):
            client.lpush(QUEUE, message)
        eventually(lambda: client.llen(QUEUE) == 0, cluster.logs)
    job_ids = post(cluster, 2)
    cluster.wait_until_ended(job_ids)
    assert set(cluster.statuses(job_ids)) == {"succeeded"}
    assert [cluster.processes[name].pid for name in ("worker-1", "worker-2")] == before
    assert cluster.is_running("worker-1")
    assert cluster.is_running("worker-2")
