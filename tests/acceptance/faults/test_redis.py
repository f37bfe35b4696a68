"""Redis loses everything, dies, stays away, or is there and does not answer: jobs are taken and end, each once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from backpropd.queue import QUEUE, TASK
from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster, eventually
from tests.servers import Redis

pytestmark = pytest.mark.acceptance

QUEUED = 30


def flush(redis: Redis) -> None:
    with redis.client() as client:
        client.flushall()


def kill_and_restart(redis: Redis) -> None:
    redis.kill()
    redis.start()


def post(here: Cluster, count: int) -> list[str]:
    return [job_id for _ in range(count) for job_id in here.post("perceptron")]


@pytest.mark.parametrize("hurt", [flush, kill_and_restart])
def test_a_redis_that_loses_everything_loses_no_job(here: Cluster, hurt: Callable[[Redis], None]) -> None:
    running = here.post("adam", "sgd", times=3)
    for job_id in running:
        here.running(job_id)
    queued = post(here, QUEUED)
    hurt(here.redis)
    queued += post(here, 5)
    here.over([*running, *queued])
    assert set(here.statuses([*running, *queued])) == {"succeeded"}
    assert {here.job(job_id).attempts for job_id in queued} == {1}
    truth.assert_undisturbed(here.database, here.settings, running)
    truth.assert_sound(here.database, here.settings)


@pytest.mark.parametrize("gone", ["away", "silent"])
def test_while_redis_is_gone_jobs_are_taken_and_readyz_says_what_is_missing(here: Cluster, gone: str) -> None:
    (running,) = here.post("adam", times=3)
    here.running(running)
    here.redis.kill() if gone == "away" else here.redis.freeze()
    times, queued = [], []
    for _ in range(5):
        began = time.monotonic()
        queued += post(here, 1)
        times.append(time.monotonic() - began)
    readiness = here.answer("/readyz")
    here.over([running])  # nobody needs the broker to go on
    time.sleep(3)
    here.redis.start() if gone == "away" else here.redis.thaw()
    here.over(queued)
    assert max(times) < 3
    assert (readiness.status_code, readiness.json()["broker"]["ready"]) == (503, False)
    assert readiness.json()["database"]["ready"]
    assert "Retry-After" in readiness.headers
    assert set(here.statuses([running, *queued])) == {"succeeded"}
    assert {here.job(job_id).attempts for job_id in queued} == {1}
    truth.assert_undisturbed(here.database, here.settings, [running])


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
def test_a_malformed_wake_up_harms_nobody(here: Cluster, message: bytes) -> None:
    before = [here.processes[name].pid for name in ("worker-1", "worker-2")]
    with here.redis.client() as client:
        for _ in range(4):
            client.lpush(QUEUE, message)
        eventually(lambda: client.llen(QUEUE) == 0, here.logs)
    job_ids = post(here, 2)
    here.over(job_ids)
    assert set(here.statuses(job_ids)) == {"succeeded"}
    assert [here.processes[name].pid for name in ("worker-1", "worker-2")] == before
    assert here.runs("worker-1")
    assert here.runs("worker-2")
