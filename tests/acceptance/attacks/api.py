"""The API as a process in the mode `keys`, with SQLite and without a broker, and the keys of two tenants."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from backpropd.config import Settings
from backpropd.store import keys
from backpropd.store.blobs import Blobs
from backpropd.store.sql.database import Database
from tests.acceptance.attacks.observer import Observation, observed
from tests.embedded.running import Running, eventually, is_listening, running
from tests.migrated import migrate
from tests.servers import free_port
from worker.runner import Runner

CSV = {"Content-Type": "text/csv"}
JSON = {"Content-Type": "application/json"}
SECONDS = 120.0  # for an answer, and for the API to start


@dataclass
class Api:
    """A running API: `pid` is the process that answers requests, `read` and `write` are the attacker's keys.

    `other` is another tenant's key, with the scope `write`.
    """

    settings: Settings
    port: int
    pid: int
    log: Running
    read: str
    write: str
    other: str

    def http(self, key: str | None = None) -> httpx.Client:
        """A client with this key, by default the attacker's of the scope `write`."""
        headers = {"Authorization": f"Bearer {key or self.write}"}
        address = f"http://127.0.0.1:{self.port}"  # no TLS: loading the system's certificates would take milliseconds
        return httpx.Client(base_url=address, headers=headers, timeout=SECONDS, verify=False)

    def observed(self) -> AbstractContextManager[Observation]:
        """Watch the API during the block."""
        return observed(self.port, self.pid, self.other)

    def train(self, key: str | None = None, **request: Any) -> str:
        """Train a job of this request with the worker's code, in this process; gives the model's id."""
        with self.http(key) as http:
            answer = http.post("/v1/jobs", json=request)
            assert answer.status_code == 202, answer.text
            database = Database(self.settings.database_url)
            try:
                runner = Runner("attacks", self.settings, database, self._blobs())
                while runner.run_one():
                    pass
            finally:
                database.dispose()
            job = http.get(f"/v1/jobs/{answer.json()['id']}").json()
            assert job["status"] == "succeeded", job["error"]
            return str(job["model_id"])

    def upload(self, table: str, key: str | None = None) -> str:
        """Upload a CSV table; gives the dataset's id."""
        with self.http(key) as http:
            answer = http.post("/v1/datasets", content=table, headers=CSV)
            assert answer.status_code == 201, answer.text
            return str(answer.json()["id"])

    def _blobs(self) -> Blobs:
        return Blobs(self.settings.blobs_url, self.settings.data_dir / "scratch")


@contextmanager
def running_api(folder: Path, limits: Mapping[str, str] | None = None) -> Iterator[Api]:
    """A running API with its data in this folder; `limits` are settings without `BACKPROPD_`."""
    settings = Settings(mode="keys", data_dir=folder).with_defaults()
    migrate(settings)
    database, port = Database(settings.database_url), free_port()
    with database.write() as session:
        whose = (("attacker", "read"), ("attacker", "write"), ("other", "write"))
        texts = [keys.create(session, tenant, None, [scope], None)[1] for tenant, scope in whose]
    database.dispose()
    own = {"MODE": "keys", "PORT": str(port), "DATA_DIR": str(folder), **(limits or {})}
    environment = {**os.environ, **{f"BACKPROPD_{name}": value for name, value in own.items()}}
    with running([sys.executable, "-m", "service"], Path(__file__).parents[3], environment) as log:
        try:
            eventually(lambda: is_listening(port), SECONDS)
            yield Api(settings, port, server_pid(log.process.pid, port), log, *texts)
        finally:
            assert log.stop() == 0


def server_pid(parent: int, port: int) -> int:
    """The child process that listens at this port; granian's main process only supervises it."""
    children = psutil.Process(parent).children(recursive=True)
    for child in children:
        if any(each.laddr.port == port for each in child.net_connections("tcp") if each.status == "LISTEN"):
            return child.pid
    raise AssertionError(f"none of {children} listens at {port}")
