"""A worker's host that is cut off for a minute in the middle of a job, with the leases of a deployment."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from backpropd.store.status import Status
from tests.acceptance.faults import invariants
from tests.acceptance.faults.waiting import eventually
from tests.cluster.hosts import WORKERS, HostCluster

CUT_SECONDS = 60.0
LONG: dict[str, Any] = {
    "network": {"hidden": [{"units": 256, "activation": "relu"}, {"units": 128, "activation": "relu"}]},
    "training": {"seed": 7, "epochs": 6000, "optimizer": {"name": "adam"}, "batch_size": 32},
}


@pytest.mark.timeout(900)
def test_a_host_that_is_cut_off_for_a_minute_changes_nothing_when_it_returns(cluster: HostCluster) -> None:
    (job_id,) = cluster.post("adam", **LONG)
    eventually(lambda: cluster.job(job_id).epoch > 50, cluster.logs)
    lost = cluster.host_of(job_id)
    (other,) = set(WORKERS) - {lost}
    time.sleep(cluster.settings.checkpoint_seconds)
    cluster.network.cut(lost)
    began, cut_at = time.monotonic(), datetime.now(UTC)
    eventually(lambda: cluster.host_of(job_id) == other, cluster.logs)
    taken_over = time.monotonic() - began
    time.sleep(CUT_SECONDS - taken_over)
    assert cluster.job(job_id).status == Status.RUNNING, "the job must still run when the host returns"
    cluster.network.join(lost)
    returned_at = datetime.now(UTC)
    eventually(lambda: cluster.log(lost).count(f"{job_id} dropped") == 1, cluster.logs)
    eventually(lambda: cluster.job(job_id).status == Status.SUCCEEDED, cluster.logs, timeout=240)
    settings = cluster.settings
    assert settings.fence_seconds < taken_over < settings.lease_seconds + 3 * settings.reap_seconds
    job = cluster.job(job_id)
    assert (job.attempts, job.crashes) == (2, 0)
    assert "its worker's lease ran out (crash 1)" in cluster.reasons(job_id)
    writes = cluster.written.of(job_id)
    assert not [write for write in writes if write.address == cluster.network.address(lost) and write.at > cut_at]
    assert [write for write in writes if write.address == cluster.network.address(other) and write.at > returned_at]
    _assert_equal_to_an_undisturbed_run(cluster, job_id)
    cluster.wait_until_ready()
    assert cluster.post_to_each_worker("adam", times=4)  # the host that returned works again


def _assert_equal_to_an_undisturbed_run(cluster: HostCluster, job_id: str) -> None:
    (again,) = cluster.post("adam", **LONG)
    eventually(lambda: cluster.job(again).status == Status.SUCCEEDED, cluster.logs, timeout=240)
    assert cluster.job(again).attempts == 1
    interrupted, undisturbed = (invariants.result(cluster.database, each) for each in (job_id, again))
    assert [row["epoch"] for row in interrupted.curve] == list(range(1, LONG["training"]["epochs"] + 1))
    assert interrupted == undisturbed
    invariants.assert_consistent(cluster.database, cluster.settings)
