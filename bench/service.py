"""The latency of a small job on the embedded stack: `python -m bench.service`."""

import tempfile
import time
from pathlib import Path

from backpropd.client import Client
from bench import results
from bench.measurement import milliseconds_queued, p50_p95
from embedded.demo import stack

JOBS = 40
WARM_UP = 5


def main() -> None:
    """Train iris over HTTP repeatedly, and print how long each stage takes."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as url, Client(url) as client:
        dataset_id = client.datasets.sample("iris")["id"]
        rows = [_one(client, dataset_id) for _ in range(WARM_UP + JOBS)][WARM_UP:]
    print(f"iris, hidden 8, 50 epochs, {JOBS} jobs one after the other (milliseconds)")
    print(f"{'':32}{'p50':>8}{'p95':>8}   target")
    latencies = []
    for name, target in (("POST -> succeeded", 150), ("POST /v1/jobs", 15), ("202 -> running", 50)):
        p50, p95 = p50_p95([row[name] for row in rows])
        print(f"{name:32}{p50:8.1f}{p95:8.1f}   p50 <= {target}")
        latencies.append({"name": name, "p50": p50, "p95": p95, "target": target})
    results.write("service", {"jobs": JOBS, "rows": latencies})


def _one(client: Client, dataset_id: str) -> dict[str, float]:
    network = {"hidden": [{"units": 8, "activation": "tanh"}]}
    began = time.perf_counter()
    job = client.jobs.create(dataset_id, "species", network=network, training={"epochs": 50, "seed": 1})
    posted = time.perf_counter()
    done = client.jobs.wait(job["id"])
    ended = time.perf_counter()
    return {
        "POST -> succeeded": (ended - began) * 1000,
        "POST /v1/jobs": (posted - began) * 1000,
        "202 -> running": milliseconds_queued(done),
    }


if __name__ == "__main__":
    main()
