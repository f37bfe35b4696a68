"""Many small jobs, long queues, long curves and many streams: `python -m bench.throughput`."""

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from sqlalchemy import insert
from sqlalchemy.orm import Session

from backpropd.client import Client
from backpropd.store import datasets, epochs
from backpropd.store.ids import new_id
from backpropd.store.scheduling import claims, submission
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade
from backpropd.store.sql.schema import Epoch, Job
from bench import results, streams
from bench.measurement import milliseconds_queued, p50_p95, seconds
from embedded.demo import stack
from tests.servers import postgres_with_jit, running_postgres

TINY, POSTERS = 600, 4
WAKE_UPS = 60
QUEUED = 100_000
CLAIMS = 200
EPOCHS = 1_000_000
MIGRATIONS = Path(__file__).parent.parent / "migrations"
MIN_JOBS_PER_SECOND = {"sqlite": 60, "postgresql": 100, "postgresql with jit": 100}
MAX = {"wake-up p50, ms": 25, "wake-up p95, ms": 100, "claim p95, ms": 10}

SPEC = {**streams.XOR, "training": {"epochs": 20, "seed": 1}}


def main() -> None:
    """Measure on each database, print and store."""
    found = {}
    for kind in MIN_JOBS_PER_SECOND:
        with_jit = postgres_with_jit() if kind.endswith("jit") else None
        if kind.endswith("jit") and not with_jit:
            print("no PostgreSQL with JIT is installed here, such as Debian's package postgresql")
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            postgres = running_postgres(folder / "postgres", durable=True, programs=with_jit)
            with nullcontext("") if kind == "sqlite" else postgres as url:
                found[kind] = _service(folder, url) | _queue(folder, url)
        print(f"{kind}:")
        for name, value in found[kind].items():
            print(f"    {name:54}{value:10.2f}")
    sizes = {"jobs": TINY, "queued": QUEUED, "streams": streams.STREAMS}
    results.write("throughput", {**sizes, "databases": found, "min_jobs_per_second": MIN_JOBS_PER_SECOND, "max": MAX})


def _service(folder: Path, url: str) -> dict[str, float]:
    """Measurements of the whole stack over HTTP."""
    settings = {"BACKPROPD_DATABASE_URL": url} if url else {}
    with stack(folder, settings) as address, Client(address) as client:
        xor = client.datasets.sample("xor")
        dataset_id, target = xor["id"], xor["columns"][-1]["name"]
        jobs = [client.jobs.wait(client.jobs.create(dataset_id, target, **SPEC)["id"]) for _ in range(WAKE_UPS + 1)]
        p50, p95 = p50_p95([milliseconds_queued(job) for job in jobs[1:]])  # the first warms up
        per_second = _jobs_per_second(address, dataset_id, target)
        wake_ups = {"jobs a second": per_second, "wake-up p50, ms": p50, "wake-up p95, ms": p95}
        return wake_ups | streams.measure(address, client, folder)


def _jobs_per_second(address: str, dataset_id: str, target: str) -> float:
    """Jobs per second from the first POST until the last job ends, posted by a few clients at once."""
    body = json.dumps({"dataset_id": dataset_id, "target": target, **SPEC}).encode()
    with ThreadPoolExecutor(POSTERS) as pool, Client(address) as client, httpx.Client(base_url=address) as http:
        began = time.perf_counter()
        posted = list(pool.map(lambda _: _post_many(address, body, TINY // POSTERS), range(POSTERS)))
        for last in posted:  # polling continuously would take CPU time from the workers
            client.jobs.wait(last)
        while _unfinished(http):
            time.sleep(0.1)
        return TINY / (time.perf_counter() - began)


def _post_many(address: str, body: bytes, count: int) -> str:
    """Post `count` jobs one after the other; return the last one's id.

    It uses the standard library because httpx takes three times the CPU time, which the service needs here.
    """
    with closing(HTTPConnection(urlsplit(address).netloc)) as connection:
        for _ in range(count):
            headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
            connection.request("POST", "/v1/jobs", body, headers)
            answer = connection.getresponse()
            job = json.load(answer)
            assert answer.status == 202, job
    return str(job["id"])


def _unfinished(http: httpx.Client) -> bool:
    """Whether a job is queued or running."""
    queries = ({"status": status, "limit": 1} for status in ("queued", "running"))
    return any(http.get("/v1/jobs", params=query).json()["data"] for query in queries)


def _queue(folder: Path, url: str) -> dict[str, float]:
    """Claims from a long queue, and pages of a long curve, measured in the store itself."""
    database = Database(url or f"sqlite:///{folder / 'long.db'}")
    upgrade(database, MIGRATIONS)
    number = _fill_queue(database)
    p50, p95 = p50_p95([seconds(lambda: claim(database)) for _ in range(CLAIMS)])
    _write_curve(database, number)
    starts = {"first": 0, "middle": EPOCHS // 2, "last": EPOCHS - 1000}
    pages = {f"{name} page of 1000 epochs": _page_seconds(database, number, each) for name, each in starts.items()}
    database.dispose()
    claims_and_pages = {"claim p50": p50, "claim p95": p95, **pages}
    return {f"{name}, ms": each * 1000 for name, each in claims_and_pages.items()}


def _fill_queue(database: Database) -> int:
    """Queue QUEUED jobs; return the number of one more job, for a curve."""
    with database.write() as session:
        about = {"name": "d", "format": "csv", "rows": 1, "size": 1, "sha256": "00", "columns": []}
        dataset_id = datasets.create(session, "many", **about).id
        first = submission.submit(session, "many", dataset_id=dataset_id, epochs=1, name=None, spec={}, meta={}).job
        queue_many(session, dataset_id, ["many"], QUEUED)
        return first.number


def queue_many(session: Session, dataset_id: str, tenants: Sequence[str], jobs: int) -> None:
    """Queue `jobs` jobs, the same number for each tenant."""
    fixed = {"status": "queued", "dataset_id": dataset_id, "spec": {}, "meta": {}, "epochs": 1}
    many = [{"id": new_id("job"), "tenant": each, **fixed} for each in tenants for _ in range(jobs // len(tenants))]
    session.execute(insert(Job).values(created_at=now(), queued_at=now()), many)


def claim(database: Database) -> None:
    """Claim the next job."""
    with database.write() as session:
        assert claims.claim_next(session, ClaimOptions("bench", 30))


def _write_curve(database: Database, number: int) -> None:
    values = {"loss": 1.0, "metrics": {}, "gradient_norm": 1.0, "learning_rate": 0.1, "seconds": 0.0}
    row = {"tenant": "many", "job_number": number, **values}
    for start in range(1, EPOCHS, 50_000):
        with database.write() as session:
            session.execute(insert(Epoch), [{"epoch": n, **row} for n in range(start, start + 50_000)])


def _page_seconds(database: Database, number: int, after: int) -> float:
    def page() -> None:
        with database.read() as session:
            assert len(epochs.after(session, number, after, 1000)) == 1000

    return statistics.median(seconds(page) for _ in range(9))


if __name__ == "__main__":
    main()
