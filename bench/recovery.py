"""The time until a job runs again after its process was killed: `python -m bench.recovery`."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import update

from backpropd.config import Settings
from backpropd.store.sql.schema import Job
from bench import results
from tests.acceptance.faults.cluster import SHORT_LEASES, Cluster, running_cluster
from tests.acceptance.faults.waiting import eventually

TIMES = 7
AS_DEPLOYED = {name: Settings.model_fields[name].default for name in SHORT_LEASES if name != "workers"}


def main() -> None:
    """Kill the training process repeatedly, with a deployment's settings, and print the times to recover."""
    settings = {**AS_DEPLOYED, "max_crashes": 1000}
    with tempfile.TemporaryDirectory() as folder, running_cluster(Path(folder), **settings) as cluster:
        seconds = {name: [_seconds_until_running(cluster, kill) for _ in range(TIMES)] for name, kill in WAYS.items()}
    print(f"seconds from kill -9 until the job runs again, {TIMES} times each")
    for name, times in seconds.items():
        print(f"    {name:48}{statistics.median(times):8.2f} median{max(times):8.2f} longest")
    results.write("recovery", {"times": TIMES, "seconds": seconds})


def _seconds_until_running(cluster: Cluster, kill: Callable[[Cluster, str], None]) -> float:
    (job_id,) = cluster.post("adam", times=10_000)
    cluster.wait_until_running(job_id, 50)
    attempts = cluster.job(job_id).attempts
    began = time.monotonic()
    kill(cluster, job_id)
    eventually(lambda: cluster.job(job_id).attempts > attempts, cluster.logs)
    seconds = time.monotonic() - began
    cluster.cancel_all()
    cluster.repair()
    cluster.wait_until_ended([job_id])
    return seconds


def _kill_child(cluster: Cluster, job_id: str) -> None:
    for child in cluster.children(cluster.worker_of(job_id)):
        child.kill()


def _kill_worker(cluster: Cluster, job_id: str) -> None:
    cluster.kill(cluster.worker_of(job_id))


def _lose_machine(cluster: Cluster, job_id: str) -> None:
    """Kill a worker that seems to be on another machine, where no reaper can check its process."""
    name = cluster.worker_of(job_id)
    with cluster.database.write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(worker="elsewhere/1/1"))
    cluster.kill(name)


WAYS: dict[str, Callable[[Cluster, str], None]] = {
    "the training process": _kill_child,
    "the worker, while another one is running": _kill_worker,
    "a machine, until its lease expires": _lose_machine,
}


if __name__ == "__main__":
    main()
