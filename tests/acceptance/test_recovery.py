"""A killed worker, a cancelled job, a stopped stack: nothing is lost."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from backpropd.client import Client, Job
from embedded.demo import stack
from tests.processes import command

pytestmark = pytest.mark.acceptance

LONG: dict[str, Any] = {
    "network": {"hidden": [{"units": 64, "activation": "relu"}]},
    "training": {"epochs": 800, "seed": 4, "optimizer": {"name": "adam"}},
}


def start(client: Client, **training: Any) -> Job:
    dataset = client.datasets.sample("digits")
    job = client.jobs.create(dataset["id"], "digit", network=LONG["network"], training={**LONG["training"], **training})
    deadline = time.monotonic() + 30
    while client.jobs.get(job["id"])["progress"]["epoch"] < 5:
        assert time.monotonic() < deadline, "the job does not start"
        time.sleep(0.05)
    return job


def kill_children_of_the_worker(data: Path) -> int:
    """`kill -9` every training process; returns their number."""
    root = psutil.Process(json.loads((data / "stack.json").read_text())["pid"])
    children = [
        process
        for process in root.children(recursive=True)
        if command(process)[-2:] == ["worker", "run"] == command(process.parent())[-2:]
    ]
    for process in children:
        os.kill(process.pid, signal.SIGKILL)
    return len(children)


def curve(client: Client, job: Job) -> list[tuple[int, float]]:
    return [(epoch["epoch"], epoch["loss"]) for epoch in client.jobs.epochs(job["id"])]


def sha256(client: Client, job: Job) -> str:
    return client.models.get(client.jobs.get(job["id"])["model_id"] or "")["sha256"]


@pytest.fixture(scope="module")
def uninterrupted(client: Client) -> Job:
    """The job without an interruption."""
    return client.jobs.wait(start(client)["id"], timeout=200)


def test_the_job_of_a_killed_worker_is_requeued_and_has_the_uninterrupted_result(
    client: Client, folder: Path, uninterrupted: Job
) -> None:
    interrupted = start(client)
    assert kill_children_of_the_worker(folder / "data") >= 1
    done = client.jobs.wait(interrupted["id"], timeout=200)
    assert done["attempts"] >= 2
    assert curve(client, interrupted) == curve(client, uninterrupted)
    assert sha256(client, interrupted) == sha256(client, uninterrupted)


def test_a_running_job_is_cancelled_within_seconds(client: Client) -> None:
    job = start(client, epochs=1_000_000)
    assert client.jobs.cancel(job["id"])["status"] in ("running", "cancelled")
    done = client.jobs.wait(job["id"], timeout=10, check=False)
    assert (done["status"], done["stop_reason"], done["model_id"]) == ("cancelled", "cancelled", None)


def test_a_paused_job_continues_bit_for_bit(client: Client, uninterrupted: Job) -> None:
    job = start(client)
    client.jobs.pause(job["id"])
    deadline = time.monotonic() + 10
    while client.jobs.get(job["id"])["status"] != "paused":
        assert time.monotonic() < deadline, "the job is not paused"
        time.sleep(0.05)
    client.jobs.resume(job["id"])
    client.jobs.wait(job["id"], timeout=200)
    assert curve(client, job) == curve(client, uninterrupted)
    assert sha256(client, job) == sha256(client, uninterrupted)


def test_a_stopped_stack_hands_its_job_back_and_the_next_stack_finishes_it_beside_another_one(
    client: Client, tmp_path: Path
) -> None:
    with stack(tmp_path) as url, Client(url) as other:
        job = start(other, epochs=2000)
        ids = [[each["id"] for each in stack_client.jobs.list()] for stack_client in (client, other)]
        processes = psutil.Process(json.loads((tmp_path / "data" / "stack.json").read_text())["pid"]).children(True)
    assert [job["id"] in each for each in ids] == [False, True]
    assert not [process for process in processes if process.is_running()]
    with stack(tmp_path) as url, Client(url) as other:
        done = other.jobs.wait(job["id"], timeout=200)
        assert [epoch for epoch, _ in curve(other, job)] == list(range(1, 2001))
    assert "handed back: its worker is shutting down" in [each["reason"] for each in done["transitions"]]
