"""What many open event streams cost the API: `python -m bench.streams`; `bench.throughput` has it on both databases."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil

from backpropd.client import Client
from bench.crowd import Crowd, crowd
from embedded.demo import stack

STREAMS = 200
LONG = 10_000  # epochs that one client catches up with
SHORT = 1_000  # and each of a crowd
SECONDS = 6.0  # for each look; in a crowd a stream is looked after once a second
SETTLE = 3.0
ENDLESS = 9_999_999

XOR: dict[str, Any] = {"network": {"hidden": [{"units": 4, "activation": "tanh"}]}}
# An epoch takes some 20 to 50 ms.
DIGITS: dict[str, Any] = {"network": {"hidden": [{"units": 256}, {"units": 256}]}}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place, stack(Path(place)) as address, Client(address) as client:
        for name, figure in measure(address, client, Path(place)).items():
            print(f"{name:54}{figure:10.2f}")


def measure(address: str, client: Client, folder: Path) -> dict[str, float]:
    """The figures of the stack in `folder`. CPU is that of the API's process alone."""
    api = _Api(address, folder)
    nobody = api.look(SECONDS)
    found = {"streams: none open, CPU % of a core": nobody.cpu}
    done = _job(client, client.datasets.sample("xor"), {"epochs": LONG}, **XOR)
    client.jobs.wait(done)
    found |= _catching_up(api, done)
    found |= _at_rest(api, client)
    found |= _while_training(api, client)
    return found


class Look(NamedTuple):
    """What the API did for some seconds."""

    cpu: float  # % of one core
    health: float  # the median answer of /healthz, in milliseconds
    memory: float  # MiB


class _Api:
    """The API's process."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.process = address, _process(folder)
        self.http = httpx.Client()
        self.health()  # warm

    def look(self, seconds: float) -> Look:
        """Its share of a core, and its answers meanwhile."""
        began, cpu = time.perf_counter(), self.cpu()
        times = []
        while time.perf_counter() - began < seconds:
            times.append(self.health())
            time.sleep(0.2)
        share = (self.cpu() - cpu) / (time.perf_counter() - began)
        return Look(share * 100, statistics.median(times) * 1000, self.memory())

    def cpu(self) -> float:
        """Seconds of a core until now."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """MiB."""
        return float(self.process.memory_info().rss) / 2**20

    def health(self) -> float:
        """Seconds until it says that it lives."""
        began = time.perf_counter()
        assert self.http.get(f"{self.address}/healthz").status_code == 200
        return time.perf_counter() - began


def _process(folder: Path) -> psutil.Process:
    """The process that answers: granian's child."""
    data = str(folder / "data")
    for process in psutil.process_iter(["cmdline", "environ"]):
        environ = process.info["environ"] or {}
        if environ.get("BACKPROPD_DATA_DIR") == data and (process.info["cmdline"] or [])[-2:] == ["-m", "service"]:
            children = process.children(recursive=True)
            return max(children or [process], key=lambda each: each.memory_info().rss)
    raise RuntimeError("the API is not there")


def _job(client: Client, dataset: Any, training: dict[str, Any], **more: Any) -> str:
    target = dataset["columns"][-1]["name"]
    job_id: str = client.jobs.create(dataset["id"], target, training={"seed": 1, **training}, **more)["id"]
    return job_id


def _catching_up(api: _Api, done: str) -> dict[str, float]:
    """A job that is over, from its first epoch by one client, and its last epochs by a crowd at once."""
    alone = _events_cost(api, [done], 0, LONG)
    together = _events_cost(api, [done] * STREAMS, LONG - SHORT, STREAMS * SHORT)
    return {
        "streams: catching up alone, CPU µs an epoch": alone.cpu,
        "streams: all catching up, CPU µs an epoch": together.cpu,
        "streams: all catching up, GET /healthz p50, ms": together.health,
    }


def _events_cost(api: _Api, job_ids: Sequence[str], after: int, events: int) -> Look:
    """As `cpu`, microseconds of it for each of so many events."""
    cpu, health = api.cpu(), [api.health()]
    with crowd(api.address, job_ids, f"0-{after}") as clients:
        while (came := clients.events()) < events:
            health.append(api.health())
            time.sleep(0.02)
        assert came == events, came
    return Look((api.cpu() - cpu) / events * 1e6, statistics.median(health) * 1000, api.memory())


def _at_rest(api: _Api, client: Client) -> dict[str, float]:
    """Streams that wait: of one paused job, and of as many."""
    xor = client.datasets.sample("xor")
    paused = [_paused(client, xor) for _ in range(STREAMS)]
    before = api.memory()
    with _settled(api, [paused[0]] * STREAMS, ENDLESS):
        one = api.look(SECONDS)
    with _settled(api, paused, ENDLESS):
        many = api.look(SECONDS)
    for job_id in paused:
        client.jobs.cancel(job_id)
    return {
        "streams: of one job at rest, CPU % of a core": one.cpu,
        "streams: of one job at rest, MiB": one.memory - before,
        "streams: of one job at rest, GET /healthz p50, ms": one.health,
        "streams: of as many jobs at rest, CPU % of a core": many.cpu,
    }


def _paused(client: Client, dataset: Any) -> str:
    job_id = _job(client, dataset, {"epochs": ENDLESS}, **XOR)
    client.jobs.pause(job_id)
    while client.jobs.get(job_id)["status"] != "paused":
        time.sleep(0.02)
    return job_id


def _while_training(api: _Api, client: Client) -> dict[str, float]:
    """Streams of one job that trains."""
    job_id = _job(client, client.datasets.sample("digits"), {"epochs": ENDLESS, "batch_size": 32}, **DIGITS)
    while client.jobs.get(job_id)["status"] != "running":
        time.sleep(0.02)
    time.sleep(SETTLE)
    alone = api.look(SECONDS)
    with _settled(api, [job_id] * STREAMS) as clients:
        before, began = clients.events(), time.perf_counter()
        watched = api.look(SECONDS)
        rate = (clients.events() - before) / (time.perf_counter() - began)
    client.jobs.cancel(job_id)
    return {
        "streams: while one job trains, epochs a second": rate / STREAMS,
        "streams: while one job trains, CPU % of a core": watched.cpu,
        "streams: while one job trains, CPU µs an epoch": watched.cpu / 100 / rate * 1e6,
        "streams: while one job trains, GET /healthz p50, ms": watched.health,
        "streams: none while it trains, GET /healthz p50, ms": alone.health,
    }


@contextmanager
def _settled(api: _Api, job_ids: Sequence[str], seen: int = 0) -> Iterator[Crowd]:
    """A crowd that has seen all there was, which is nothing new after the epoch `seen`."""
    with crowd(api.address, job_ids, f"0-{seen}") as clients:
        time.sleep(SETTLE)
        yield clients


if __name__ == "__main__":
    main()
