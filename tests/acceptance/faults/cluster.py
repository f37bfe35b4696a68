"""The programs of the service as processes that a test may hurt, on a database and a Redis that it may hurt, too."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import select

from backpropd.config import Settings
from backpropd.store import job_versions, jobs
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job, Worker
from backpropd.store.status import TERMINAL
from tests.acceptance.faults import kinds
from tests.servers import Postgres, Redis, free_port
from worker.migrate import run as migrate

ROOT = Path(__file__).parent.parent.parent.parent
PATIENCE = 90.0
COMMANDS = {
    "api": ["-m", "service"],
    "worker": ["-m", "worker", "run"],
    "reaper": ["-m", "worker", "reap"],
}
TABLES = {wanted["table"] for wanted in kinds.KINDS.values()}
PARTS = ("api", "worker-1", "worker-2", "reaper")

# Leases short enough to watch them run out, and patience with a job whose workers are killed on purpose.
SHORT: dict[str, Any] = {
    "heartbeat_seconds": 0.5,
    "lease_seconds": 4.0,
    "fence_seconds": 3.0,
    "sweep_seconds": 0.5,
    "checkpoint_seconds": 0.1,
    "max_losses": 1000,
    "workers": 1,
}


class Cluster:
    """An API, two workers of one process each and a reaper: each is started, hurt and ended by its name."""

    def __init__(self, folder: Path, database_url: str = "", **settings: Any) -> None:
        self.folder = folder
        self.redis = Redis(folder / "redis", tcp=True)
        self.redis.start()
        given = {**SHORT, "data_dir": folder / "data", "port": free_port(), "database_url": database_url, **settings}
        self.settings = Settings(broker_url=self.redis.url, **given).with_defaults()
        fresh = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # the API may have been killed since
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.settings.port}", timeout=30, limits=fresh, verify=False
        )
        self.database = Database(self.settings.database_url)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        migrate(self.settings)

    # ── its jobs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, *kinds_: str, times: int = 1, **changes: Any) -> list[str]:
        """The ids of new jobs, one of each of these kinds, with so many times the kind's epochs."""
        return [self.made("/v1/jobs", {**kinds.request(kind, self.datasets, times), **changes}) for kind in kinds_]

    @cached_property
    def datasets(self) -> dict[str, str]:
        """The id of a dataset for each table that the kinds of jobs are about."""
        return {table: self.made("/v1/datasets", {"sample": table}) for table in sorted(TABLES)}

    def made(self, path: str, body: dict[str, Any]) -> str:
        """Post it, and give the id of what was made."""
        answer = self.answer(path, "POST", json=body)
        assert answer.status_code in (201, 202), answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> Job:
        """The job as the database has it."""
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.id == job_id)).one()

    def reasons(self, job_id: str) -> list[str]:
        """Why the job took each of its statuses."""
        job = self.job(job_id)
        with self.database.read() as session:
            return [each.reason for each in jobs.transitions(session, [job])[job.number]]

    def statuses(self, job_ids: Sequence[str]) -> list[str]:
        """Where these jobs are."""
        with self.database.read_connection() as connection:
            found = {job_id: version.status for job_id, version in job_versions.read(connection, job_ids).items()}
        return [found[job_id] for job_id in job_ids]

    def cancel_all(self) -> None:
        """Leave no job that a later test would have to wait for."""
        with self.database.write() as session:
            for job in session.scalars(select(Job).where(Job.status.not_in(TERMINAL))):
                jobs.cancel(session, job.tenant, job.id)

    def over(self, job_ids: Sequence[str]) -> None:
        """Wait until these jobs are over."""
        eventually(lambda: all(status in TERMINAL for status in self.statuses(job_ids)), self.logs)

    def running(self, job_id: str, epochs: int = 1) -> None:
        """Wait until a worker has trained this job for some epochs, or it is over."""
        eventually(lambda: self.job(job_id).epoch >= epochs or self.job(job_id).status in TERMINAL, self.logs)

    # ── its parts ────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, *names: str, **environment: str) -> None:
        """Start those of these parts that are not there: `api`, `reaper`, `worker-1` and so on."""
        for name in names:
            if not self.runs(name):
                self.processes[name] = self._start(name, environment)

    def mend(self) -> None:
        """Have every part there and going, and nothing to do."""
        for name in PARTS:
            self.thaw(name)
        self.start(*PARTS)
        self.ready()

    def ready(self) -> None:
        """Wait until the API finds all that it needs, and every worker has said that it lives."""
        eventually(lambda: self.answer("/readyz").status_code == 200 and self.all_workers_live(), self.logs)

    def answers(self) -> None:
        """Wait until the API answers."""
        eventually(lambda: self.answer("/healthz").status_code == 200, self.logs)

    def all_workers_live(self) -> bool:
        """Whether every worker that was started has said so in the database."""
        with self.database.read() as session:
            said = {name.rpartition("/")[2] for name in session.scalars(select(Worker.name))}
        return said >= {str(process.pid) for name, process in self.processes.items() if "worker" in name}

    def answer(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """What the API says, or a 599 if nobody is there."""
        try:
            return self._http.request(method, path, **request)
        except httpx.TransportError:
            return httpx.Response(599)

    def send(self, name: str, number: signal.Signals) -> None:
        """A signal to a part's main process."""
        self.processes[name].send_signal(number)

    def freeze(self, name: str) -> None:
        """Hold a part and all its processes still, as a machine that is suspended."""
        os.killpg(self.processes[name].pid, signal.SIGSTOP)

    def freeze_between_writes(self, name: str) -> None:
        """As `freeze`, at a moment when the part does not write: SQLite's lock would be held still with it."""
        self.freeze(name)
        while not self._can_write():
            self.thaw(name)
            time.sleep(0.05)
            self.freeze(name)

    def _can_write(self) -> bool:
        """Whether SQLite's lock is free soon.

        Asked with a connection of our own: another SQLite in this process would take the locks of this one away,
        for the system drops all that a process has on a file when it closes it once.
        """
        connection = self.database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=500")
            cursor.execute("BEGIN IMMEDIATE")
        except self.database.engine.dialect.loaded_dbapi.OperationalError:
            return False
        else:
            return True
        finally:
            connection.close()  # and what it began is rolled back

    def thaw(self, name: str) -> None:
        """Let a part go on; none that is held still is no error."""
        if self.runs(name):
            os.killpg(self.processes[name].pid, signal.SIGCONT)

    def kill(self, name: str) -> None:
        """`kill -9` of a part and whatever it has started, as when its machine dies."""
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def stop(self, name: str) -> int:
        """Ask a part to end, and wait; its status."""
        self.send(name, signal.SIGTERM)
        return self.processes[name].wait(PATIENCE)

    def holder(self, job_id: str) -> str:
        """The worker that holds a running job."""
        parent = int((self.job(job_id).worker or "//").split("/")[1])
        (found,) = [name for name, process in self.processes.items() if process.pid == parent]
        return found

    def runs(self, name: str) -> bool:
        """Whether a part's main process is there."""
        return name in self.processes and self.processes[name].poll() is None

    def children(self, name: str) -> list[psutil.Process]:
        """The processes of a worker that train."""
        try:
            return psutil.Process(self.processes[name].pid).children()
        except psutil.NoSuchProcess:
            return []

    def everybody(self) -> list[psutil.Process]:
        """Every process of every part."""
        found = []
        for process in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                found += [each for each in (parent, *parent.children(recursive=True)) if each.is_running()]
        return found

    @contextmanager
    def no_room(self) -> Iterator[None]:
        """No process of the cluster can make any file longer: their disk is full, as far as they can tell."""
        self._limit_files(1)
        try:
            yield
        finally:
            self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, size: int) -> None:
        for process in self.everybody():
            with suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def close(self) -> None:
        """End everything, the hard way if it must be."""
        for name in list(self.processes):
            self.kill(name)
        self._http.close()
        self.redis.close()
        self.database.dispose()

    def logs(self) -> str:
        """The last lines of every part."""
        return "\n".join(f"── {log.stem}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))

    def _start(self, name: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        given = self.settings.model_dump(mode="json", exclude_unset=False)
        settings = {f"BACKPROPD_{key.upper()}": str(value) for key, value in given.items()}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *COMMANDS[name.partition("-")[0]]],
                cwd=ROOT,
                env={**os.environ, **settings, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextmanager
def cluster(folder: Path, *parts: str, postgres: Postgres | None = None, **settings: Any) -> Iterator[Cluster]:
    """A cluster with these parts started, all of them if none is named; its logs are shown if the test fails."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Cluster(folder, postgres.url if postgres else "", **settings)
    try:
        made.start(*(parts or PARTS))
        if not parts:
            made.ready()
        yield made
    except BaseException:
        print(made.logs())
        raise
    finally:
        made.close()


def eventually(true: Callable[[], bool], story: Callable[[], str] = str, patience: float = PATIENCE) -> None:
    """Wait until it is so; fail with the `story` when that takes too long."""
    until = time.monotonic() + patience
    while not true():
        if time.monotonic() > until:
            raise AssertionError(f"it does not come to pass in {patience:.0f} s\n{story()}")
        time.sleep(0.02)
