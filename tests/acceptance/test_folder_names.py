"""The whole walk in a data folder whose name has every character that a URL would treat specially, and after a kill."""

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


def walk(client: Client) -> tuple[str, float]:
    """Upload, train and predict; the ids are in later requests. Returns the model's id and a probability."""
    dataset = client.datasets.sample("iris")
    job = client.jobs.create(dataset["id"], "species", training={"epochs": 20, "seed": 1})
    model_id = client.jobs.wait(job["id"], timeout=120)["model_id"] or ""
    return model_id, probability(client, model_id)


def probability(client: Client, model_id: str) -> float:
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    return client.models.predict(model_id, [row])[0]["probabilities"]["setosa"]


def test_the_walk_works_in_a_folder_of_any_name_and_at_once_after_a_kill_at_the_same_port_and_writes_nothing_elsewhere(
    tmp_path: Path,
) -> None:
    folder, settings = tmp_path / NAME, {"BACKPROPD_WORKERS": "1", "BACKPROPD_PORT": str(free_port())}
    data = folder / "data"
    folder.mkdir()
    with suppress(SystemExit), stack(folder, settings) as url, Client(url) as client:  # of the stack that is killed
        model_id, before = walk(client)
        dataset_id = client.jobs.get(client.models.get(model_id)["job_id"])["dataset_id"]
        job = client.jobs.create(dataset_id, "species", training={"epochs": 500_000})
        os.kill(json.loads((data / "stack.json").read_text())["pid"], signal.SIGKILL)
        (data / "stack.json").unlink()  # the next one's says that it is ready
    with stack(folder, settings) as url, Client(url) as client:
        assert probability(client, model_id) == before
        client.jobs.cancel(job["id"])
        client.jobs.wait(job["id"], timeout=120, check=False)
        client.datasets.delete(dataset_id)
    assert (data / "backpropd.db").exists()
    assert list(data.glob("redis/appendonlydir/*.aof"))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert sorted(path.name for path in folder.iterdir()) == ["data", "stack.log"]
    assert [path for path in (data / "blobs").rglob("*") if path.is_file()] == []  # the dataset's was deleted
