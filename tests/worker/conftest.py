"""A migrated SQLite database and blobs with the iris dataset, and jobs on it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from backpropd import learn, tabular
from backpropd.config import Settings
from backpropd.learn.checkpoint import unpack
from backpropd.store import datasets, epochs, jobs, models
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import rescue, submission
from backpropd.store.sql.column_types import steady
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Checkpoint, Job
from tests.migrated import migrate
from worker import lease_thread
from worker.runner import Runner

TENANT = "local"
TIMEOUT = 60.0  # seconds
ENDLESS = 5_000_000  # epochs: hours
LONG = 15_000  # epochs: at least a second, enough time to interrupt


class Stores:
    """The database and the blobs that workers share, with a dataset; and queries for tests."""

    def __init__(self, folder: Path) -> None:
        no_broker = f"redis+socket://{folder}/no-redis.sock"
        self.settings = Settings(
            data_dir=folder, broker_url=no_broker, flush_seconds=0.02, checkpoint_seconds=0.05
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
        """The id of a new queued job; the threshold neurons take their `network` and few fields of training."""
        units = training.pop("hidden", [{"units": 8, "activation": "tanh"}])
        network = {"kind": "feedforward", "hidden": units, "output_activation": "auto", "initializer": "auto"}
        if given := training.pop("network", None):
            return self._submit(target, given, {"epochs": epochs, "seed": 1, **training}, priority)
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
        return self._submit(target, network, settings, priority)

    def _submit(self, target: str, network: dict[str, Any], training: dict[str, Any], priority: int) -> str:
        request = learn.JobRequest.from_json(target=target, network=network, training=training)
        table = learn.TableDescription(learn.columns_from_json(self.columns), self.info.rows)
        context = learn.Context(table, learn.Limits(ENDLESS, 50_000_000, 2_000_000_000))
        spec = learn.resolve(request, context).spec.to_json()
        about: dict[str, Any] = {
            "name": None,
            "priority": priority,
            "meta": {},
            "spec": spec,
            "epochs": training["epochs"],
        }
        with self.database.write() as session:
            return submission.submit(session, TENANT, dataset_id=self.dataset_id, **about).job.id

    def runner(self, name: str = "first", **changes: Any) -> Runner:
        """A worker's runner."""
        arguments = {"settings": self.settings, "database": self.database, "blobs": self.blobs}
        return Runner(name, **{**arguments, **changes})

    def job(self, job_id: str) -> Job:
        with self.database.read() as session:
            return jobs.get(session, TENANT, job_id)

    def statuses(self, job_id: str) -> list[str]:
        with self.database.read() as session:
            job = jobs.get(session, TENANT, job_id)
            return [each.status for each in jobs.transitions(session, [job])[job.number]]

    def reasons(self, job_id: str) -> list[str]:
        """The reason of each of its transitions."""
        with self.database.read() as session:
            job = jobs.get(session, TENANT, job_id)
            return [each.reason for each in jobs.transitions(session, [job])[job.number]]

    def curve(self, job_id: str) -> list[tuple[Any, ...]]:
        """The stored epochs without their times."""
        with self.database.read() as session:
            rows = epochs.after(session, jobs.get(session, TENANT, job_id).number, 0, ENDLESS)
            names = ("epoch", "loss", "validation_loss", "metrics", "gradient_norm", "learning_rate")
            return [tuple(getattr(row, name) for name in names) for row in rows]

    def model_sha256(self, job_id: str) -> str:
        with self.database.read() as session:
            return models.get(session, TENANT, self.job(job_id).model_id or "").sha256

    def checkpoint_epoch(self, job_id: str) -> int | None:
        """The epoch of the job's checkpoint, or None."""
        with self.database.read() as session:
            found = session.get(Checkpoint, jobs.get(session, TENANT, job_id).number)
            return None if found is None else found.epoch

    def refitted_epochs(self, job_id: str) -> int:
        """How many epochs of the job's refit are in its checkpoint."""
        with self.database.read() as session:
            found = session.get(Checkpoint, jobs.get(session, TENANT, job_id).number)
            arrays = unpack(found.data)[0] if found else {}
            return int(unpack(arrays["refit"].tobytes())[1]["epoch"]) if "refit" in arrays else 0

    def change(self, change: Callable[[Session, str, str], Any], job_id: str) -> None:
        """Cancel, pause or resume a job."""
        with self.database.write() as session:
            change(session, TENANT, job_id)

    def lose(self, job_id: str) -> None:
        """Take a running job from its worker, as if that had died."""
        with self.database.write() as session:
            session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=steady(-1)))
            assert rescue.rescue_expired(session, 30, 3) == [job_id]

    @contextmanager
    def training(self, runner: Runner, job_id: str) -> Iterator[None]:
        """Run the runner in a thread; the block begins when the job has epochs."""
        thread = threading.Thread(target=runner.run_one)
        thread.start()
        wait_until(lambda: self.job(job_id).epoch > 0 or not thread.is_alive())
        yield
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail after `TIMEOUT`."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.01)


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """New stores, whose workers check for stop requests often."""
    monkeypatch.setattr(lease_thread, "TICK_SECONDS", 0.02)
    stores = Stores(tmp_path)
    yield stores
    stores.database.dispose()


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[Any, ...]], str]:
    """The curve and the model's sha256 of the long job without interruption."""
    stores = Stores(tmp_path_factory.mktemp("uninterrupted"))
    job_id = stores.post(epochs=LONG)
    assert stores.runner().run_one()
    result = stores.curve(job_id), stores.model_sha256(job_id)
    stores.database.dispose()
    return result
