"""Cancel, pause and resume, in every status: what the table allows happens at once, and all else is a 409."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from backpropd.store.status import ALLOWED_TRANSITIONS, TERMINAL, Status
from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster, eventually

pytestmark = pytest.mark.acceptance

# One step of it takes seconds: full batches through three thousand units, twice.
HUGE: dict[str, Any] = {
    "target": "digit",
    "network": {"hidden": [{"units": 3000, "activation": "relu"}] * 3},
    "training": {"batch_size": "full", "epochs": 1000, "seed": 1, "optimizer": {"name": "sgd"}},
}


def ask(here: Cluster, job_id: str, verb: str) -> tuple[int, dict[str, Any]]:
    answer = here.answer(f"/v1/jobs/{job_id}/{verb}", "POST")
    return answer.status_code, answer.json()


def becomes(here: Cluster, job_id: str, *statuses: str) -> float:
    """How many seconds it took."""
    began = time.monotonic()
    eventually(lambda: here.job(job_id).status in statuses, here.logs)
    return time.monotonic() - began


def a_job_that_is(here: Cluster, status: Status) -> str:
    if status == Status.QUEUED:
        here.stop("worker-1")
        here.stop("worker-2")
    (job_id,) = here.post("adam", times=1 if status in TERMINAL else 1000)
    if status in (Status.RUNNING, Status.PAUSED):
        here.running(job_id, 5)
    if status == Status.PAUSED:
        ask(here, job_id, "pause")
    if status == Status.CANCELLED:
        ask(here, job_id, "cancel")
    becomes(here, job_id, status)
    return job_id


ASKED = {"cancel": Status.CANCELLED, "pause": Status.PAUSED, "resume": Status.QUEUED}


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED, Status.SUCCEEDED, Status.CANCELLED, Status.QUEUED])
@pytest.mark.parametrize("verb", ASKED)
def test_what_is_asked_happens_or_is_refused_with_the_status(here: Cluster, status: Status, verb: str) -> None:
    job_id = a_job_that_is(here, status)
    code, body = ask(here, job_id, verb)
    allowed = ASKED[verb] in ALLOWED_TRANSITIONS[status] and not (verb == "resume" and status == Status.RUNNING)
    assert code == (202 if allowed else 409), body
    if not allowed:
        assert (body["code"], status in body["detail"]) == ("conflict", True)
        assert here.job(job_id).status == status
    elif verb == "resume":
        becomes(here, job_id, Status.RUNNING)
    else:
        becomes(here, job_id, ASKED[verb])


@pytest.mark.parametrize(("verb", "status"), [("cancel", "cancelled"), ("pause", "paused")])
def test_a_job_in_the_middle_of_one_huge_step_reacts_all_the_same(here: Cluster, verb: str, status: str) -> None:
    job_id = here.made("/v1/jobs", {"dataset_id": here.datasets["digits"], **HUGE})
    becomes(here, job_id, "running")
    time.sleep(1)
    assert ask(here, job_id, verb)[0] == 202
    becomes(here, job_id, status)
    assert [move for move in here.reasons(job_id) if "claimed" in move] == here.reasons(job_id)[1:2]


def test_a_job_that_is_paused_and_resumed_at_random_moments_ends_as_if_nothing_had_happened(here: Cluster) -> None:
    chance = random.Random(2)
    job_ids = here.post("momentum", "batch normalization", "cosine with restarts", "lbfgs", times=2)
    for _ in range(12):
        job_id = chance.choice(job_ids)
        time.sleep(chance.uniform(0, 0.5))
        ask(here, job_id, "pause")
        time.sleep(chance.uniform(0, 0.5))
        ask(here, job_id, "resume")
    for job_id in job_ids:
        ask(here, job_id, "resume")
    here.over(job_ids)
    truth.assert_undisturbed(here.database, here.settings, job_ids)
    truth.assert_sound(here.database, here.settings)


def test_a_cancel_that_was_acknowledged_never_ends_succeeded(here: Cluster) -> None:
    chance = random.Random(3)
    acknowledged = {}
    for _ in range(30):
        (job_id,) = here.post("perceptron")
        time.sleep(chance.uniform(0, 0.15))
        acknowledged[job_id] = ask(here, job_id, "cancel")[0] == 202
    here.over(list(acknowledged))
    ends = dict(zip(acknowledged, here.statuses(list(acknowledged)), strict=True))
    assert {ends[job_id] for job_id, said in acknowledged.items() if said} == {"cancelled"}
    assert {ends[job_id] for job_id, said in acknowledged.items() if not said} <= {"succeeded"}
    truth.assert_sound(here.database, here.settings)
