"""The clock of one host is an hour ahead or behind, and is set while the programs run there."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backpropd.store.blobs import Blobs
from backpropd.store.status import Status
from tests.acceptance.faults import invariants
from tests.acceptance.faults.waiting import eventually
from tests.cluster.hosts import HostCluster
from worker.reaper import ORPHAN_SECONDS

HOUR = 3600


WRONG = [(host, seconds) for host in ("worker-1", "api-1", "reaper") for seconds in (HOUR, -HOUR)]


def set_clock(cluster: HostCluster, host: str, seconds: int) -> None:
    """Set a host's clock while two jobs are trained; they must end as if nothing had happened."""
    job_ids = cluster.post_to_each_worker("adam", times=20)
    cluster.clocks.shift(host, seconds)
    cluster.wait_until_ended(job_ids)
    assert_undisturbed(cluster, job_ids)


def assert_undisturbed(cluster: HostCluster, job_ids: list[str]) -> None:
    """The jobs ran once, to their end, with the right result and in the right time."""
    for job_id in job_ids:
        assert (cluster.job(job_id).attempts, cluster.job(job_id).crashes) == (1, 0), cluster.reasons(job_id)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)


@pytest.mark.parametrize(("wrong", "seconds"), WRONG)
def test_jobs_events_and_keys_are_those_of_the_true_time(wrong: str, seconds: int, cluster: HostCluster) -> None:
    set_clock(cluster, wrong, seconds)
    host = cluster.entrance = wrong if wrong.startswith("api") else "balancer"
    began = datetime.now(UTC)
    job_ids = cluster.post("adam", "sgd", "lbfgs")
    assert 0 <= cluster.metric("backpropd_oldest_queued_seconds", "api-1") < 60
    cluster.wait_until_ended(job_ids)
    assert_undisturbed(cluster, job_ids)
    for job_id in job_ids:
        job = cluster.job(job_id)
        assert job.started_at
        assert job.finished_at
        assert began < job.created_at < job.started_at < job.finished_at < datetime.now(UTC)
        assert 0 < job.training_seconds < 60
        events = cluster.events(job_id, host)
        assert [event.data["epoch"] for event in events if event.kind == "epoch"] == list(range(1, job.epoch + 1))
        assert events[-1].data["status"] == "succeeded"
    soon, past = (began + timedelta(minutes=minutes) for minutes in (30, -30))
    made = cluster.request("/v1/keys", "POST", json={"scopes": ["read"], "expires_at": soon.isoformat()})
    assert made.status_code == 201, made.text
    refused = cluster.request("/v1/keys", "POST", json={"scopes": ["read"], "expires_at": past.isoformat()})
    assert refused.status_code == 422
    short = datetime.now(UTC) + timedelta(seconds=4)
    brief = cluster.request("/v1/keys", "POST", json={"scopes": ["read"], "expires_at": short.isoformat()})
    for secret, expected in ((made, 200), (brief, 401)):
        with cluster.http(host, secret.json()["secret"]) as client:
            eventually(lambda: client.get("/v1/jobs").status_code == expected, timeout=10)  # noqa: B023
            assert (datetime.now(UTC) > short) == (expected == 401)


@pytest.mark.parametrize(("wrong", "seconds"), [("worker-1", HOUR), ("reaper", HOUR), ("reaper", -HOUR)])
def test_a_worker_that_dies_is_replaced_after_its_lease(wrong: str, seconds: int, cluster: HostCluster) -> None:
    set_clock(cluster, wrong, seconds)
    (job_id,) = cluster.post("adam", times=100)
    cluster.wait_until_running(job_id, 100)
    cluster.kill(cluster.host_of(job_id))
    began = time.monotonic()
    eventually(lambda: cluster.job(job_id).attempts == 2, cluster.logs)
    settings = cluster.settings
    assert settings.lease_seconds - settings.heartbeat_seconds - 1 < time.monotonic() - began
    assert time.monotonic() - began < settings.lease_seconds + 3 * settings.reap_seconds
    cluster.wait_until_ended([job_id])
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [job_id])


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_an_orphan_is_removed_at_its_true_age_and_no_blob_that_is_needed(
    seconds: int, cluster: HostCluster, tmp_path: Path
) -> None:
    needed = {path.name for path in cluster.s3.blobs()} if cluster.datasets else set()
    old, young = (cluster.put_orphan(f"{name} {seconds}") for name in ("old", "young"))
    at = time.time() - ORPHAN_SECONDS - 60
    for path in cluster.s3.blobs():
        if path.name != young:
            os.utime(path, (at, at))
    cluster.kill("reaper")
    cluster.clocks.shift("reaper", seconds)
    cluster.start("reaper")  # it cleans up when it starts
    eventually(lambda: old not in {path.name for path in cluster.s3.blobs()}, cluster.logs)
    cluster.wait_until_ready()
    time.sleep(2 * cluster.settings.reap_seconds)
    assert {path.name for path in cluster.s3.blobs()} == needed | {young}
    (job_id,) = cluster.post("adam")
    cluster.wait_until_ended([job_id])
    assert cluster.job(job_id).status == Status.SUCCEEDED
    blobs = Blobs(cluster.settings.blobs_url, tmp_path / "scratch")
    blobs.delete(young)
