"""SIGTERM to one program after the other, as in a deployment: jobs are handed over without a loss."""

import time

import pytest

from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster

pytestmark = pytest.mark.acceptance


def test_a_rolling_restart_of_all_programs_does_not_disturb_jobs(cluster: Cluster) -> None:
    job_ids = cluster.post("adam", "dropout", "early stopping", "sgd", times=4)
    cluster.wait_until_running(job_ids[0], 20)
    for name in ("worker-1", "api", "worker-2", "reaper"):
        began = time.monotonic()
        assert cluster.stop(name) == 0
        assert time.monotonic() - began < 30
        cluster.start(name)
    cluster.wait_until_ready()
    cluster.wait_until_ended(job_ids)
    assert [cluster.job(job_id).crashes for job_id in job_ids] == [0] * len(job_ids)
    reasons = [reason for job_id in job_ids for reason in cluster.reasons(job_id)]
    assert "handed back: its worker is shutting down" in reasons
    assert not [reason for reason in reasons if "died" in reason or "ran out" in reason]
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)
