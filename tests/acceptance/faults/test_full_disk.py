"""A disk that is full: nothing can be written any more, and when there is room again nothing was lost."""

from __future__ import annotations

import resource
import time

import pytest

from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster, eventually

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux takes a running process's room from it"),
]


@pytest.mark.parametrize("seconds", [1.0, 6.0])
def test_a_full_disk_loses_nothing(here: Cluster, seconds: float) -> None:
    job_ids = here.post("adam", "dropout", times=3)
    for job_id in job_ids:
        here.running(job_id, 20)
    with here.no_room():
        time.sleep(seconds)
        refused = [here.answer("/v1/datasets", "POST", json={"sample": "iris"}) for _ in range(3)]
        refused.append(here.answer("/v1/jobs", "POST", json={"dataset_id": here.datasets["iris"], "target": "species"}))
        readable = here.answer(f"/v1/jobs/{job_ids[0]}").status_code
    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in refused] == [(503, True)] * 4
    assert readable == 200
    here.over(job_ids)
    truth.assert_undisturbed(here.database, here.settings, job_ids)
    truth.assert_sound(here.database, here.settings)
    eventually(lambda: here.answer("/readyz").status_code == 200, here.logs)
