"""The programs of the service as processes, with a database and a Redis, into which tests inject faults."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import select

from backpropd.config import Settings
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Worker
from tests.acceptance.faults.cluster_jobs import ClusterJobs
from tests.acceptance.faults.standing_still import can_write, is_stopped
from tests.acceptance.faults.waiting import TIMEOUT, eventually
from tests.servers import Postgres, Redis, free_port
from worker.migrate import run as migrate

ROOT = Path(__file__).parent.parent.parent.parent
COMMANDS = {
    "api": ["-m", "service"],
    "worker": ["-m", "worker", "run"],
    "reaper": ["-m", "worker", "reap"],
}
PROGRAMS = ("api", "worker-1", "worker-2", "reaper")

# Leases short enough to watch them expire, and a limit that no job reaches whose workers are killed on purpose.
SHORT_LEASES: dict[str, Any] = {
    "heartbeat_seconds": 0.5,
    "lease_seconds": 4.0,
    "fence_seconds": 3.0,
    "reap_seconds": 0.5,
    "checkpoint_seconds": 0.1,
    "max_crashes": 1000,
    "workers": 1,
}


class Cluster(ClusterJobs):
    """An API, two workers of one process each, and a reaper: programs that are controlled by their names."""

    def __init__(self, folder: Path, database_url: str = "", **settings: Any) -> None:
        self.folder = folder
        self.redis = Redis(folder / "redis", tcp=True)
        self.redis.start()
        given = {
            **SHORT_LEASES,
            "data_dir": folder / "data",
            "port": free_port(),
            "database_url": database_url,
            **settings,
        }
        self.settings = Settings(broker_url=self.redis.url, **given).with_defaults()
        no_reuse = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # the API may be killed in between
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.settings.port}", timeout=30, limits=no_reuse, verify=False
        )
        self.database = Database(self.settings.database_url)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        migrate(self.settings)

    # ── programs ────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, *names: str, **environment: str) -> None:
        """Start those of these programs that do not run: `api`, `reaper`, `worker-1` and so on."""
        for name in names:
            if not self.is_running(name):
                self.processes[name] = self._start(name, environment)

    def repair(self) -> None:
        """Have all programs run, and wait until they are ready."""
        for name in PROGRAMS:
            self.thaw(name)
        self.start(*PROGRAMS)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the API is ready and all workers are registered."""
        eventually(lambda: self.request("/readyz").status_code == 200 and self.all_workers_are_registered(), self.logs)

    def wait_until_alive(self) -> None:
        """Wait until the API answers."""
        eventually(lambda: self.request("/healthz").status_code == 200, self.logs)

    def all_workers_are_registered(self) -> bool:
        """Whether every worker that was started is in the database."""
        with self.database.read() as session:
            registered = {name.rpartition("/")[2] for name in session.scalars(select(Worker.name))}
        return registered >= {str(process.pid) for name, process in self.processes.items() if "worker" in name}

    def request(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """The API's response, or a 599 if there is none."""
        try:
            return self._http.request(method, path, **request)
        except httpx.TransportError:
            return httpx.Response(599)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a program's main process."""
        self.processes[name].send_signal(number)

    def freeze(self, name: str) -> None:
        """Stop a program and its children with SIGSTOP, as if its machine was suspended; returns when they stand still.

        A thread in a system call, or one that waits for a processor, stops later than the signal is sent, and may
        take SQLite's write lock until then.
        """
        number = self.processes[name].pid
        os.killpg(number, signal.SIGSTOP)
        eventually(lambda: all(map(is_stopped, [number, *(child.pid for child in self.children(name))])), self.logs)

    def freeze_between_writes(self, name: str) -> None:
        """As `freeze`, while the program does not hold SQLite's write lock, which would block all others."""
        self.freeze(name)
        while not can_write(self.database):
            self.thaw(name)
            time.sleep(0.05)
            self.freeze(name)

    def thaw(self, name: str) -> None:
        """Continue a frozen program."""
        if self.is_running(name):
            os.killpg(self.processes[name].pid, signal.SIGCONT)

    def kill(self, name: str) -> None:
        """`kill -9` of a program and its children, as if its machine died."""
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def stop(self, name: str) -> int:
        """Send SIGTERM to a program and wait for its end; returns the exit status."""
        self.send(name, signal.SIGTERM)
        return self.processes[name].wait(TIMEOUT)

    def worker_of(self, job_id: str) -> str:
        """The name of the worker that holds a job's lease."""
        parent = int((self.job(job_id).worker or "//").split("/")[1])
        (found,) = [name for name, process in self.processes.items() if process.pid == parent]
        return found

    def is_running(self, name: str) -> bool:
        """Whether a program's main process runs."""
        return name in self.processes and self.processes[name].poll() is None

    def children(self, name: str) -> list[psutil.Process]:
        """The training processes of a worker."""
        try:
            return psutil.Process(self.processes[name].pid).children()
        except psutil.NoSuchProcess:
            return []

    def all_processes(self) -> list[psutil.Process]:
        """All processes of all programs."""
        found = []
        for process in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                found += [each for each in (parent, *parent.children(recursive=True)) if each.is_running()]
        return found

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let no process of the cluster extend a file, as if its disk were full."""
        self._limit_files(1)
        try:
            yield
        finally:
            self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, size: int) -> None:
        for process in self.all_processes():
            with suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Kill all programs and stop the servers."""
        for name in list(self.processes):
            self.kill(name)
        self._http.close()
        self.redis.close()
        self.database.dispose()

    def logs(self) -> str:
        """The last lines of every program's log."""
        return "\n".join(f"── {log.stem}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))

    def _start(self, name: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        given = self.settings.model_dump(mode="json", exclude_unset=False)
        settings = {f"BACKPROPD_{key.upper()}": str(value) for key, value in given.items() if value is not None}
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
def running_cluster(
    folder: Path, *programs: str, postgres: Postgres | None = None, **settings: Any
) -> Iterator[Cluster]:
    """A cluster with these programs (by default, all) started; its logs are printed if the block raises."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder, postgres.url if postgres else "", **settings)
    with closed_afterwards(cluster):
        cluster.start(*(programs or PROGRAMS))
        if not programs:
            cluster.wait_until_ready()
        yield cluster


@contextmanager
def closed_afterwards(cluster: Any) -> Iterator[None]:
    """Close a cluster at the end of the block; its logs are printed if the block raises."""
    try:
        yield
    except BaseException:
        print(cluster.logs())
        raise
    finally:
        cluster.close()
