"""Datasets in S3 on a host of its own: wrong credentials, a slow server, and one that disappears."""

import time
from io import BytesIO

from backpropd.client import Client
from backpropd.store.status import Status
from tests.acceptance.faults import invariants
from tests.acceptance.faults.waiting import eventually
from tests.cluster.hosts import APIS, PORT, WORKERS, HostCluster

WRONG = {"AWS_SECRET_ACCESS_KEY": "wrong"}
REFUSAL = "the blob store refuses this service"


def test_a_job_with_all_defaults_is_trained_on_a_table_in_s3_and_predicts(cluster: HostCluster) -> None:
    before = set(cluster.s3.blobs())
    rows = "x,y\n" + "".join(f"{n / 50},{(n / 50) ** 2}\n" for n in range(200))
    with Client(f"http://{cluster.network.address('balancer')}:{PORT}", cluster.key) as client:
        dataset = client.datasets.upload(BytesIO(rows.encode()), name="squares.csv")
        job = client.jobs.wait(client.jobs.create(dataset["id"], "y")["id"])
        assert len(client.models.predict(job["model_id"] or "", [{"x": 1.5}])) == 1
        assert len(set(cluster.s3.blobs()) - before) == 1
        client.datasets.delete(dataset["id"])
    assert set(cluster.s3.blobs()) == before


def test_a_refit_and_an_ensemble_survive_the_death_of_their_host(cluster: HostCluster) -> None:
    job_ids = cluster.post("refit", "ensemble", times=20)
    for job_id in job_ids:
        cluster.wait_until_running(job_id, 200)
    for worker in WORKERS:
        cluster.kill(worker)
    cluster.repair()
    cluster.wait_until_ended(job_ids)
    assert all(cluster.job(job_id).attempts == 2 for job_id in job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)


def test_an_api_with_wrong_credentials_says_so(cluster: HostCluster) -> None:
    api, other = APIS
    cluster.kill(api)
    cluster.start(api, **WRONG)
    eventually(lambda: cluster.request("/readyz", host=api).status_code == 503, cluster.logs)
    blobs = cluster.request("/readyz", host=api).json()["blobs"]
    assert not blobs["ready"]
    assert REFUSAL in blobs["detail"]
    refused = cluster.request("/v1/datasets", "POST", api, json={"sample": "xor"})
    assert (refused.status_code, refused.json()["code"]) == (503, "blobs_unavailable")
    assert REFUSAL in refused.json()["detail"]
    assert cluster.request("/v1/datasets", "POST", other, json={"sample": "xor"}).status_code == 201
    found = cluster.run(api, "-m", "worker", "doctor", **WRONG)
    assert found.returncode == 1
    assert f"WRONG  blobs     {REFUSAL}" in found.stdout
    assert "an operator has to mend its credentials" in found.stdout
    cluster.restart(api)
    assert cluster.run(api, "-m", "worker", "doctor").returncode == 0


def test_a_worker_with_wrong_credentials_leaves_the_jobs_to_the_other_host(cluster: HostCluster) -> None:
    wrong, right = WORKERS
    cluster.kill(wrong)
    cluster.start(wrong, **WRONG)
    cluster.wait_until_ready()
    job_ids = cluster.post(*["sgd"] * 6)
    cluster.wait_until_ended(job_ids)
    assert [cluster.writers(job_id) for job_id in job_ids] == [{right}] * 6
    assert [cluster.job(job_id).crashes for job_id in job_ids] == [0] * 6
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    cluster.restart(wrong)


def test_a_slow_server_delays_jobs_and_uploads_and_changes_no_result(cluster: HostCluster) -> None:
    cluster.delay_s3(0.4)
    began = time.monotonic()
    stored = cluster.request("/v1/datasets", "POST", json={"sample": "wine"})
    assert stored.status_code == 201, stored.text
    assert time.monotonic() - began > 0.8  # there and back
    job_ids = cluster.post("adam", "ensemble", "perceptron")
    cluster.wait_until_ended(job_ids)
    assert [cluster.job(job_id).attempts for job_id in job_ids] == [1] * 3
    cluster.delay_s3(0)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)


def test_a_server_that_disappears_in_the_middle_of_jobs_and_comes_back_loses_nothing(cluster: HostCluster) -> None:
    running = cluster.post("adam", "ensemble", times=20)
    for job_id in running:
        cluster.wait_until_running(job_id, 200)
    cluster.network.cut("s3")
    waiting = cluster.post("perceptron", "adam")
    refused = cluster.request("/v1/datasets", "POST", json={"sample": "diabetes"})
    assert (refused.status_code, refused.json()["code"]) == (503, "blobs_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    for api in APIS:
        eventually(lambda api=api: not cluster.request("/readyz", host=api).json()["blobs"]["ready"], cluster.logs)  # type: ignore[misc]
    found = cluster.run(APIS[0], "-m", "worker", "doctor")
    assert (found.returncode, "WRONG  blobs     the blob store does not answer" in found.stdout) == (1, True)
    cluster.wait_until_ended(running)  # they have read their tables, also what the ensemble reads again
    eventually(lambda: all("blob store" in str(cluster.reasons(job_id)) for job_id in waiting), cluster.logs)
    cluster.network.join("s3")
    cluster.wait_until_ended(waiting)
    cluster.wait_until_ready()
    assert [cluster.job(job_id).attempts for job_id in running] == [1, 1]
    assert [cluster.job(job_id).crashes for job_id in waiting] == [0, 0]
    assert {cluster.job(job_id).status for job_id in running + waiting} == {Status.SUCCEEDED}
    invariants.assert_uninterrupted(cluster.database, cluster.settings, running + waiting)
