"""The service on hosts of its own: two API processes behind a balancer, two workers, a reaper, and three servers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx
from sqlalchemy import delete, select

from backpropd.client import Client
from backpropd.client.types import Event
from backpropd.config import Settings
from backpropd.store import keys
from backpropd.store.blobs import Blobs
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Epoch, Worker
from tests.acceptance.faults.cluster import COMMANDS, ROOT, closed_afterwards
from tests.acceptance.faults.cluster_jobs import ClusterJobs
from tests.acceptance.faults.waiting import eventually
from tests.cluster.clocks import Clocks
from tests.cluster.network import Network, network
from tests.cluster.written_rows import WrittenRows
from tests.servers import S3, Postgres, Redis
from worker.migrate import run as migrate

APIS, WORKERS = ("api-1", "api-2"), ("worker-1", "worker-2")
PROGRAMS = (*APIS, *WORKERS, "reaper")
HOSTS = (*PROGRAMS, "balancer", "database", "broker", "s3")
PORT, METRICS_PORT, S3_PORT = 8000, 9100, 9000
TENANT = "acme"


class HostCluster(ClusterJobs):
    """A cluster with the settings of a deployment; each host has its own address, processes, data folder and clock.

    Programs are controlled by their names, which are those of their hosts. S3 is reached through a proxy on its host,
    which can be slow.
    """

    def __init__(self, folder: Path, net: Network) -> None:
        self.folder, self.network, self.clocks = folder, net, Clocks(folder)
        for host in HOSTS:
            net.add(host)
        self.postgres = Postgres(folder, tcp=True, password="secret", durable=True, **self._place("database"))
        self.redis = Redis(folder, tcp=True, password="secret", **self._place("broker"))
        self.s3 = S3(folder, **self._place("s3"))
        for server in (self.postgres, self.redis, self.s3):
            server.start()
        self.settings = Settings(
            mode="keys",
            host="0.0.0.0",  # of its own namespace
            port=PORT,
            metrics_host="0.0.0.0",
            metrics_port=METRICS_PORT,
            data_dir=folder / "test",
            database_url=self.postgres.url,
            broker_url=self.redis.url,
            blobs_url=self.s3.url,
            workers=1,
        ).with_defaults()
        self.environment = {
            **self.s3.environment,
            "AWS_ENDPOINT_URL": f"http://{net.address('s3')}:{S3_PORT}",
        }
        self.entrance = "balancer"  # the host to which requests are sent
        self.database = Database(self.settings.database_url)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        migrate(self.settings)
        self.written = WrittenRows(self.settings.database_url)
        self.key = self.new_key()
        self._http: dict[str, httpx.Client] = {}
        self._start_proxy("s3", S3_PORT, self.s3.environment["AWS_ENDPOINT_URL"].removeprefix("http://"))
        self._start_proxy("balancer", PORT, *(f"{net.address(api)}:{PORT}" for api in APIS))

    def _place(self, host: str) -> dict[str, Any]:
        return {"host": self.network.address(host), "inside": self.network.inside(host)}

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────

    def new_key(self, tenant: str = TENANT) -> str:
        """The secret of a new key of an admin, made as an operator does."""
        with self.database.write() as session:
            return keys.create(session, tenant, None, ("admin",), None)[1]

    def http(self, host: str, key: str = "") -> httpx.Client:
        """A client of a host, with a key, by default that of `request`. It opens a connection for each request."""
        once = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx.Client(
            base_url=f"http://{self.network.address(host)}:{PORT}",
            headers={"Authorization": f"Bearer {key or self.key}"},
            timeout=30,
            limits=once,
            trust_env=False,
        )

    def request(self, path: str, method: str = "GET", host: str = "", **request: Any) -> httpx.Response:
        """The response of this host, by default `entrance`; a 599 if there is none."""
        host = host or self.entrance
        if host not in self._http:
            self._http[host] = self.http(host)
        try:
            return self._http[host].request(method, path, **request)
        except httpx.TransportError:
            return httpx.Response(599)

    def post_to_each_worker(self, kind: str, times: int = 1) -> list[str]:
        """Post a job for each worker; returns their ids when each is trained on another host."""
        job_ids = self.post(*[kind] * len(WORKERS), times=times)
        eventually(lambda: {self.host_of(job_id) for job_id in job_ids} == set(WORKERS), self.logs)
        return job_ids

    def events(self, job_id: str, host: str) -> list[Event]:
        """All events of a job that has ended, from an API."""
        with Client(f"http://{self.network.address(host)}:{PORT}", self.key) as client:
            return list(client.jobs.events(job_id))

    def put_orphan(self, content: str) -> str:
        """Store a blob without a dataset, as an upload that is interrupted does; returns its name."""
        blobs = Blobs(self.settings.blobs_url, self.settings.data_dir / "scratch")
        with blobs.workspace() as folder:
            (folder / "file").write_text(content)
            return blobs.put(folder / "file")[0]

    def metric(self, name: str, host: str) -> float:
        """A metric of the operator, without labels."""
        text = httpx.get(f"http://{self.network.address(host)}:{METRICS_PORT}/metrics", trust_env=False).text
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])

    # ── programs ─────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, *names: str, **environment: str) -> None:
        """Start those of these programs that do not run."""
        for name in names:
            if name not in self.processes or self.processes[name].poll() is not None:
                self._forget_heartbeats(name)
                command = [sys.executable, *COMMANDS[name.partition("-")[0]]]
                given = {**self._settings_of(name), **environment}
                self._start(name, self.network.as_machine(name), command, given, self.clocks.environment(name))

    def run(self, host: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments on a host, as its operator does."""
        given = {**os.environ, **self.environment, **self._settings_of(host), **environment}
        command = [*self.network.as_machine(host), sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)

    def kill(self, name: str) -> None:
        """`kill -9` of everything on the host, as if it died."""
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, SIGKILL)
        self.processes[name].wait()

    def restart(self, name: str, **environment: str) -> None:
        """Kill a program and start it again, with these environment variables; returns when it is ready."""
        self.kill(name)
        self.start(name, **environment)
        self.wait_until_ready()

    def _forget_heartbeats(self, host: str) -> None:
        """Of the program that ran there before, so that those of the next one can be waited for."""
        with self.database.write() as session:
            session.execute(delete(Worker).where(Worker.name.startswith(f"{host}-")))

    def repair(self) -> None:
        """Have every host connected, with the true clock, and its program running and ready."""
        for host in HOSTS:
            self.network.join(host)
            self.clocks.shift(host, 0)
        self.delay_s3(0)
        self.entrance = "balancer"
        if not self.s3.is_running:
            self.s3.start()
        self.start(*PROGRAMS)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until both APIs are ready, and the programs of all other hosts have sent a heartbeat."""
        eventually(lambda: self.hosts_alive() >= {*WORKERS, "reaper"}, self.logs)
        for api in APIS:
            eventually(lambda api=api: self.request("/readyz", host=api).status_code == 200, self.logs)  # type: ignore[misc]

    def hosts_alive(self) -> set[str]:
        """The hosts whose workers and reaper are registered."""
        with self.database.read() as session:
            return set(map(_host, session.scalars(select(Worker.name))))

    def host_of(self, job_id: str) -> str:
        """The host that trains a job; empty if none does."""
        return _host(self.job(job_id).worker or "")

    def writers(self, job_id: str) -> set[str]:
        """The hosts that have stored epochs of a job."""
        addresses = {write.address for write in self.written.of(job_id) if write.table == Epoch.__tablename__}
        return {host for host in HOSTS if self.network.address(host) in addresses}

    def delay_s3(self, seconds: float) -> None:
        """Delay everything that S3 receives and sends."""
        self._delay_file("s3").write_text(f"{seconds}")

    def log(self, name: str) -> str:
        """What a program has written to its log."""
        return (self.folder / f"{name}.log").read_text()

    def logs(self) -> str:
        """The last lines of every program's log."""
        return "\n".join(f"── {log.stem}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        """Kill all programs and stop the servers."""
        for name in list(self.processes):
            self.kill(name)
        for client in self._http.values():
            client.close()
        self.database.dispose()
        for server in (self.s3, self.redis, self.postgres):
            server.close()

    def _settings_of(self, host: str) -> dict[str, str]:
        """The environment variables of a host's programs: each host has a data folder of its own."""
        settings = self.settings.model_copy(update={"data_dir": self.folder / "data" / host})
        given = settings.model_dump(mode="json")
        return {f"BACKPROPD_{name.upper()}": str(value) for name, value in given.items() if value is not None}

    def _delay_file(self, host: str) -> Path:
        return self.folder / f"{host}.delay"

    def _start_proxy(self, host: str, port: int, *servers: str) -> None:
        self._delay_file(host).write_text("0")
        arguments = [self.network.address(host), str(port), str(self._delay_file(host)), *servers]
        command = [sys.executable, "-m", "tests.cluster.proxy", *arguments]
        self._start(f"{host}-proxy", self.network.inside(host), command, {}, {})

    def _start(
        self, name: str, inside: Sequence[str], command: list[str], settings: dict[str, str], clock: dict[str, str]
    ) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                # The program itself gets its host's clock, and not what starts it.
                [*inside, "env", *(f"{variable}={value}" for variable, value in clock.items()), *command],
                cwd=ROOT,
                env={**os.environ, **self.environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _host(program: str) -> str:
    """The host in the name of a worker's or reaper's process: `<host>-<boot>-<namespace>/<pid>/<pid>`."""
    return program.partition("/")[0].rsplit("-", 2)[0]


@contextmanager
def running_hosts(folder: Path) -> Iterator[HostCluster]:
    """A cluster whose programs all run; its logs are printed if the block raises."""
    folder.mkdir(parents=True, exist_ok=True)
    with network() as net:
        cluster = HostCluster(folder, net)
        with closed_afterwards(cluster):
            cluster.start(*PROGRAMS)
            cluster.wait_until_ready()
            yield cluster
