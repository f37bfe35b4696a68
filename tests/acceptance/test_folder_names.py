"""The whole walk in a data folder whose name has every character that a URL would treat specially."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from backpropd.client import Client
from embedded.demo import stack
from tests.servers import free_port

pytestmark = pytest.mark.acceptance

NAME = "my data, 100%20 ?mode=ro&x #1 naïve 数据 a::b"


def walk(url: str) -> tuple[str, float]:
    """Upload, train and predict; the ids are in later requests. Returns the model's id and a probability."""
    with Client(url) as client:
        dataset = client.datasets.sample("iris")
        job = client.jobs.create(dataset["id"], "species", training={"epochs": 20, "seed": 1})
        done = client.jobs.wait(job["id"], timeout=120)
        model_id = done["model_id"] or ""
        return model_id, probability(client, model_id)


def probability(client: Client, model_id: str) -> float:
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    return client.models.predict(model_id, [row])[0]["probabilities"]["setosa"]


def test_the_walk_works_in_a_folder_of_any_name_and_after_a_restart_and_writes_nothing_elsewhere(
    tmp_path: Path,
) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    with stack(folder, {"BACKPROPD_WORKERS": "1"}) as url:
        model_id, before = walk(url)
    with stack(folder, {"BACKPROPD_WORKERS": "1"}) as url, Client(url) as client:
        assert probability(client, model_id) == before
        dataset_id = client.jobs.get(client.models.get(model_id)["job_id"])["dataset_id"]
        client.datasets.delete(dataset_id)
    data = folder / "data"
    assert (data / "backpropd.db").exists()
    assert list(data.glob("redis/appendonlydir/*.aof"))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert sorted(path.name for path in folder.iterdir()) == ["data", "stack.log"]
    assert [path for path in (data / "blobs").rglob("*") if path.is_file()] == []  # the dataset's was deleted


def test_a_stack_that_was_killed_can_be_started_again_at_once_at_the_same_port(tmp_path: Path) -> None:
    settings = {"BACKPROPD_WORKERS": "1", "BACKPROPD_PORT": str(free_port())}
    with suppress(SystemExit), stack(tmp_path, settings) as url, Client(url) as client:  # of the stack that is killed
        dataset = client.datasets.sample("iris")
        job = client.jobs.create(dataset["id"], "species", training={"epochs": 500_000})
        os.kill(json.loads((tmp_path / "data" / "stack.json").read_text())["pid"], signal.SIGKILL)
        with stack(tmp_path, settings):
            assert [each["id"] for each in client.jobs.list()] == [job["id"]]
            client.jobs.cancel(job["id"])
