"""A worker's world without Celery: a migrated SQLite, blobs, a dataset, and the runner that Celery would call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backpropd import learn, tabular
from backpropd.config import Settings
from backpropd.store import datasets, jobs
from backpropd.store.blobs import Blobs
from backpropd.store.database import Database
from worker.migrate import run as migrate
from worker.runner import Runner

TENANT = "local"


class World:
    """What a test asks of a worker."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            data_dir=folder, heartbeat_seconds=0.2, lease_seconds=30, flush_seconds=0.02, checkpoint_seconds=0.05
        ).with_defaults()
        migrate(self.settings)
        self.database = Database(self.settings.database_url)
        self.blobs = Blobs(self.settings.blobs_url, folder / "scratch")

    def runner(self, stopping: Callable[[], bool] = lambda: False) -> Runner:
        """A worker process' runner."""
        return Runner("w", self.settings, self.database, self.blobs, stopping)

    def job(self, sample: str = "digits", target: str = "digit", **training: Any) -> str:
        """The id of a new queued job."""
        with self.blobs.workspace() as folder:
            tabular.write_sample(sample, folder / "s.csv")
            info = tabular.ingest(folder / "s.csv", folder / "s.parquet")
            sha256, size = self.blobs.put(folder / "s.parquet")
        columns = [column.to_json() for column in info.columns]
        network = {
            "kind": "feedforward",
            "hidden": [{"units": 16, "activation": "relu", "initializer": "auto"}],
            "output_activation": "auto",
            "initializer": "auto",
        }
        wanted = {
            "loss": "auto",
            "optimizer": {"name": "adam"},
            "epochs": 60,
            "batch_size": None,
            "validation_fraction": None,
            "early_stopping": None,
            "seed": 1,
            "dtype": "float32",
            "engine": "auto",
            **training,
        }
        request = {"target": target, "features": None, "task": "auto", "network": network, "training": wanted}
        spec = learn.resolve(request, columns, info.rows, learn.Limits(10**7, 10**7, 10**9)).spec
        with self.database.write() as session:
            dataset = datasets.create(
                session, TENANT, name="d", format="csv", rows=info.rows, size=size, sha256=sha256, columns=columns
            )
            job = jobs.create(
                session,
                TENANT,
                dataset_id=dataset.id,
                epochs=wanted["epochs"],
                name=None,
                priority=0,
                spec=spec,
                meta={},
            )
        return job.id


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh world."""
    made = World(tmp_path)
    yield made
    made.database.dispose()
