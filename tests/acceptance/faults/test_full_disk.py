"""A disk that is full: nothing can be written any more, and when there is room again nothing was lost."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster, eventually

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux takes a running process's room from it"),
]


@contextmanager
def no_room(here: Cluster) -> Iterator[None]:
    """No process of the cluster can make any file longer."""
    _limit(here, 1)
    try:
        yield
    finally:
        _limit(here, resource.RLIM_INFINITY)


def _limit(here: Cluster, size: int) -> None:
    for process in here.everybody():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("seconds", [1.0, 6.0])
def test_a_full_disk_loses_nothing(here: Cluster, seconds: float) -> None:
    job_ids = here.post("adam", "dropout", times=10)
    for job_id in job_ids:
        here.running(job_id, 20)
    with no_room(here):
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
