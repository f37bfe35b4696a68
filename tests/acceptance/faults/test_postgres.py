"""PostgreSQL is interrupted: the API answers 503, workers keep epochs in memory, and nothing is lost or duplicated."""

import time
from collections.abc import Callable

import pytest

from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster
from tests.acceptance.faults.waiting import eventually
from tests.servers import Postgres

pytestmark = pytest.mark.acceptance


def cut(server: Postgres, _: Cluster) -> None:
    for _ in range(20):
        server.cut_connections()
        time.sleep(0.1)


def restart(server: Postgres, _: Cluster) -> None:
    server.stop()
    server.start()


def crash(server: Postgres, _: Cluster) -> None:
    server.crash()
    server.start()


def stop_longer_than_the_lease(server: Postgres, cluster: Cluster) -> None:
    server.stop()
    time.sleep(cluster.settings.lease_seconds + 1)
    server.start()


@pytest.mark.parametrize("fault", [cut, restart, crash, stop_longer_than_the_lease])
def test_jobs_survive_faults_of_their_database(
    postgres_cluster: Cluster, server: Postgres, fault: Callable[[Postgres, Cluster], None]
) -> None:
    job_ids = postgres_cluster.post("adam", "dropout", times=4)
    postgres_cluster.wait_until_running(job_ids[0], 50)
    fault(server, postgres_cluster)
    postgres_cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(postgres_cluster.database, postgres_cluster.settings, job_ids)
    invariants.assert_consistent(postgres_cluster.database, postgres_cluster.settings)


def test_without_its_database_the_api_answers_503_with_retry_after(postgres_cluster: Cluster, server: Postgres) -> None:
    (job_id,) = postgres_cluster.post("perceptron")
    postgres_cluster.wait_until_ended([job_id])
    server.stop()
    try:
        eventually(lambda: postgres_cluster.request("/readyz").status_code == 503, postgres_cluster.logs)
        job = {"dataset_id": postgres_cluster.datasets["iris"], "target": "species"}
        answers = [
            postgres_cluster.request(f"/v1/jobs/{job_id}"),
            postgres_cluster.request("/v1/jobs", "POST", json=job),
            postgres_cluster.request(f"/v1/jobs/{job_id}/cancel", "POST"),
            postgres_cluster.request("/v1/datasets", "POST", json={"sample": "iris"}),
            postgres_cluster.request(f"/v1/jobs/{job_id}/events"),
            postgres_cluster.request("/readyz"),
        ]
        alive = postgres_cluster.request("/healthz").status_code
    finally:
        server.start()
    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in answers] == [(503, True)] * 6
    assert {answer.json()["code"] for answer in answers[:5]} == {"unavailable"}
    assert not answers[5].json()["database"]["ready"]
    internal = ("bp-pg-", "5432", "psycopg", "connection to server")  # of the database's address and its driver
    assert not [answer.text for answer in answers for word in internal if word in answer.text]
    assert alive == 200
    eventually(lambda: postgres_cluster.request(f"/v1/jobs/{job_id}").status_code == 200, postgres_cluster.logs)
