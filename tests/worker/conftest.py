"""A worker's world: a real, migrated SQLite, real blobs, iris in both, and jobs on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backpropd import learn, tabular
from backpropd.config import Settings
from backpropd.store import datasets, epochs, jobs, models
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import submission
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Checkpoint, Job
from tests.migrated import migrate
from worker import lease_thread
from worker.runner import Runner

TENANT = "local"
PATIENCE = 60.0
ENDLESS = 5_000_000  # epochs: hours
LONG = 15_000  # epochs: a second or more, so that there is time to come between


class Shop:
    """The database and the blobs that workers share, with a table in them; and what a test wants to see of them."""

    def __init__(self, folder: Path) -> None:
        nowhere = f"redis+socket://{folder}/no-redis.sock"
        self.settings = Settings(
            data_dir=folder, broker_url=nowhere, flush_seconds=0.02, checkpoint_seconds=0.05
        ).with_defaults()
        migrate(self.settings)
        self.database = Database(self.settings.database_url)
        self.blobs = Blobs(self.settings.blobs_url, self.settings.data_dir / "scratch")
        self.dataset_id = self._iris()

    def _iris(self) -> str:
        with self.blobs.workspace() as folder:
            source, table = folder / "iris.csv", folder / "table.parquet"
            tabular.write_sample("iris", source)
            self.info = tabular.ingest(source, table)
            self.sha256, size = self.blobs.put(table)
        self.columns = [column.to_json() for column in self.info.columns]
        about = {"name": "iris", "format": "csv", "rows": self.info.rows, "size": size, "columns": self.columns}
        with self.database.write() as session:
            return datasets.create(session, TENANT, sha256=self.sha256, **about).id

    def post(self, target: str = "species", epochs: int = 20, priority: int = 0, **training: Any) -> str:
        """The id of a new queued job."""
        network = {"kind": "feedforward", "output_activation": "auto", "initializer": "auto"}
        hidden = [{"units": 8, "activation": "tanh", "initializer": "auto"}]
        settings = {
            "loss": "auto",
            "optimizer": {"name": "adam", "learning_rate": 0.01},
            "epochs": epochs,
            "batch_size": None,
            "validation_fraction": None,
            "early_stopping": None,
            "seed": 1,
            "dtype": "float32",
            "engine": "auto",
            **training,
        }
        request = learn.JobRequest.from_json(target=target, network={**network, "hidden": hidden}, training=settings)
        table = learn.TableDescription.from_json(self.columns, self.info.rows)
        spec = learn.resolve(request, table, learn.Limits(ENDLESS, 1_000_000, 100_000_000)).spec.to_json()
        about: dict[str, Any] = {"name": None, "priority": priority, "meta": {}, "spec": spec, "epochs": epochs}
        with self.database.write() as session:
            return submission.submit(session, TENANT, dataset_id=self.dataset_id, **about).job.id

    def runner(self, name: str = "first", **changes: Any) -> Runner:
        """A worker's runner."""
        parts = {"settings": self.settings, "database": self.database, "blobs": self.blobs}
        return Runner(name, **{**parts, **changes})

    def job(self, job_id: str) -> Job:
        with self.database.read() as session:
            return jobs.get(session, TENANT, job_id)

    def statuses(self, job_id: str) -> list[str]:
        with self.database.read() as session:
            job = jobs.get(session, TENANT, job_id)
            return [each.status for each in jobs.transitions(session, [job])[job.number]]

    def reasons(self, job_id: str) -> list[str]:
        """Why it took each of its statuses."""
        with self.database.read() as session:
            job = jobs.get(session, TENANT, job_id)
            return [each.reason for each in jobs.transitions(session, [job])[job.number]]

    def curve(self, job_id: str) -> list[tuple[Any, ...]]:
        """All that the epochs say, but how long they took."""
        with self.database.read() as session:
            rows = epochs.after(session, jobs.get(session, TENANT, job_id).number, 0, ENDLESS)
            names = ("epoch", "loss", "validation_loss", "metrics", "gradient_norm", "learning_rate")
            return [tuple(getattr(row, name) for name in names) for row in rows]

    def sha256_of_the_model(self, job_id: str) -> str:
        with self.database.read() as session:
            return models.get(session, TENANT, self.job(job_id).model_id or "").sha256

    def checkpointed(self, job_id: str) -> int | None:
        """The epoch of the job's checkpoint, if it has one."""
        with self.database.read() as session:
            found = session.get(Checkpoint, jobs.get(session, TENANT, job_id).number)
            return None if found is None else found.epoch

    @contextmanager
    def training(self, runner: Runner, job_id: str) -> Iterator[None]:
        """The runner at work in a thread; the block begins when the job's epochs come in."""
        thread = threading.Thread(target=runner.run_one)
        thread.start()
        wait_until(lambda: self.job(job_id).epoch > 0 or not thread.is_alive())
        yield
        thread.join(PATIENCE)
        assert not thread.is_alive()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until it is so, with patience."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it does not come to pass"
        time.sleep(0.01)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop of its own, whose workers hear at once what is asked of their job, however fast they train."""
    monkeypatch.setattr(lease_thread, "LOOK_SECONDS", 0.02)
    made = Shop(tmp_path)
    yield made
    made.database.dispose()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[Any, ...]], str]:
    """The curve and the model's sha256 of the long job, when nothing comes between."""
    shop = Shop(tmp_path_factory.mktemp("undisturbed"))
    job_id = shop.post(epochs=LONG)
    assert shop.runner().run_one()
    found = shop.curve(job_id), shop.sha256_of_the_model(job_id)
    shop.database.dispose()
    return found
