"""Attacks on the workers: priorities, and jobs that would train for hours."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from backpropd.store.blobs import Blobs
from backpropd.store.sql.database import Database
from tests.acceptance.attacks.api import Api
from worker.runner import Runner

pytestmark = pytest.mark.acceptance

IRIS = {"target": "species", "training": {"epochs": 1}}


def post(http: httpx.Client, **changes: Any) -> str:
    """A new job on a new iris; gives its id."""
    dataset = http.post("/v1/datasets", json={"sample": "iris"}).json()["id"]
    answer = http.post("/v1/jobs", json={"dataset_id": dataset, **IRIS, **changes})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def train(api: Api, count: int) -> None:
    """Train the next jobs with the worker's code, in this process."""
    settings, database = api.settings, Database(api.settings.database_url)
    runner = Runner("attacks", settings, database, Blobs(settings.blobs_url, settings.data_dir / "scratch"))
    for _ in range(count):
        assert runner.run_one()
    database.dispose()


def test_the_highest_priority_does_not_keep_other_tenants_waiting(api: Api) -> None:
    with api.http() as attacker, api.http(api.other) as other:
        hostile = [post(attacker, priority=10) for _ in range(20)]
        honest = [post(other, priority=-10) for _ in range(3)]
        positions = [other.get(f"/v1/jobs/{each}").json()["queue"]["position"] for each in honest]
        train(api, 6)
        statuses = [other.get(f"/v1/jobs/{each}").json()["status"] for each in honest]
        assert (positions, statuses) == ([2, 4, 6], ["succeeded"] * 3)
        for each in hostile:
            if attacker.get(f"/v1/jobs/{each}").json()["status"] in ("queued", "running"):
                attacker.post(f"/v1/jobs/{each}/cancel")


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"epochs": 10_000_000, "max_seconds": 4}},
        {"training": {"epochs": 10_000_000, "max_seconds": 4, "early_stopping": {"patience": 10_000_000}}},
        {"training": {"epochs": 10_000_000, "max_seconds": 4, "validation_fraction": 0},
         "network": {"kind": "perceptron"}},
        {"training": {"epochs": 5, "max_seconds": 4, "batch_size": 1, "engine": "numpy"},
         "network": {"hidden": [{"units": 3000}, {"units": 3000}]}},
    ],
)  # fmt: skip
def test_ten_million_epochs_end_at_max_seconds_with_a_model(api: Api, changes: dict[str, Any]) -> None:
    with api.http() as http:
        job_id = post(http, **changes)
        train(api, 1)
        job = http.get(f"/v1/jobs/{job_id}").json()
        assert (job["status"], job["stop_reason"]) == ("succeeded", "max_seconds"), job["error"]
        assert http.get(f"/v1/models/{job['model_id']}").json()["metrics"]
    began, ended = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    assert 4 <= (ended - began).total_seconds() < 7
