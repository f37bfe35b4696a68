"""SIGTERM to one process after the other, as a deploy does it: jobs move on, and none notices."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster

pytestmark = pytest.mark.acceptance


def test_a_rolling_restart_of_every_process_costs_no_job_anything(here: Cluster) -> None:
    job_ids = here.post("adam", "dropout", "early stopping", "sgd", times=4)
    here.running(job_ids[0], 20)
    for name in ("worker-1", "api", "worker-2", "reaper"):
        began = time.monotonic()
        assert here.stop(name) == 0
        assert time.monotonic() - began < 30
        here.start(name)
    here.ready()
    here.over(job_ids)
    assert [here.job(job_id).crashes for job_id in job_ids] == [0] * len(job_ids)
    reasons = [reason for job_id in job_ids for reason in here.reasons(job_id)]
    assert "handed back: its worker is shutting down" in reasons
    assert not [reason for reason in reasons if "died" in reason or "ran out" in reason]
    truth.assert_undisturbed(here.database, here.settings, job_ids)
    truth.assert_sound(here.database, here.settings)
