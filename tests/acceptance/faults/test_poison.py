"""A job that kills its workers, one that does not end, one that does not fit: each ends with the reason."""

from collections.abc import Iterator
from typing import Any

import pytest

from backpropd.store.status import Status
from tests.acceptance.faults import invariants, job_kinds
from tests.acceptance.faults.cluster import Cluster, running_cluster
from tests.acceptance.faults.waiting import eventually

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def strict_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that fails a job after three lost workers, and ends one after three seconds."""
    limits: dict[str, Any] = {"max_crashes": 3, "checkpoint_seconds": 60.0, "max_job_seconds": 3.0}
    with running_cluster(tmp_path_factory.mktemp("strict"), "api", "worker-1", "reaper", **limits) as cluster:
        cluster.wait_until_ready()
        yield cluster


def test_a_job_that_kills_its_worker_three_times_fails_and_another_succeeds(strict_cluster: Cluster) -> None:
    (poison,) = strict_cluster.post("adam", times=1000)
    for attempt in (1, 2, 3):
        eventually(lambda attempt=attempt: strict_cluster.job(poison).attempts == attempt, strict_cluster.logs)  # type: ignore[misc]
        for child in strict_cluster.children("worker-1"):
            child.kill()
        eventually(lambda: strict_cluster.job(poison).status != Status.RUNNING, strict_cluster.logs)
    (other,) = strict_cluster.post("perceptron")
    strict_cluster.wait_until_ended([poison, other])
    shown = strict_cluster.request(f"/v1/jobs/{poison}").json()
    assert (shown["status"], shown["stop_reason"], shown["error"]["code"]) == ("failed", "error", "worker_lost")
    assert "lost its worker 3 times" in shown["error"]["detail"]
    assert strict_cluster.statuses([other]) == ["succeeded"]
    invariants.assert_consistent(strict_cluster.database, strict_cluster.settings)


def test_a_job_that_exceeds_the_maximum_time_ends_with_its_epochs_and_a_model(strict_cluster: Cluster) -> None:
    (job_id,) = strict_cluster.post("adam", times=1000)
    strict_cluster.wait_until_ended([job_id])
    shown = strict_cluster.request(f"/v1/jobs/{job_id}").json()
    assert (shown["status"], shown["stop_reason"], bool(shown["model_id"])) == ("succeeded", "max_seconds", True)
    assert "job_seconds_limit" in [each["code"] for each in shown["warnings"]]
    assert shown["progress"]["epoch"] > 0
    invariants.assert_consistent(strict_cluster.database, strict_cluster.settings)


def test_a_job_stopped_by_max_seconds_succeeds_with_a_model(strict_cluster: Cluster) -> None:
    body = job_kinds.request("sgd", strict_cluster.datasets, 1000)
    job_id = strict_cluster.create("/v1/jobs", {**body, "training": {**body["training"], "max_seconds": 0.5}})
    strict_cluster.wait_until_ended([job_id])
    job = strict_cluster.job(job_id)
    assert (job.status, job.stop_reason, job.model_id is not None) == ("succeeded", "max_seconds", True)


def test_a_network_that_does_not_fit_into_memory_is_rejected_with_the_numbers(strict_cluster: Cluster) -> None:
    body = {
        "dataset_id": strict_cluster.datasets["digits"],
        "target": "digit",
        "network": {"hidden": [{"units": 200_000}] * 2},
    }
    answer = strict_cluster.request("/v1/jobs", "POST", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large_for_memory")
    assert str(strict_cluster.settings.worker_memory_bytes) in answer.json()["detail"]
