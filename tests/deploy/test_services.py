"""The services of the compose file, started without containers: a job posted to them succeeds."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from backpropd.store.sql.failures import REJECTED
from tests.deploy.compose import ROOT, read
from tests.servers import free_port, fresh_database, running_postgres, running_redis

TIMEOUT = 90.0  # seconds
POSTGRES_PASSWORD = REDIS_PASSWORD = "p@ss/w:rd#?% $1"  # a URL would have to escape it


class Deployment:
    """The services of the compose file as processes, with their commands and environments.

    `local` replaces what exists only in containers: hosts of other services, ports and the volume.
    """

    def __init__(self, url: str, services: Mapping[str, Any], local: Mapping[str, str], logs: Path) -> None:
        self.url = url
        self._services = services
        self._replacements = local
        self._logs = logs
        self._path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(self, name: str, *command: str) -> str:
        """Run a service's command, or another one, to its end; returns the last line of its output."""
        log = f"{name}-run"
        process = self._start(name, list(command) or self._services[name]["command"], log)
        assert process.wait(timeout=TIMEOUT) == 0, self._log(log)
        return self.log_lines(log)[-1] if self.log_lines(log) else ""

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service while the block runs; at SIGTERM it must end within its grace time, with status 0."""
        process = self._start(name, self._services[name]["command"])
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            grace = float(self._services[name]["stop_grace_period"].removesuffix("s"))
            assert process.wait(timeout=grace) == 0, self._log(name)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_until_healthy(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Repeat the service's own health check until it succeeds."""
        kind, *check = self._services[name]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            check = ["sh", "-c", *check]
        deadline = time.monotonic() + TIMEOUT
        while self._start(name, check, log=f"{name}-health").wait(timeout=TIMEOUT) != 0:
            assert process.poll() is None, self._log(name)
            assert time.monotonic() < deadline, self._log(f"{name}-health") + self._log(name)
            time.sleep(0.2)

    def log_lines(self, name: str) -> list[str]:
        """What a service wrote."""
        return (self._logs / f"{name}.log").read_text().splitlines()

    def _start(self, name: str, command: list[str], log: str = "") -> subprocess.Popen[bytes]:
        environment = {key: self._local(value) for key, value in self._services[name]["environment"].items()}
        environment["BACKPROPD_HEALTH_FILE"] = str(self._logs / f"{name}.healthy")  # /tmp of its container
        with (self._logs / f"{log or name}.log").open("ab") as lines:
            return subprocess.Popen(
                [self._local(word) for word in command],
                cwd=ROOT,  # the image's /app
                env={"PATH": self._path, **environment},
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                start_new_session=True,
            )

    def _local(self, text: str) -> str:
        for container, local in self._replacements.items():
            text = text.replace(container, local)
        return text

    def _log(self, name: str) -> str:
        return f"\n{name}:\n{(self._logs / f'{name}.log').read_text()}"


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    variables = {
        "POSTGRES_PASSWORD": POSTGRES_PASSWORD,
        "REDIS_PASSWORD": REDIS_PASSWORD,
        "BACKPROPD_WORKERS": "1",
    }
    (tmp_path / "data").mkdir()
    with (
        running_postgres(tmp_path / "postgres", tcp=True, password=POSTGRES_PASSWORD) as postgres,
        running_redis(tmp_path / "redis", tcp=True, password=REDIS_PASSWORD) as redis,
    ):
        database = make_url(fresh_database(postgres, "backpropd"))
        port = str(free_port())
        local = {
            "8000": port,
            "0.0.0.0": "127.0.0.1",
            "//api:": "//127.0.0.1:",
            "@postgres:5432/": f"@127.0.0.1:{database.port}/",
            "//redis:6379/": f"//127.0.0.1:{make_url(redis).port}/",
            "/data": str(tmp_path / "data"),
        }
        yield Deployment(f"http://127.0.0.1:{port}", read(variables), local, tmp_path)


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_a_job_posted_to_the_services_of_the_compose_file_succeeds(deployment: Deployment) -> None:
    deployment.run("migrate")
    key = deployment.run("api", "python", "-m", "service", "keys", "create")
    with ExitStack() as stack:
        for name in ("api", "worker", "reaper"):
            process = stack.enter_context(deployment.running(name))
            deployment.wait_until_healthy(name, process)
        assert httpx.get(f"{deployment.url}/v1/jobs").status_code == 401
        with httpx.Client(base_url=deployment.url, headers={"Authorization": f"Bearer {key}"}, timeout=70) as api:
            job = train_iris(api)
            assert job["status"] == "succeeded"
    events = [json.loads(line)["event"] for name in ("api", "worker", "reaper") for line in deployment.log_lines(name)]
    assert f"{job['id']} claimed (attempt 1)" in events
    assert f"{job['id']} succeeded" in events


@pytest.mark.acceptance
def test_a_wrong_password_of_the_database_is_told_in_one_line(tmp_path: Path) -> None:
    with running_postgres(tmp_path, tcp=True, password="right") as url:
        wrong = make_url(url).set(password="wrong").render_as_string(hide_password=False)
        done = subprocess.run(
            [sys.executable, "-m", "worker", "migrate"],
            env={**os.environ, "BACKPROPD_DATABASE_URL": wrong},
            capture_output=True,
            text=True,
        )
    *warnings, error = done.stderr.splitlines()
    assert (done.returncode, error) == (1, f"unavailable: {REJECTED}")
    assert [line.split(":")[0] for line in warnings] == ["WARNING backpropd.store.sql.failures"] * len(warnings)


def train_iris(api: httpx.Client) -> dict[str, Any]:
    """Post a small job, and wait until it has ended."""
    dataset = api.post("/v1/datasets", json={"sample": "iris"}).raise_for_status().json()
    training = {"epochs": 20, "seed": 0}
    request = {"dataset_id": dataset["id"], "target": "species", "training": training}
    job = api.post("/v1/jobs", json=request).raise_for_status().json()
    ended: dict[str, Any] = api.get(f"/v1/jobs/{job['id']}", params={"wait": 60}).raise_for_status().json()
    return ended
