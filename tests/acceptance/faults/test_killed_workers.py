"""`kill -9` of whoever trains, at any moment: every job ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster, eventually
from tests.acceptance.faults.kinds import KINDS

pytestmark = pytest.mark.acceptance

KILLS = 20


def test_jobs_of_every_kind_outlive_the_death_of_their_workers_at_random_moments(here: Cluster) -> None:
    chance = random.Random(1)
    job_ids = here.post(*KINDS)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.6))
        for child in here.children(chance.choice(["worker-1", "worker-2"])):
            child.kill()
    here.over(job_ids)
    truth.assert_undisturbed(here.database, here.settings, job_ids)
    truth.assert_sound(here.database, here.settings)
    assert max(here.job(job_id).attempts for job_id in job_ids) > 1


def test_a_dead_childs_job_is_taken_up_at_once_and_not_when_its_lease_runs_out(here: Cluster) -> None:
    (job_id,) = here.post("adam", times=3)
    here.running(job_id, 200)
    for worker in ("worker-1", "worker-2"):
        for child in here.children(worker):
            child.kill()
    here.over([job_id])
    assert [reason for reason in here.reasons(job_id) if "died" in reason]
    assert not [reason for reason in here.reasons(job_id) if "ran out" in reason]
    truth.assert_undisturbed(here.database, here.settings, [job_id])


def test_a_machine_that_dies_leaves_its_jobs_to_the_others(here: Cluster) -> None:
    job_ids = here.post("adam", "dropout", times=3)
    for job_id in job_ids:
        here.running(job_id, 50)
    here.kill("worker-1")
    here.over(job_ids)
    truth.assert_undisturbed(here.database, here.settings, job_ids)


def test_a_child_does_not_outlive_its_parent_and_its_job_is_taken_up(here: Cluster) -> None:
    (job_id,) = here.post("adam", times=3)
    here.running(job_id, 50)
    name = here.holder(job_id)
    children = here.children(name)
    here.send(name, signal.SIGKILL)
    eventually(lambda: not any(child.is_running() for child in children), here.logs)
    here.over([job_id])
    truth.assert_undisturbed(here.database, here.settings, [job_id])
