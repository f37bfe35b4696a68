"""Cancel, pause and resume in every status: allowed transitions happen at once, and all others are a 409."""

import random
import time
from typing import Any

import pytest

from backpropd.store.status import ALLOWED_TRANSITIONS, TERMINAL, Status
from tests.acceptance.faults import invariants
from tests.acceptance.faults.cluster import Cluster
from tests.acceptance.faults.waiting import eventually

pytestmark = pytest.mark.acceptance

# One step takes seconds: full batches through three layers of three thousand units.
HUGE: dict[str, Any] = {
    "target": "digit",
    "network": {"hidden": [{"units": 3000, "activation": "relu"}] * 3},
    "training": {"batch_size": "full", "epochs": 1000, "seed": 1, "optimizer": {"name": "sgd"}},
}


def post_action(cluster: Cluster, job_id: str, action: str) -> tuple[int, dict[str, Any]]:
    response = cluster.request(f"/v1/jobs/{job_id}/{action}", "POST")
    return response.status_code, response.json()


def wait_for_status(cluster: Cluster, job_id: str, *statuses: str) -> float:
    """Wait until the job has one of these statuses; returns the seconds that took."""
    began = time.monotonic()
    eventually(lambda: cluster.job(job_id).status in statuses, cluster.logs)
    return time.monotonic() - began


def create_job(cluster: Cluster, status: Status) -> str:
    if status == Status.QUEUED:  # because both workers are busy
        for running in cluster.post("adam", "adam", times=1000):
            cluster.wait_until_running(running)
    (job_id,) = cluster.post("adam", times=1 if status in TERMINAL else 1000)
    if status in (Status.RUNNING, Status.PAUSED):
        cluster.wait_until_running(job_id, 5)
    if status == Status.PAUSED:
        post_action(cluster, job_id, "pause")
    if status == Status.CANCELLED:
        post_action(cluster, job_id, "cancel")
    wait_for_status(cluster, job_id, status)
    return job_id


RESULTS = {"cancel": Status.CANCELLED, "pause": Status.PAUSED, "resume": Status.QUEUED}


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.SUCCEEDED, Status.CANCELLED, Status.QUEUED])
@pytest.mark.parametrize("action", RESULTS)
def test_an_action_succeeds_or_is_rejected_with_the_status(cluster: Cluster, status: Status, action: str) -> None:
    job_id = create_job(cluster, status)
    code, body = post_action(cluster, job_id, action)
    allowed = RESULTS[action] in ALLOWED_TRANSITIONS[status] and not (action == "resume" and status == Status.RUNNING)
    assert code == (202 if allowed else 409), body
    if not allowed:
        assert (body["code"], status in body["detail"]) == ("conflict", True)
        assert cluster.job(job_id).status == status
    elif action == "resume":
        wait_for_status(cluster, job_id, Status.RUNNING)
    else:
        wait_for_status(cluster, job_id, RESULTS[action])


@pytest.mark.parametrize(("action", "status"), [("cancel", "cancelled"), ("pause", "paused")])
def test_a_job_in_a_huge_step_stops_at_once(cluster: Cluster, action: str, status: str) -> None:
    job_id = cluster.create("/v1/jobs", {"dataset_id": cluster.datasets["digits"], **HUGE})
    wait_for_status(cluster, job_id, "running")
    time.sleep(1)
    assert post_action(cluster, job_id, action)[0] == 202
    wait_for_status(cluster, job_id, status)
    assert [reason for reason in cluster.reasons(job_id) if "claimed" in reason] == cluster.reasons(job_id)[1:2]


def test_jobs_paused_and_resumed_at_random_times_have_the_uninterrupted_result(cluster: Cluster) -> None:
    random_ = random.Random(2)
    job_ids = cluster.post("momentum", "batch normalization", "cosine with restarts", "lbfgs", times=2)
    for _ in range(12):
        job_id = random_.choice(job_ids)
        time.sleep(random_.uniform(0, 0.5))
        post_action(cluster, job_id, "pause")
        time.sleep(random_.uniform(0, 0.5))
        post_action(cluster, job_id, "resume")
    for job_id in job_ids:
        post_action(cluster, job_id, "resume")
    cluster.wait_until_ended(job_ids)
    invariants.assert_uninterrupted(cluster.database, cluster.settings, job_ids)
    invariants.assert_consistent(cluster.database, cluster.settings)


def test_a_job_with_an_acknowledged_cancel_never_succeeds(cluster: Cluster) -> None:
    random_ = random.Random(3)
    acknowledged = {}
    for _ in range(30):
        (job_id,) = cluster.post("perceptron")
        time.sleep(random_.uniform(0, 0.15))
        acknowledged[job_id] = post_action(cluster, job_id, "cancel")[0] == 202
    cluster.wait_until_ended(list(acknowledged))
    statuses = dict(zip(acknowledged, cluster.statuses(list(acknowledged)), strict=True))
    assert {statuses[job_id] for job_id, accepted in acknowledged.items() if accepted} == {"cancelled"}
    assert {statuses[job_id] for job_id, accepted in acknowledged.items() if not accepted} <= {"succeeded"}
    invariants.assert_consistent(cluster.database, cluster.settings)
