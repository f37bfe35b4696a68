"""A worker that stops and wakes later: it notices that its job is not its own any more, and changes nothing."""

from __future__ import annotations

import os
import signal

import pytest

from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster, eventually

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("kind", ["adam", "early stopping"])
def test_a_worker_that_wakes_after_its_lease_drops_the_job_and_changes_nothing(here: Cluster, kind: str) -> None:
    (job_id,) = here.post(kind, times=3)
    here.running(job_id, 50)
    holder = here.holder(job_id)
    token = here.job(job_id).fencing_token
    here.freeze_between_writes(holder)
    eventually(lambda: here.job(job_id).fencing_token > token and here.job(job_id).status == "running", here.logs)
    here.thaw(holder)
    here.over([job_id])
    assert [reason for reason in here.reasons(job_id) if "ran out" in reason]
    truth.assert_undisturbed(here.database, here.settings, [job_id])
    truth.assert_sound(here.database, here.settings)


def test_a_worker_that_wakes_when_its_job_is_over_makes_no_second_end(here: Cluster) -> None:
    (job_id,) = here.post("dropout", times=4)
    here.running(job_id, 20)
    holder = here.holder(job_id)
    here.freeze_between_writes(holder)
    here.over([job_id])
    reasons = here.reasons(job_id)
    here.thaw(holder)
    (after,) = here.post("adam")
    here.over([after])
    assert here.reasons(job_id) == reasons
    truth.assert_undisturbed(here.database, here.settings, [job_id])


def test_a_child_that_hangs_is_killed_by_its_parent_and_its_job_runs_again(here: Cluster) -> None:
    (job_id,) = here.post("adam", times=3)
    here.running(job_id, 50)
    (child,) = here.children(here.holder(job_id))
    os.kill(child.pid, signal.SIGSTOP)
    eventually(lambda: not child.is_running(), here.logs)
    here.over([job_id])
    truth.assert_undisturbed(here.database, here.settings, [job_id])
