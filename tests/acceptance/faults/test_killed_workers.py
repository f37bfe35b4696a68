"""`kill -9` of training processes and workers at any time: every job has the uninterrupted result."""

import random
import signal
import time

import pytest

from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster
from tests.acceptance.faults.job_kinds import KINDS
from tests.acceptance.faults.waiting import eventually

pytestmark = pytest.mark.acceptance

KILLS = 20


def test_jobs_of_every_kind_survive_kills_at_random_times(cluster: Cluster) -> None:
    random_ = random.Random(1)
    job_ids = cluster.post(*KINDS)
    for _ in range(KILLS):
        time.sleep(random_.uniform(0.05, 0.6))
        for child in cluster.children(random_.choice(["worker-1", "worker-2"])):
            child.kill()
    cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)
    assert max(cluster.job(job_id).attempts for job_id in job_ids) > 1


def test_the_job_of_a_killed_child_is_requeued_at_once_and_not_when_its_lease_expires(cluster: Cluster) -> None:
    (job_id,) = cluster.post("adam", times=3)
    cluster.wait_until_running(job_id, 200)
    for worker in ("worker-1", "worker-2"):
        for child in cluster.children(worker):
            child.kill()
    cluster.wait_until_ended([job_id])
    assert [reason for reason in cluster.reasons(job_id) if "died" in reason]
    assert not [reason for reason in cluster.reasons(job_id) if "ran out" in reason]
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [job_id])


def test_the_jobs_of_a_machine_that_died_are_trained_by_another(cluster: Cluster) -> None:
    job_ids = cluster.post("adam", "dropout", times=3)
    for job_id in job_ids:
        cluster.wait_until_running(job_id, 50)
    cluster.kill("worker-1")
    cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)


def test_a_child_ends_with_its_parent_and_its_job_is_requeued(cluster: Cluster) -> None:
    (job_id,) = cluster.post("adam", times=3)
    cluster.wait_until_running(job_id, 50)
    name = cluster.worker_of(job_id)
    children = cluster.children(name)
    cluster.send(name, signal.SIGKILL)
    eventually(lambda: not any(child.is_running() for child in children), cluster.logs)
    cluster.wait_until_ended([job_id])
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [job_id])
