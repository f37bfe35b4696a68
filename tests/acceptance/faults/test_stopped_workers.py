"""A worker that is suspended and continues later: it notices that it lost the lease, and writes nothing."""

import os
import signal

import pytest

from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster
from tests.acceptance.faults.waiting import eventually

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("kind", ["adam", "early stopping"])
def test_a_worker_that_continues_after_its_lease_expired_drops_the_job(cluster: Cluster, kind: str) -> None:
    (job_id,) = cluster.post(kind, times=3)
    cluster.wait_until_running(job_id, 50)
    worker = cluster.worker_of(job_id)
    token = cluster.job(job_id).fencing_token
    cluster.freeze_between_writes(worker)
    eventually(
        lambda: cluster.job(job_id).fencing_token > token and cluster.job(job_id).status == "running", cluster.logs
    )
    cluster.thaw(worker)
    cluster.wait_until_ended([job_id])
    assert [reason for reason in cluster.reasons(job_id) if "ran out" in reason]
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [job_id])
    invariants.assert_consistent(cluster.database, cluster.settings)


def test_a_worker_that_continues_after_its_job_ended_does_not_end_it_again(cluster: Cluster) -> None:
    (job_id,) = cluster.post("dropout", times=4)
    cluster.wait_until_running(job_id, 20)
    worker = cluster.worker_of(job_id)
    cluster.freeze_between_writes(worker)
    cluster.wait_until_ended([job_id])
    reasons = cluster.reasons(job_id)
    cluster.thaw(worker)
    (after,) = cluster.post("adam")
    cluster.wait_until_ended([after])
    assert cluster.reasons(job_id) == reasons
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [job_id])


def test_a_child_that_hangs_is_killed_by_its_parent_and_its_job_is_requeued(cluster: Cluster) -> None:
    (job_id,) = cluster.post("adam", times=3)
    cluster.wait_until_running(job_id, 50)
    (child,) = cluster.children(cluster.worker_of(job_id))
    os.kill(child.pid, signal.SIGSTOP)
    eventually(lambda: not child.is_running(), cluster.logs)
    cluster.wait_until_ended([job_id])
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [job_id])
