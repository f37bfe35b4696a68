"""The load of many open event streams on the API: `python -m bench.streams`, also part of `bench.throughput`."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil

from backpropd.client import Client
from bench.measurement import seconds
from bench.stream_clients import stream_clients
from embedded.demo import stack
from tests.processes import command

STREAMS = 200
LONG = 10_000  # epochs that one client catches up with
SHORT = 1_000  # epochs that each of many clients catches up with
SECONDS = 6.0  # of each sample; with many streams the API checks a job once a second
SETTLE = 3.0
ENDLESS = 9_999_999

XOR: dict[str, Any] = {"network": {"hidden": [{"units": 4, "activation": "tanh"}]}}
# An epoch takes some 20 to 50 ms.
DIGITS: dict[str, Any] = {"network": {"hidden": [{"units": 256}, {"units": 256}]}}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as address, Client(address) as client:
        for name, value in measure(address, client, Path(folder)).items():
            print(f"{name:54}{value:10.2f}")


def measure(address: str, client: Client, folder: Path) -> dict[str, float]:
    """Measurements of the stack in `folder`; CPU time is that of the API's process alone."""
    api = Api(address, folder)
    idle = api.sample()
    finished = _job(client, client.datasets.sample("xor"), {"epochs": LONG}, **XOR)
    client.jobs.wait(finished)
    found = {"none open, CPU % of a core": idle.cpu}
    found |= _catching_up(api, finished) | _idle(api, client) | _while_training(api, client)
    return {f"streams: {name}": value for name, value in found.items()}


class Sample(NamedTuple):
    """The API's load during some seconds."""

    cpu: float  # % of one core
    health: float  # the median time of GET /healthz, in milliseconds
    memory: float  # MiB


class Api:
    """The API's process."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.process = address, _process(folder)
        self.http = httpx.Client()
        self.health()  # warm up

    def sample(self) -> Sample:
        """Measure for SECONDS."""
        began, cpu = time.perf_counter(), self.cpu()
        times = []
        while time.perf_counter() - began < SECONDS:
            times.append(self.health())
            time.sleep(0.2)
        share = (self.cpu() - cpu) / (time.perf_counter() - began)
        return Sample(share * 100, statistics.median(times) * 1000, self.memory())

    def cpu(self) -> float:
        """Seconds of CPU time so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """MiB."""
        return float(self.process.memory_info().rss) / 2**20

    def health(self) -> float:
        """Seconds of one GET /healthz."""
        return seconds(lambda: self.http.get(f"{self.address}/healthz").raise_for_status())


def _process(folder: Path) -> psutil.Process:
    """The process that handles requests: granian's child."""
    stack = psutil.Process(json.loads((folder / "data" / "stack.json").read_text())["pid"])
    for process in stack.children():
        if command(process)[-2:] == ["-m", "service"]:
            return max(process.children(recursive=True) or [process], key=lambda each: each.memory_info().rss)
    raise RuntimeError("the API's process was not found")


def _job(client: Client, dataset: Any, training: dict[str, Any], **more: Any) -> str:
    target = dataset["columns"][-1]["name"]
    job_id: str = client.jobs.create(dataset["id"], target, training={"seed": 1, **training}, **more)["id"]
    return job_id


def _catching_up(api: Api, job_id: str) -> dict[str, float]:
    """A finished job: one client reads all of its epochs, then many clients read its last epochs at once."""
    alone = events_cost(api, [job_id], 0, LONG)
    together = events_cost(api, [job_id] * STREAMS, LONG - SHORT, STREAMS * SHORT)
    return {
        "catching up alone, CPU µs an epoch": alone.cpu,
        "all catching up, CPU µs an epoch": together.cpu,
        "all catching up, GET /healthz p50, ms": together.health,
    }


def events_cost(api: Api, job_ids: Sequence[str], after: int, events: int) -> Sample:
    """A sample whose `cpu` is microseconds per event, while `events` events are sent."""
    cpu, health = api.cpu(), [api.health()]
    with stream_clients(api.address, job_ids, f"0-{after}") as clients:
        while (received := clients()) < events:
            health.append(api.health())
            time.sleep(0.02)
        assert received == events, received
    return Sample((api.cpu() - cpu) / events * 1e6, statistics.median(health) * 1000, api.memory())


def _idle(api: Api, client: Client) -> dict[str, float]:
    """Idle streams: all of one paused job, and each of its own paused job."""
    xor = client.datasets.sample("xor")
    paused = [_paused(client, xor) for _ in range(STREAMS)]
    before = api.memory()
    with _settled(api, [paused[0]] * STREAMS, ENDLESS):
        one = api.sample()
    with _settled(api, paused, ENDLESS):
        many = api.sample()
    for job_id in paused:
        client.jobs.cancel(job_id)
    return {
        "of one idle job, CPU % of a core": one.cpu,
        "of one idle job, MiB": one.memory - before,
        "of one idle job, GET /healthz p50, ms": one.health,
        "of as many idle jobs, CPU % of a core": many.cpu,
    }


def _paused(client: Client, dataset: Any) -> str:
    job_id = _job(client, dataset, {"epochs": ENDLESS}, **XOR)
    client.jobs.pause(job_id)
    while client.jobs.get(job_id)["status"] != "paused":
        time.sleep(0.02)
    return job_id


def _while_training(api: Api, client: Client) -> dict[str, float]:
    """Streams of one running job."""
    job_id = _job(client, client.datasets.sample("digits"), {"epochs": ENDLESS, "batch_size": 32}, **DIGITS)
    while client.jobs.get(job_id)["status"] != "running":
        time.sleep(0.02)
    time.sleep(SETTLE)
    alone = api.sample()
    with _settled(api, [job_id] * STREAMS) as clients:
        before, began = clients(), time.perf_counter()
        watched = api.sample()
        rate = (clients() - before) / (time.perf_counter() - began)
    client.jobs.cancel(job_id)
    return {
        "while one job trains, epochs a second": rate / STREAMS,
        "while one job trains, CPU % of a core": watched.cpu,
        "while one job trains, CPU µs an epoch": watched.cpu / 100 / rate * 1e6,
        "while one job trains, GET /healthz p50, ms": watched.health,
        "none while it trains, GET /healthz p50, ms": alone.health,
    }


@contextmanager
def _settled(api: Api, job_ids: Sequence[str], seen: int = 0) -> Iterator[Callable[[], int]]:
    """Clients that have received everything after the epoch `seen`."""
    with stream_clients(api.address, job_ids, f"0-{seen}") as clients:
        time.sleep(SETTLE)
        yield clients


if __name__ == "__main__":
    main()
