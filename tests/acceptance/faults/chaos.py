"""All faults at random: `python -m tests.acceptance.faults.chaos --seconds 600 --seed 1`, or `make chaos`."""

import argparse
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from backpropd.nn.kernels.compilation import enable_disk_cache
from backpropd.queue import QUEUE
from backpropd.store.sql.schema import Dataset, Job
from backpropd.store.status import TERMINAL, Status
from tests.acceptance.faults import invariants, job_kinds
from tests.acceptance.faults.cluster import PROGRAMS, Cluster, running_cluster
from tests.acceptance.faults.waiting import eventually
from tests.servers import Postgres
from worker.kernel_cache import PREBUILT

UNFINISHED = 6  # jobs that are queued or running at any time
WORKERS = ("worker-1", "worker-2")


class Observed(NamedTuple):
    """A job's state when it was last checked."""

    token: int
    status: str


class Chaos:
    """Injects random faults into a cluster while it posts jobs, and checks what may never happen."""

    def __init__(self, cluster: Cluster, random_: random.Random, server: Postgres | None) -> None:
        self.cluster, self.random, self.server = cluster, random_, server
        self.cluster.datasets  # noqa: B018  # created before the first fault
        self.posted: dict[str, str] = {}  # job id by Idempotency-Key
        self.cancelled: set[str] = set()  # jobs whose cancel was acknowledged
        self.observed: dict[str, Observed] = {}
        self.injected: Counter[str] = Counter()
        faults = [
            self.kill_child, self.kill_worker, self.kill_api, self.kill_reaper, self.freeze_worker, self.stop_worker,
            self.flush_redis, self.kill_redis, self.freeze_redis, self.fill_disk, self.run_two_reapers,
            self.send_malformed_message, self.pause_and_resume, self.pause_and_resume, self.cancel,
        ]  # fmt: skip
        self.faults: list[Callable[[], None]] = faults
        if server:
            self.faults += [self.cut_connections, self.restart_database]

    def run(self, seconds: float) -> None:
        """Inject faults for `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.post()
            fault = self.random.choice(self.faults)
            self.injected[fault.__name__.replace("_", " ")] += 1
            fault()
            self.cluster.start(*PROGRAMS)
            self.wait(0.1, 1.0)
            self.check_progress()

    def settle(self) -> list[str]:
        """Repair the cluster and wait until every job has ended; returns their ids."""
        self.cluster.repair()
        for key, job_id in list(self.posted.items()):
            if not job_id:
                self.repeat(key)
        job_ids = list(self.posted.values())
        for job_id in job_ids:
            eventually(lambda job_id=job_id: self.request(job_id, "resume") in (202, 409), self.cluster.logs)  # type: ignore[misc]
        self.cluster.wait_until_ended(job_ids)
        self.check_progress()
        return job_ids

    def wait(self, shortest: float, longest: float) -> None:
        time.sleep(self.random.uniform(shortest, longest))

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self) -> None:
        """Post jobs until `UNFINISHED` are unfinished; a post without a response is repeated with its key."""
        for key, job_id in list(self.posted.items()):
            if not job_id:
                self.repeat(key)
        for job_id in self.unfinished_jobs():
            if self.last_status(job_id) == Status.PAUSED:  # the API was unavailable for its resume
                self.request(job_id, "resume")
        for _ in range(UNFINISHED - len(self.unfinished_jobs())):
            kind, times = self.random.choice(sorted(job_kinds.KINDS)), self.random.choice([1, 2, 4])
            self.repeat(f"{len(self.posted)}/{kind}/{times}")

    def repeat(self, key: str) -> None:
        _, kind, times = key.split("/")
        body = job_kinds.request(kind, self.cluster.datasets, int(times))
        response = self.cluster.request("/v1/jobs", "POST", json=body, headers={"Idempotency-Key": key})
        assert response.status_code in (202, 503, 599), response.text
        self.posted[key] = response.json()["id"] if response.status_code == 202 else ""

    def request(self, job_id: str, action: str) -> int:
        code = self.cluster.request(f"/v1/jobs/{job_id}/{action}", "POST").status_code
        assert code in (202, 409, 503, 599), code
        return code

    def unfinished_job(self) -> str:
        """A job that has probably not ended."""
        return self.random.choice(self.unfinished_jobs() or [""])

    def unfinished_jobs(self) -> list[str]:
        return [job_id for job_id in self.posted.values() if job_id and self.last_status(job_id) not in TERMINAL]

    def last_status(self, job_id: str) -> str:
        return self.observed[job_id].status if job_id in self.observed else Status.QUEUED

    def check_progress(self) -> None:
        """Fencing tokens never decrease, and ended jobs do not change."""
        with self.cluster.database.read() as session:
            for job_id, token, status in session.execute(select(Job.id, Job.fencing_token, Job.status)):
                before = self.observed.get(job_id, Observed(0, Status.QUEUED))
                assert token >= before.token, job_id
                assert before.status not in TERMINAL or (token, status) == before, job_id
                self.observed[job_id] = Observed(token, status)

    # ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────

    def kill_child(self) -> None:
        for child in self.cluster.children(self.random.choice(WORKERS)):
            child.kill()

    def kill_worker(self) -> None:
        self.cluster.kill(self.random.choice(WORKERS))

    def kill_api(self) -> None:
        self.cluster.kill("api")

    def kill_reaper(self) -> None:
        self.cluster.kill("reaper")

    def stop_worker(self) -> None:
        status = self.cluster.stop(self.random.choice(WORKERS))
        assert status in (0, -signal.SIGTERM), status  # the latter before its signal handler is installed

    def freeze_worker(self) -> None:
        worker = self.random.choice(WORKERS)
        self.cluster.freeze(worker)
        self.wait(0.1, 1.5 * self.cluster.settings.lease_seconds)
        self.cluster.thaw(worker)

    def flush_redis(self) -> None:
        with self.cluster.redis.client() as client:
            client.flushall()

    def kill_redis(self) -> None:
        self.cluster.redis.kill()
        self.wait(0, 3)
        self.cluster.redis.start()

    def freeze_redis(self) -> None:
        self.cluster.redis.freeze()
        self.wait(0.1, 4)
        self.cluster.redis.thaw()

    def fill_disk(self) -> None:
        with self.cluster.full_disk():
            self.wait(0.1, 3)

    def run_two_reapers(self) -> None:
        self.cluster.start("reaper-2")
        self.wait(0.5, 3)
        self.cluster.kill("reaper-2")

    def send_malformed_message(self) -> None:
        with self.cluster.redis.client() as client:
            client.lpush(QUEUE, self.random.choice([b"", b"[]", b"{}", b"\xff", b'{"headers": {}, "properties": {}}']))

    def pause_and_resume(self) -> None:
        if job_id := self.unfinished_job():
            self.request(job_id, "pause")
            self.wait(0, 1)
            self.request(job_id, "resume")

    def cancel(self) -> None:
        job_id = self.unfinished_job()
        if job_id and self.request(job_id, "cancel") == 202:
            self.cancelled.add(job_id)

    def cut_connections(self) -> None:
        assert self.server
        for _ in range(5):
            self.server.cut_connections()
            self.wait(0, 0.2)

    def restart_database(self) -> None:
        assert self.server
        self.random.choice([self.server.stop, self.server.crash])()
        self.wait(0, 3)
        self.server.start()


def check(chaos: Chaos, job_ids: list[str]) -> Counter[str]:
    """Check what must hold at the end; returns the number of jobs by final status."""
    cluster = chaos.cluster
    with cluster.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == len(job_ids) == len(set(job_ids))
        failed = session.execute(select(Job.id, Job.error_code, Job.error_detail).where(Job.status == "failed")).all()
        referenced = set(session.scalars(select(Dataset.sha256)))
    assert not failed, failed
    statuses = dict(zip(job_ids, cluster.statuses(job_ids), strict=True))
    assert {id for id, status in statuses.items() if status == "cancelled"} >= chaos.cancelled
    invariants.assert_consistent(cluster.database, cluster.settings)
    succeeded = [id for id, status in statuses.items() if status == "succeeded"]
    invariants.assert_uninterrupted(cluster.database, cluster.settings, succeeded)
    blobs = {path.name for path in (cluster.settings.data_dir / "blobs").rglob("*") if path.is_file()}
    assert blobs == referenced
    processes = cluster.all_processes()
    assert [cluster.stop(name) for name in PROGRAMS] == [0] * len(PROGRAMS)
    assert not [process for process in processes if process.is_running()]
    return Counter(statuses.values())


def run(folder: Path, seconds: float, seed: int, kind: str) -> str:
    """Inject faults for `seconds` on a kind of database, then check; returns a summary."""
    with ExitStack() as stack:
        server = None
        if kind == "postgresql":
            server = stack.enter_context(Postgres(folder / "postgres", durable=True))
        chaos = Chaos(stack.enter_context(running_cluster(folder, postgres=server)), random.Random(seed), server)
        chaos.run(seconds)
        job_ids = chaos.settle()
        ends = check(chaos, job_ids)
        tokens = sum(job.token for job in chaos.observed.values())
        with chaos.cluster.database.read() as session:
            attempts = session.scalar(select(func.sum(Job.attempts)))
    faults = ", ".join(f"{name} {count}" for name, count in sorted(chaos.injected.items()))
    jobs = ", ".join(f"{count} {status}" for status, count in sorted(ends.items()))
    return (
        f"{kind}, seed {seed}, {seconds:.0f} s: {sum(chaos.injected.values())} faults ({faults}); "
        f"{len(job_ids)} jobs: {jobs}, in {attempts} attempts, fencing tokens {tokens} in total; all checks passed"
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--database", choices=["sqlite", "postgresql"], nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    enable_disk_cache(PREBUILT)  # the code that the workers run
    for kind in arguments.database:
        print(f"{kind}: seed {arguments.seed}", flush=True)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            share = arguments.seconds / len(arguments.database)
            print(run(Path(folder), share, arguments.seed, kind), flush=True)


if __name__ == "__main__":
    main()
