"""Everything at once, at random: `python -m tests.acceptance.faults.chaos --seconds 600 --seed 1`, or `make chaos`."""

from __future__ import annotations

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
from tests.acceptance.faults import kinds, truth
from tests.acceptance.faults.cluster import PARTS, Cluster, cluster, eventually
from tests.servers import Postgres
from worker.kernel_cache import PREBUILT

UNFINISHED = 6  # jobs that are kept waiting or running while it goes on
WORKERS = ("worker-1", "worker-2")


class Seen(NamedTuple):
    """A job as it was looked at before."""

    token: int
    status: str


class Chaos:
    """Hurts a cluster at random while it posts jobs to it, and watches what may never happen."""

    def __init__(self, here: Cluster, chance: random.Random, server: Postgres | None) -> None:
        self.here, self.chance, self.server = here, chance, server
        self.here.datasets  # noqa: B018  # they are made before anything breaks
        self.posted: dict[str, str] = {}  # job by Idempotency-Key
        self.cancelled: set[str] = set()  # whose cancel was acknowledged
        self.seen: dict[str, Seen] = {}
        self.done: Counter[str] = Counter()
        faults = [
            self.kill_child, self.kill_worker, self.kill_api, self.kill_reaper, self.freeze_worker, self.stop_worker,
            self.lose_redis, self.kill_redis, self.freeze_redis, self.fill_disk, self.sweep_twice, self.wake_wrongly,
            self.pause_and_resume, self.pause_and_resume, self.cancel,
        ]  # fmt: skip
        self.faults: list[Callable[[], None]] = faults
        if server:
            self.faults += [self.cut_connections, self.restart_database]

    def run(self, seconds: float) -> None:
        """Go on for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.post()
            fault = self.chance.choice(self.faults)
            self.done[fault.__name__.replace("_", " ")] += 1
            fault()
            self.here.start(*PARTS)
            self.wait(0.1, 1.0)
            self.look()

    def settle(self) -> list[str]:
        """Mend everything, let every job end, and give their ids."""
        self.here.mend()
        for key, job_id in list(self.posted.items()):
            if not job_id:
                self.repeat(key)
        job_ids = list(self.posted.values())
        for job_id in job_ids:
            eventually(lambda job_id=job_id: self.ask(job_id, "resume") in (202, 409), self.here.logs)  # type: ignore[misc]
        self.here.over(job_ids)
        self.look()
        return job_ids

    def wait(self, least: float, most: float) -> None:
        time.sleep(self.chance.uniform(least, most))

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self) -> None:
        """Keep the queue filled; a post that got no answer is repeated with its key until it does."""
        for key, job_id in list(self.posted.items()):
            if not job_id:
                self.repeat(key)
        for job_id in self.unfinished():
            if self.seen_status(job_id) == Status.PAUSED:  # the API was away when it should have been resumed
                self.ask(job_id, "resume")
        for _ in range(UNFINISHED - len(self.unfinished())):
            kind, times = self.chance.choice(sorted(kinds.KINDS)), self.chance.choice([1, 2, 4])
            self.repeat(f"{len(self.posted)}/{kind}/{times}")

    def repeat(self, key: str) -> None:
        _, kind, times = key.split("/")
        body = kinds.request(kind, self.here.datasets, int(times))
        answer = self.here.answer("/v1/jobs", "POST", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code in (202, 503, 599), answer.text
        self.posted[key] = answer.json()["id"] if answer.status_code == 202 else ""

    def ask(self, job_id: str, verb: str) -> int:
        code = self.here.answer(f"/v1/jobs/{job_id}/{verb}", "POST").status_code
        assert code in (202, 409, 503, 599), code
        return code

    def some_job(self) -> str:
        """A job that is probably not over yet."""
        return self.chance.choice(self.unfinished() or [""])

    def unfinished(self) -> list[str]:
        return [job_id for job_id in self.posted.values() if job_id and self.seen_status(job_id) not in TERMINAL]

    def seen_status(self, job_id: str) -> str:
        return self.seen[job_id].status if job_id in self.seen else Status.QUEUED

    def look(self) -> None:
        """A token never falls, and what is over stays as it is."""
        with self.here.database.read() as session:
            for job_id, token, status in session.execute(select(Job.id, Job.fencing_token, Job.status)):
                before = self.seen.get(job_id, Seen(0, Status.QUEUED))
                assert token >= before.token, job_id
                assert before.status not in TERMINAL or (token, status) == before, job_id
                self.seen[job_id] = Seen(token, status)

    # ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────

    def kill_child(self) -> None:
        for child in self.here.children(self.chance.choice(WORKERS)):
            child.kill()

    def kill_worker(self) -> None:
        self.here.kill(self.chance.choice(WORKERS))

    def kill_api(self) -> None:
        self.here.kill("api")

    def kill_reaper(self) -> None:
        self.here.kill("reaper")

    def stop_worker(self) -> None:
        status = self.here.stop(self.chance.choice(WORKERS))
        assert status in (0, -signal.SIGTERM), status  # the latter before it has begun to listen

    def freeze_worker(self) -> None:
        worker = self.chance.choice(WORKERS)
        self.here.freeze(worker)
        self.wait(0.1, 1.5 * self.here.settings.lease_seconds)
        self.here.thaw(worker)

    def lose_redis(self) -> None:
        with self.here.redis.client() as client:
            client.flushall()

    def kill_redis(self) -> None:
        self.here.redis.kill()
        self.wait(0, 3)
        self.here.redis.start()

    def freeze_redis(self) -> None:
        self.here.redis.freeze()
        self.wait(0.1, 4)
        self.here.redis.thaw()

    def fill_disk(self) -> None:
        with self.here.no_room():
            self.wait(0.1, 3)

    def sweep_twice(self) -> None:
        self.here.start("reaper-2")
        self.wait(0.5, 3)
        self.here.kill("reaper-2")

    def wake_wrongly(self) -> None:
        with self.here.redis.client() as client:
            client.lpush(QUEUE, self.chance.choice([b"", b"[]", b"{}", b"\xff", b'{"headers": {}, "properties": {}}']))

    def pause_and_resume(self) -> None:
        if job_id := self.some_job():
            self.ask(job_id, "pause")
            self.wait(0, 1)
            self.ask(job_id, "resume")

    def cancel(self) -> None:
        job_id = self.some_job()
        if job_id and self.ask(job_id, "cancel") == 202:
            self.cancelled.add(job_id)

    def cut_connections(self) -> None:
        assert self.server
        for _ in range(5):
            self.server.cut_connections()
            self.wait(0, 0.2)

    def restart_database(self) -> None:
        assert self.server
        self.chance.choice([self.server.stop, self.server.crash])()
        self.wait(0, 3)
        self.server.start()


def check(chaos: Chaos, job_ids: list[str]) -> Counter[str]:
    """What must hold when it is over; how the jobs ended."""
    here = chaos.here
    ends = Counter(here.statuses(job_ids))
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == len(job_ids) == len(set(job_ids))
        failed = session.execute(select(Job.id, Job.error_code, Job.error_detail).where(Job.status == "failed")).all()
        named = set(session.scalars(select(Dataset.sha256)))
    assert not failed, failed
    assert {
        id for id, end in zip(job_ids, here.statuses(job_ids), strict=True) if end == "cancelled"
    } >= chaos.cancelled
    truth.assert_sound(here.database, here.settings)
    succeeded = [id for id, end in zip(job_ids, here.statuses(job_ids), strict=True) if end == "succeeded"]
    truth.assert_undisturbed(here.database, here.settings, succeeded)
    blobs = {path.name for path in (here.settings.data_dir / "blobs").rglob("*") if path.is_file()}
    assert blobs == named
    everybody = here.everybody()
    assert [here.stop(name) for name in PARTS] == [0] * len(PARTS)
    assert not [process for process in everybody if process.is_running()]
    return ends


def run(folder: Path, seconds: float, seed: int, kind: str) -> str:
    """Chaos for so long on this kind of database, then the checks; what there was, in words."""
    with ExitStack() as open_:
        server = None
        if kind == "postgresql":
            server = Postgres(folder / "postgres", durable=True)
            open_.callback(server.close)
            server.start()
        chaos = Chaos(open_.enter_context(cluster(folder, postgres=server)), random.Random(seed), server)
        chaos.run(seconds)
        job_ids = chaos.settle()
        ends = check(chaos, job_ids)
        tokens = sum(seen.token for seen in chaos.seen.values())
        with chaos.here.database.read() as session:
            attempts = session.scalar(select(func.sum(Job.attempts)))
    faults = ", ".join(f"{name} {count}" for name, count in sorted(chaos.done.items()))
    jobs = ", ".join(f"{count} {status}" for status, count in sorted(ends.items()))
    return (
        f"{kind}, seed {seed}, {seconds:.0f} s: {sum(chaos.done.values())} faults ({faults}); "
        f"{len(job_ids)} jobs: {jobs}, in {attempts} attempts, tokens {tokens} in all; everything held"
    )


def main() -> None:
    """Chaos, as the command line asks for it."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--database", choices=["sqlite", "postgresql"], nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    enable_disk_cache(PREBUILT)  # the very code that the workers run
    for kind in arguments.database:
        print(f"{kind}: seed {arguments.seed}", flush=True)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            share = arguments.seconds / len(arguments.database)
            print(run(Path(folder), share, arguments.seed, kind), flush=True)


if __name__ == "__main__":
    main()
