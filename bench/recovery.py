"""How soon a job runs again whose process was killed: `python -m bench.recovery`."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import update

from backpropd.config import Settings
from backpropd.store.sql.schema import Job
from bench import results
from tests.acceptance.faults.cluster import SHORT, Cluster, cluster, eventually

TIMES = 7
AS_DEPLOYED = {name: Settings.model_fields[name].default for name in SHORT if name != "workers"}


def main() -> None:
    """Kill whoever trains, again and again, under the settings of a deployment, and print how long nobody did."""
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), **{**AS_DEPLOYED, "max_losses": 1000}) as here:
        found = {name: [_measured(here, kill) for _ in range(TIMES)] for name, kill in WAYS.items()}
    print(f"seconds from kill -9 until the job runs again, {TIMES} times each")
    for name, seconds in found.items():
        print(f"    {name:48}{statistics.median(seconds):8.2f} median{max(seconds):8.2f} longest")
    results.write("recovery", {"times": TIMES, "seconds": found})


def _measured(here: Cluster, kill: Callable[[Cluster, str], None]) -> float:
    (job_id,) = here.post("adam", times=10_000)
    here.running(job_id, 50)
    attempts = here.job(job_id).attempts
    began = time.monotonic()
    kill(here, job_id)
    eventually(lambda: here.job(job_id).attempts > attempts, here.logs)
    seconds = time.monotonic() - began
    here.cancel_all()
    here.mend()
    here.over([job_id])
    return seconds


def _kill_child(here: Cluster, job_id: str) -> None:
    for child in here.children(here.holder(job_id)):
        child.kill()


def _kill_worker(here: Cluster, job_id: str) -> None:
    here.kill(here.holder(job_id))


def _lose_machine(here: Cluster, job_id: str) -> None:
    """As if the worker had been on another machine: nobody here can see that it is gone."""
    name = here.holder(job_id)
    with here.database.write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(worker="elsewhere/1/1"))
    here.kill(name)


WAYS: dict[str, Callable[[Cluster, str], None]] = {
    "the process that trains": _kill_child,
    "the whole worker, another is there": _kill_worker,
    "a machine: its lease runs out": _lose_machine,
}


if __name__ == "__main__":
    main()
