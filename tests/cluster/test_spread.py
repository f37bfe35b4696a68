"""Jobs are spread over the workers' hosts, and have the same result on each."""

from tests.acceptance.faults import invariants
from tests.acceptance.faults.waiting import eventually
from tests.cluster.hosts import WORKERS, HostCluster

KINDS = ("adam", "lbfgs", "numpy engine", "dropout", "ensemble", "regression in float64")


def test_jobs_are_spread_over_the_hosts(cluster: HostCluster) -> None:
    job_ids = cluster.post("adam", "adam", times=8)
    eventually(lambda: {cluster.host_of(job_id) for job_id in job_ids} == set(WORKERS), cluster.logs)
    cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)


def test_a_job_has_the_same_result_bit_for_bit_on_every_host(cluster: HostCluster) -> None:
    """Each host trains with the other one's worker killed, then this process does."""
    results = []
    for host, other in (WORKERS, WORKERS[::-1]):
        cluster.repair()
        cluster.kill(other)
        job_ids = cluster.post(*KINDS)
        cluster.wait_until_ended(job_ids)
        assert [cluster.writers(job_id) for job_id in job_ids] == [{host}] * len(KINDS)
        results.append([invariants.result(cluster.database, job_id) for job_id in job_ids])
        invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    assert results[0] == results[1]
