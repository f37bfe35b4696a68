"""What an operation costs each program, and the waits of real loads to check a simulation: `python -m bench.capacity`.

The costs are measured one operation at a time, with one training process; the loads that check the simulation run
another stack, with two. Both use PostgreSQL, which syncs its commits to disk.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import delete, select

from backpropd.client import Client
from backpropd.store import datasets
from backpropd.store.scheduling import fair_queue
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade
from backpropd.store.sql.schema import Job
from bench import load, results, streams
from bench.honest_client import CSV_TABLE
from bench.load import Request
from bench.machine import about
from bench.measurement import milliseconds_queued, p50_p95
from bench.programs import Programs, per_operation
from bench.throughput import MIGRATIONS, SPEC, claim, queue_many
from embedded.demo import stack
from tests.servers import fresh_database, running_postgres

JOBS, ALONE, LONG_QUEUE_POSTS = 400, 60, 48
QUEUED = 20_000
EPOCHS = 20_000
PREDICTIONS, UPLOADS = 800, 60
CLAIM_SECONDS, CLAIMERS, TENANTS = 1.5, 4, 10
SLOTS = 2
SHARES = (0.3, 0.6, 0.85)  # of the most jobs per second, for the loads that check the simulation
LOAD_SECONDS = 8.0


class Stack(NamedTuple):
    """A running stack on PostgreSQL, and the job that all measurements post."""

    address: str
    client: Client
    database: Database
    programs: Programs
    dataset: Any
    folder: Path

    def job(self, name: str) -> Request:
        """The request for a tiny job."""
        target = self.dataset["columns"][-1]["name"]
        return load.as_json("/v1/jobs", {"dataset_id": self.dataset["id"], "target": target, "name": name, **SPEC})


def main() -> None:
    """Measure, print and store."""
    with tempfile.TemporaryDirectory() as name, running_postgres(Path(name), durable=True) as server:
        folder = Path(name)
        found = {"claims": _claims(fresh_database(server, "claims"))}
        with _running(folder / "one", fresh_database(server, "one"), 1) as one:
            found["costs"] = _costs(one)
            found["checks"] = [_check(one, 1)]
        with _running(folder / "two", fresh_database(server, "two"), SLOTS) as two:
            found["checks"].append(_check(two, SLOTS))
            _print(found)
            sizes = {"claimers": CLAIMERS, "tenants": TENANTS, "queued": QUEUED}
            results.write("capacity", {**found, **sizes, "machine": about()})


@contextmanager
def _running(folder: Path, url: str, slots: int) -> Iterator[Stack]:
    folder.mkdir()
    settings = {"BACKPROPD_DATABASE_URL": url, "BACKPROPD_WORKERS": str(slots)}
    with stack(folder, settings) as address, Client(address) as client:
        xor, database = client.datasets.sample("xor"), Database(url)
        found = Stack(address, client, database, Programs(), xor, folder)
        load.one_after_the_other(address, found.job("warm up"), 40)
        _wait_until_trained(database, "warm up")
        yield found
        database.dispose()


def _costs(one: Stack) -> dict[str, dict[str, float]]:
    """How many a second of each operation, and in seconds the time of one alone and the CPU time of each program."""
    with one.programs.without_workers():
        costs = {"post": _cost(one, JOBS, lambda count, clients: _post(one, "posted", count, clients))}
        costs["post in a long queue"] = _in_a_long_queue(one)
    costs["job"] = _measured(one, JOBS + ALONE, lambda: _wait_until_trained(one.database, "posted"))
    costs["wake-up"] = {"alone": _wake_up(one)}
    job = one.client.jobs.wait(_tiny(one, {"epochs": EPOCHS, "seed": 1}))
    costs["epoch"] = _measured(one, EPOCHS, lambda: one.client.jobs.wait(_tiny(one, {"epochs": EPOCHS, "seed": 1})))
    predict = load.as_json(f"/v1/models/{job['model_id']}/predictions", {"rows": [[0, 1]]})
    upload = Request("/v1/datasets", CSV_TABLE.encode(), "text/csv")
    for name, request, count in (("prediction", predict, PREDICTIONS), ("upload", upload, UPLOADS)):
        costs[name] = _cost(one, count, _sender(one, request))
    costs["event"] = _events(one, job["id"])
    return costs


def _sender(one: Stack, request: Request) -> Callable[[int, int], float]:
    return lambda count, clients: load.one_after_the_other(one.address, request, count, clients)


def _post(one: Stack, name: str, count: int, clients: int) -> float:
    return load.one_after_the_other(one.address, one.job(name), count, clients)


def _cost(one: Stack, count: int, send: Callable[[int, int], float]) -> dict[str, float]:
    """The cost of a request, sent by several clients at once, and then by one."""
    alone = send(ALONE, 1) / ALONE
    return _measured(one, count, lambda: send(count, load.CLIENTS)) | {"alone": alone}


def _measured(one: Stack, count: int, work: Callable[[], object]) -> dict[str, float]:
    cpu, began = one.programs.cpu(), time.perf_counter()
    work()
    took = time.perf_counter() - began
    return {"per_second": count / took, **per_operation(cpu, one.programs.cpu(), count)}


def _in_a_long_queue(one: Stack) -> dict[str, float]:
    """The cost of a POST while QUEUED jobs of the same tenant wait."""
    with one.database.write() as session:
        queue_many(session, one.dataset["id"], ["local"], QUEUED)
    cost = _measured(one, LONG_QUEUE_POSTS, lambda: _post(one, "late", LONG_QUEUE_POSTS, load.CLIENTS))
    with one.database.write() as session:
        session.execute(delete(Job).where(Job.name.is_distinct_from("posted"), Job.status == "queued"))
    return cost


def _tiny(one: Stack, training: dict[str, Any]) -> str:
    target = one.dataset["columns"][-1]["name"]
    job = one.client.jobs.create(one.dataset["id"], target, **{**SPEC, "training": training})
    return str(job["id"])


def _wake_up(one: Stack) -> float:
    """Seconds from `queued` to `running` of a job that an idle worker takes."""
    jobs = [one.client.jobs.wait(_tiny(one, SPEC["training"])) for _ in range(20)]
    return p50_p95([milliseconds_queued(job) for job in jobs])[0] / 1000


def _events(one: Stack, job_id: str) -> dict[str, float]:
    """Epochs of a finished job as events, sent to many clients at once."""
    api, count = streams.Api(one.address, one.folder), streams.STREAMS * streams.SHORT
    began = time.perf_counter()
    cost = streams.events_cost(api, [job_id] * streams.STREAMS, EPOCHS - streams.SHORT, count)
    return {"per_second": count / (time.perf_counter() - began), "api": cost.cpu / 1e6}


def _check(real: Stack, slots: int) -> dict[str, Any]:
    """The most jobs per second, from the first POST until the last job ends; and how long jobs wait at lower rates."""
    began = time.perf_counter()
    _post(real, "most", JOBS, load.CLIENTS)
    _wait_until_trained(real.database, "most")
    most = JOBS / (time.perf_counter() - began)
    return {"slots": slots, "jobs": JOBS, "most": most, "loads": [_load(real, share * most) for share in SHARES]}


def _load(real: Stack, rate: float) -> dict[str, Any]:
    name, count = f"{rate:.1f} a second", round(rate * LOAD_SECONDS)
    posted = load.at_random_times(real.address, real.job(name), rate, count)
    waits = _wait_until_trained(real.database, name)
    return {"rate": rate, "jobs": count, "post": posted, "waits": waits}


def _wait_until_trained(database: Database, name: str) -> list[float]:
    """Wait until no job of this name is left; returns how many seconds each waited for a worker."""
    times = select(Job.status, Job.queued_at, Job.started_at).where(Job.name == name).order_by(Job.number)
    unfinished = select(Job.id).where(Job.name == name, Job.status.in_(("queued", "running"))).limit(1)
    while True:
        with database.read() as session:
            if session.execute(unfinished).first() is None:
                rows = session.execute(times).all()
                assert {row.status for row in rows} == {"succeeded"}, name
                return [_seconds_between(row.queued_at, row.started_at) for row in rows]
        time.sleep(0.05)


def _seconds_between(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


def _claims(url: str) -> dict[str, float]:
    """Claims per second from a long queue, in the store alone: by one and more processes, of one and more tenants."""
    database = Database(url)
    upgrade(database, MIGRATIONS)
    with get_context("spawn").Pool(CLAIMERS) as pool:
        found = {}
        for tenants in (1, TENANTS):
            _fill(database, [f"tenants{tenants}-{n}" for n in range(tenants)])
            for claimers in (1, CLAIMERS):
                counts = pool.map(_claim_for, [url] * claimers, chunksize=1)
                found[f"{claimers} at once, {tenants} tenants"] = sum(counts) / CLAIM_SECONDS
    database.dispose()
    return found


def _fill(database: Database, tenants: list[str]) -> None:
    about = {"name": "d", "format": "csv", "rows": 1, "size": 1, "sha256": "00", "columns": []}
    with database.write() as session:
        session.execute(delete(Job))
        dataset_id = datasets.create(session, tenants[0], **about).id
        for tenant in tenants:
            fair_queue.enroll(session, tenant)
        queue_many(session, dataset_id, tenants, QUEUED)


def _claim_for(url: str) -> int:
    """How many claims this process makes in CLAIM_SECONDS."""
    database, claimed = Database(url), 0
    claim(database)  # connect
    until = time.perf_counter() + CLAIM_SECONDS
    while time.perf_counter() < until:
        claim(database)
        claimed += 1
    database.dispose()
    return claimed


def _print(found: dict[str, Any]) -> None:
    for name, rate in found["claims"].items():
        print(f"claims a second, {name:34}{rate:10.0f}")
    for name, cost in found["costs"].items():
        print(f"{name:24}" + "".join(f"  {key} {_shown(key, value)}" for key, value in cost.items()))
    for check in found["checks"]:
        print(f"{check['slots']} slots: at most {check['most']:.1f} jobs a second")
        for each in check["loads"]:
            p50, p95 = p50_p95(each["waits"])
            print(f"    {each['rate']:6.1f} a second: waits p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms")


def _shown(key: str, value: float) -> str:
    return f"{value:.0f}" if key == "per_second" else f"{value * 1000:.3f} ms"


if __name__ == "__main__":
    main()
