"""What `make compose-test` does with the running project, and what it measures."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from backpropd.client import Client
from backpropd.client.types import Job
from tests.deploy.on_engine.engine import Project

SAMPLES = Path(__file__).parents[3] / "backpropd" / "tabular" / "samples"
EPOCHS = 10_000  # of a job that is interrupted: some seconds
TARGET = "diagnosis"
WAIT = 300.0
TINY_JOBS = 100
OWN = ("api", "worker", "reaper")
VENV_MIB = 560
IDLE_SECONDS = 20.0

# The processes of a container whose parent is the main process of the worker: they train.
KILL_CHILDREN = """
import os, pathlib, signal
def parent(pid): return int((pathlib.Path("/proc") / pid / "stat").read_text().rsplit(")", 1)[1].split()[1])
children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid() and parent(pid) > 1]
for child in children:
    os.kill(child, signal.SIGKILL)
print(len(children))
"""


class Steps:
    """The steps, with a client that has the first key; each raises AssertionError where it fails."""

    def __init__(self, project: Project) -> None:
        self.project = project
        key = project.compose("exec", "-T", "api", "python", "-m", "service", "keys", "create").split()[-1]
        self.client = Client(f"http://127.0.0.1:{project.port}", key)
        self.dataset = ""
        self.model = ""
        self.sha256 = ""

    def train_and_predict(self) -> str:
        """Upload, train, watch every epoch, predict."""
        self.dataset = self.client.datasets.upload(SAMPLES / "breast_cancer.csv")["id"]
        job = self._long_job()
        epochs: list[int] = []
        done = self.client.jobs.wait(job, on_epoch=lambda epoch: epochs.append(epoch["epoch"]), timeout=WAIT)
        assert epochs == list(range(1, EPOCHS + 1)), "an epoch is missing in the event stream"
        self.model = str(done["model_id"])
        self.sha256 = self._sha256(done)
        self.predict()
        assert self.client.models.surface_picture(self.model, points=9).startswith(b"\x89PNG")
        return f"{len(epochs)} epochs watched"

    def predict(self) -> None:
        """The trained model knows most of what it was trained on."""
        rows = self.client.datasets.rows(self.dataset, limit=50)
        predictions = self.client.models.predict(self.model, rows)
        right = sum(row[TARGET] == each["label"] for row, each in zip(rows, predictions, strict=True))
        assert right >= 45, f"{right} of 50 rows are predicted correctly"

    def interrupted(self, interrupt: Callable[[], None], attempts: int = 1) -> str:
        """A job during which `interrupt` is called ends with the weights of the job that was not interrupted."""
        job = self._long_job()
        while self.client.jobs.get(job)["progress"]["epoch"] < EPOCHS / 20:
            time.sleep(0.05)
        interrupt()
        began = time.monotonic()
        done = self.client.jobs.wait(job, timeout=WAIT)
        assert done["attempts"] >= attempts, "the job ended before it was interrupted"
        assert self._sha256(done) == self.sha256, "the weights differ from those of the undisturbed job"
        return f"succeeded {time.monotonic() - began:.0f} s later with the same sha256, attempt {done['attempts']}"

    def kill_training_processes(self) -> None:
        """SIGKILL to every process that trains."""
        for container in self.project.containers("worker"):
            assert int(self.project.inside(container, "python", "-c", KILL_CHILDREN)) > 0

    def kill_worker_containers(self) -> None:
        """All but one of the containers of workers are killed, then replaced."""
        for container in self.project.containers("worker")[1:]:
            self.project.engine.run("kill", container)
        self.scale(3)

    def kill_redis(self) -> None:
        """Redis is killed, and started again."""
        self.project.compose("kill", "redis")
        self.project.compose("up", "--no-build", "--wait", "--no-recreate", "--scale", "worker=3")

    def restart_postgres(self) -> None:
        """PostgreSQL restarts."""
        self.project.compose("restart", "postgres")

    def scale(self, workers: int) -> None:
        """So many containers of workers run and are healthy."""
        self.project.compose("up", "--no-build", "--wait", "--no-recreate", "--scale", f"worker={workers}")
        assert len(self.project.containers("worker")) == workers

    def throughput(self) -> str:
        """Tiny jobs per second, end to end, and what one POST takes."""
        seconds, jobs, began = [], [], time.monotonic()
        for seed in range(TINY_JOBS):
            since = time.monotonic()
            jobs.append(self._post(epochs=5, seed=seed))
            seconds.append(time.monotonic() - since)
        for job in jobs:
            self.client.jobs.wait(job, timeout=WAIT)
        rate = TINY_JOBS / (time.monotonic() - began)
        return f"{rate:.0f} tiny jobs per second, POST p50 {1000 * statistics.median(seconds):.0f} ms"

    def restart_everything(self) -> str:
        """`down` and `up` keep datasets, jobs, models and keys."""
        self.project.compose("down")
        began = time.monotonic()
        self.project.compose("up", "--no-build", "--wait")
        seconds = time.monotonic() - began
        self.predict()
        assert self.client.datasets.get(self.dataset)["rows"] == 569
        assert any(job["status"] == "succeeded" for job in self.client.jobs.list())
        return f"healthy after {seconds:.0f} s, model and dataset are there"

    def sizes(self) -> str:
        """The image, and the environment in it."""
        image = int(self.project.engine.run("image", "inspect", "--format", "{{.Size}}", "backpropd"))
        venv = int(self.project.inside(self.project.containers("api")[0], "du", "-sm", "/venv").split()[0])
        assert venv <= VENV_MIB, f"/venv has {venv} MiB, {VENV_MIB} are allowed"
        return f"/venv {venv} MiB, image {image / 1e6:.0f} MB"

    def logs(self) -> str:
        """Our programs log JSON only, without health checks, and no container's log grows without bound."""
        lines = self.project.compose("logs", "--no-log-prefix", "--no-color", *OWN, "migrate").splitlines()
        broken = [line for line in lines if not _is_json(line)]
        assert not broken, f"log lines that are not JSON: {broken[:3]}"
        assert not any("/healthz" in line for line in lines), "health checks are logged"
        for service in (*OWN, "postgres", "redis"):
            log = self.project.inspect(self.project.containers(service)[0])["HostConfig"]["LogConfig"]
            assert {"max-size", "max-file"} <= log["Config"].keys(), f"the log of {service} grows without bound"
        return f"{len(lines)} lines, all JSON"

    def idle(self) -> dict[str, str]:
        """Memory and CPU of each service that has nothing to do."""
        containers = {service: self.project.containers(service)[0] for service in (*OWN, "postgres", "redis")}
        before = {service: self._cpu(container) for service, container in containers.items()}
        time.sleep(IDLE_SECONDS)
        used = {service: self._cpu(container) - before[service] for service, container in containers.items()}
        return {
            service: f"{self._memory(container):.0f} MiB, {100 * used[service] / IDLE_SECONDS:.1f} % of a core"
            for service, container in containers.items()
        }

    def _cpu(self, container: str) -> float:
        """Seconds of CPU that the container has used."""
        script = "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpuacct/cpuacct.usage"
        words = self.project.inside(container, "sh", "-c", script).split()
        return int(words[1]) / 1e6 if words[0] == "usage_usec" else int(words[0]) / 1e9

    def _memory(self, container: str) -> float:
        """MiB of the processes in the container, each page counted once."""
        script = "cat /sys/fs/cgroup/memory.stat 2>/dev/null || cat /sys/fs/cgroup/memory/memory.stat"
        lines = [line.split() for line in self.project.inside(container, "sh", "-c", script).splitlines()]
        found = {name: int(value) for name, value in lines}
        return (found.get("anon") or found["total_rss"]) / 2**20

    def _long_job(self) -> str:
        return self._post(epochs=EPOCHS, seed=3, early_stopping=None)

    def _post(self, **training: object) -> str:
        network = {"hidden": [{"units": 128}]}
        return self.client.jobs.create(self.dataset, TARGET, network=network, training=training)["id"]

    def _sha256(self, job: Job) -> str:
        return self.client.models.get(str(job["model_id"]))["sha256"]


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
