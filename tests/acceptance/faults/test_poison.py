"""A job that kills whoever takes it, one that does not end, one that cannot fit: each has an end that says why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backpropd.store.status import Status
from tests.acceptance.faults import kinds, truth
from tests.acceptance.faults.cluster import Cluster, cluster, eventually

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that gives up on a job after three lost workers, and after three seconds."""
    strict: dict[str, Any] = {"max_losses": 3, "checkpoint_seconds": 60.0, "max_job_seconds": 3.0}
    with cluster(tmp_path_factory.mktemp("strict"), "api", "worker-1", "reaper", **strict) as made:
        made.ready()
        yield made


def test_a_job_that_kills_its_worker_three_times_fails_and_another_is_not_hurt(strict: Cluster) -> None:
    (poison,) = strict.post("adam", times=1000)
    for attempt in (1, 2, 3):
        eventually(lambda attempt=attempt: strict.job(poison).attempts == attempt, strict.logs)  # type: ignore[misc]
        for child in strict.children("worker-1"):
            child.kill()
        eventually(lambda: strict.job(poison).status != Status.RUNNING, strict.logs)
    (sound,) = strict.post("perceptron")
    strict.over([poison, sound])
    shown = strict.answer(f"/v1/jobs/{poison}").json()
    assert (shown["status"], shown["stop_reason"], shown["error"]["code"]) == ("failed", "error", "worker_lost")
    assert "lost its worker 3 times" in shown["error"]["detail"]
    assert strict.statuses([sound]) == ["succeeded"]
    truth.assert_sound(strict.database, strict.settings)


def test_a_job_past_the_services_deadline_fails_with_its_epochs(strict: Cluster) -> None:
    (job_id,) = strict.post("adam", times=1000)
    strict.over([job_id])
    shown = strict.answer(f"/v1/jobs/{job_id}").json()
    assert (shown["status"], shown["error"]["code"]) == ("failed", "deadline_exceeded")
    assert shown["progress"]["epoch"] > 0
    truth.assert_sound(strict.database, strict.settings)


def test_max_seconds_is_a_regular_stop_with_a_model(strict: Cluster) -> None:
    body = kinds.request("sgd", strict.datasets, 1000)
    job_id = strict.made("/v1/jobs", {**body, "training": {**body["training"], "max_seconds": 0.5}})
    strict.over([job_id])
    job = strict.job(job_id)
    assert (job.status, job.stop_reason, job.model_id is not None) == ("succeeded", "max_seconds", True)


def test_what_cannot_fit_is_refused_with_the_numbers(strict: Cluster) -> None:
    body = {"dataset_id": strict.datasets["digits"], "target": "digit", "network": {"hidden": [{"units": 200_000}] * 2}}
    answer = strict.answer("/v1/jobs", "POST", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large_for_memory")
    assert str(strict.settings.worker_memory_bytes) in answer.json()["detail"]
