"""A full disk: nothing can be written, and when there is space again nothing is lost."""

import resource
import time

import pytest

from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster
from tests.acceptance.faults.waiting import eventually

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can limit the files of a running process"),
]


@pytest.mark.parametrize("seconds", [1.0, 6.0])
def test_a_full_disk_loses_nothing(cluster: Cluster, seconds: float) -> None:
    job_ids = cluster.post("adam", "dropout", times=3)
    for job_id in job_ids:
        cluster.wait_until_running(job_id, 20)
    with cluster.full_disk():
        time.sleep(seconds)
        rejected = [cluster.request("/v1/datasets", "POST", json={"sample": "iris"}) for _ in range(3)]
        rejected.append(
            cluster.request("/v1/jobs", "POST", json={"dataset_id": cluster.datasets["iris"], "target": "species"})
        )
        readable = cluster.request(f"/v1/jobs/{job_ids[0]}").status_code
    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in rejected] == [(503, True)] * 4
    assert readable == 200
    cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)
    eventually(lambda: cluster.request("/readyz").status_code == 200, cluster.logs)
