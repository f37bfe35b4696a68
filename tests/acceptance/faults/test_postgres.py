"""PostgreSQL goes away and comes back: the API says so, workers train on in memory, and nothing is lost or doubled."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.acceptance.faults import truth
from tests.acceptance.faults.cluster import Cluster, eventually
from tests.servers import Postgres

pytestmark = pytest.mark.acceptance


def cut(server: Postgres, _: Cluster) -> None:
    for _ in range(20):
        server.cut_connections()
        time.sleep(0.1)


def restart(server: Postgres, _: Cluster) -> None:
    server.stop()
    server.start()


def crash(server: Postgres, _: Cluster) -> None:
    server.crash()
    server.start()


def stay_away_beyond_the_lease(server: Postgres, here: Cluster) -> None:
    server.stop()
    time.sleep(here.settings.lease_seconds + 1)
    server.start()


@pytest.mark.parametrize("hurt", [cut, restart, crash, stay_away_beyond_the_lease])
def test_jobs_outlive_their_database(
    grown: Cluster, server: Postgres, hurt: Callable[[Postgres, Cluster], None]
) -> None:
    job_ids = grown.post("adam", "dropout", times=4)
    grown.running(job_ids[0], 50)
    hurt(server, grown)
    grown.over(job_ids)
    truth.assert_undisturbed(grown.database, grown.settings, job_ids)
    truth.assert_sound(grown.database, grown.settings)


def test_without_its_database_the_api_answers_503_and_says_when_to_come_again(grown: Cluster, server: Postgres) -> None:
    (job_id,) = grown.post("perceptron")
    grown.over([job_id])
    server.stop()
    try:
        job = {"dataset_id": grown.datasets["iris"], "target": "species"}
        answers = [
            grown.answer(f"/v1/jobs/{job_id}"),
            grown.answer("/v1/jobs", "POST", json=job),
            grown.answer(f"/v1/jobs/{job_id}/cancel", "POST"),
            grown.answer("/v1/datasets", "POST", json={"sample": "iris"}),
            grown.answer(f"/v1/jobs/{job_id}/events"),
            grown.answer("/readyz"),
        ]
        alive = grown.answer("/healthz").status_code
    finally:
        server.start()
    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in answers] == [(503, True)] * 6
    assert {answer.json()["code"] for answer in answers[:5]} == {"unavailable"}
    assert not answers[5].json()["database"]["ready"]
    assert alive == 200
    eventually(lambda: grown.answer(f"/v1/jobs/{job_id}").status_code == 200, grown.logs)
