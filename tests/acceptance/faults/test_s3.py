"""Datasets in a real S3 server: the main job, crashes, orphans, and a server that disappears or refuses."""

from collections.abc import Iterator

import pytest

from backpropd.store.blobs import Blobs
from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster, running_cluster
from tests.acceptance.faults.waiting import eventually
from tests.servers import S3
from worker import reaper

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with S3(tmp_path_factory.mktemp("s3")) as server, pytest.MonkeyPatch.context() as environment:
        for name, value in server.environment.items():
            environment.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def s3_cluster(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), blobs_url=s3.url) as cluster:
        yield cluster


@pytest.fixture
def cluster(s3_cluster: Cluster) -> Cluster:
    s3_cluster.repair()
    return s3_cluster


def blobs_of(cluster: Cluster) -> Blobs:
    return Blobs(cluster.settings.blobs_url, cluster.settings.data_dir / "scratch")


def crashes(cluster: Cluster, job_ids: list[str]) -> list[int]:
    return [cluster.job(job_id).crashes for job_id in job_ids]


def test_a_job_on_s3_survives_kill_9_and_predicts(cluster: Cluster, s3: S3) -> None:
    job_ids = cluster.post("adam", "regression in float64")
    cluster.wait_until_running(job_ids[0])
    for name in ("worker-1", "worker-2"):
        cluster.kill(name)
    cluster.repair()
    cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)
    assert len(s3.blobs()) == len(cluster.datasets)
    rows = cluster.request(f"/v1/datasets/{cluster.datasets['iris']}/rows?limit=1").json()["data"]
    model = cluster.job(job_ids[0]).model_id
    table = {"dataset_id": cluster.datasets["digits"]}
    assert rows[0]["species"] == "setosa"
    assert cluster.request(f"/v1/models/{model}/predictions", "POST", json=table).status_code == 200


def test_jobs_wait_for_a_server_that_disappears_and_nothing_is_lost(cluster: Cluster, s3: S3) -> None:
    running = cluster.post("adam", "sgd")
    for job_id in running:
        cluster.wait_until_running(job_id)
    s3.kill()
    waiting = cluster.post("perceptron", "adam")
    refused = cluster.request("/v1/datasets", "POST", json={"sample": "wine"})
    assert (refused.status_code, refused.json()["code"]) == (503, "blobs_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    eventually(lambda: cluster.request("/readyz").status_code == 503)
    blobs = cluster.request("/readyz").json()["blobs"]
    assert not blobs["ready"]
    assert "does not answer" in blobs["detail"]
    cluster.wait_until_ended(running)  # they have read their tables
    eventually(lambda: any("blob store" in reason for job_id in waiting for reason in cluster.reasons(job_id)))
    s3.start()
    cluster.wait_until_ended(waiting)
    cluster.wait_until_ready()
    assert crashes(cluster, waiting) == [0, 0]
    invariants.assert_uninterrupted(cluster.database, cluster.settings, running + waiting)


def test_a_worker_with_wrong_credentials_leaves_the_jobs_to_others(cluster: Cluster) -> None:
    cluster.kill("worker-1")
    cluster.start("worker-1", AWS_SECRET_ACCESS_KEY="wrong")
    eventually(cluster.all_workers_are_registered, cluster.logs)
    job_ids = [job_id for _ in range(4) for job_id in cluster.post("perceptron")]
    cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    assert crashes(cluster, job_ids) == [0] * 4
    cluster.kill("worker-1")


def test_an_orphan_is_removed_and_no_other_blob(cluster: Cluster, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(s3.blobs()) if cluster.datasets else set()
    blobs = blobs_of(cluster)
    with blobs.workspace() as folder:
        (folder / "file").write_bytes(b"an upload that was interrupted")
        blobs.put(folder / "file")
    assert len(s3.blobs()) == len(before) + 1
    reaper.clean_up(cluster.database, blobs, cluster.settings)
    assert len(s3.blobs()) == len(before) + 1  # it may be an upload in progress
    monkeypatch.setattr(reaper, "ORPHAN_SECONDS", -60)
    reaper.clean_up(cluster.database, blobs, cluster.settings)
    assert set(s3.blobs()) == before
