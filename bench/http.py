"""Training over HTTP compared with the core alone, in the same run: `python -m bench.http`.

The core does what the job does: the same rows, network and optimizer, and metrics as often. The rest of the job's time
is the service: reading the dataset, the database, heartbeats, events, the model.
"""

import csv
import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from backpropd.client import Client
from bench import results
from bench.alternation import contenders
from bench.workloads import LEARNING_RATE, MOMENTUM, Workload, data, named
from embedded.demo import stack

ROUNDS = 3
SECONDS = 8  # that the core trains; a job trains as many epochs
MANY = 1_000_000  # epochs, so that the length of the run does not decide how often metrics are computed
MAX_LOSS = {"play": 0.20, "digits": 0.10}


def main() -> None:
    """Print steps per second of both, and store them."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as url, Client(url) as client:
        rows = [
            _compare(client, client.datasets.upload(_table(Path(folder)))["id"], "label", named("play")),
            _compare(client, client.datasets.sample("digits")["id"], "digit", named("digits")),
        ]
    print(f"steps per second, medians of {ROUNDS} jobs and as many runs of the core, in alternation")
    for row in rows:
        print(f"{row['name']:8}{row['engine']}, {row['epochs']} epochs: the core {row['core']:.0f}")
        for way, job in row["jobs"].items():
            print(f"    {way:10} job {job['whole']:8.0f}, {job['loss']:6.1%} lost (at most {row['max_loss']:.0%})")
            print(f"    {'':10} its epochs alone {job['epochs']:8.0f}, {job['loss_in_epochs']:6.1%} lost")
    results.write("http", {"rounds": ROUNDS, "rows": rows})


def _table(folder: Path) -> Path:
    """The workload `play` as a CSV file."""
    path = folder / "play.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x1", "x2", "label"])
        writer.writerows([*row, "yes" if label else "no"] for row, label in zip(*data(named("play")), strict=True))
    return path


def _compare(client: Client, dataset_id: str, target: str, workload: Workload) -> dict[str, Any]:
    plan = client.jobs.create(dataset_id, target, dry_run=True, **_spec(workload, MANY))
    training = plan["training"]
    engine = {"numba": "compiled", "numpy": "numpy"}[training["engine"]]
    core: list[float] = []
    jobs: dict[str, list[tuple[float, float]]] = {"unwatched": [], "watched": []}
    with contenders({engine: "core"}) as (contender,):
        inputs, metrics_every = len(plan["features"]), training.get("metrics_every", 1)
        contender.prepare(workload._replace(inputs=inputs, metrics_every=metrics_every))
        epochs = round(SECONDS / contender.round_of(round(1 / contender.round())))
        for _ in range(ROUNDS):
            core.append(contender.round_of(epochs))
            for way, times in jobs.items():
                times.append(_job(client, dataset_id, target, _spec(workload, epochs), way == "watched"))
    return {
        "name": workload.name,
        "engine": training["engine"],
        "epochs": epochs,
        "core": workload.steps_per_epoch / statistics.median(core),
        "max_loss": MAX_LOSS[workload.name],
        "jobs": {way: _rates(times, epochs, statistics.median(core), workload) for way, times in jobs.items()},
    }


def _rates(times: list[tuple[float, float]], epochs: int, core: float, workload: Workload) -> dict[str, float]:
    whole, in_epochs = (statistics.median(column) / epochs for column in zip(*times, strict=True))
    return {
        "whole": workload.steps_per_epoch / whole,
        "epochs": workload.steps_per_epoch / in_epochs,
        "loss": 1 - core / whole,
        "loss_in_epochs": 1 - core / in_epochs,
    }


def _spec(workload: Workload, epochs: int) -> dict[str, Any]:
    hidden = [{"units": units, "activation": "relu"} for units in workload.hidden]
    optimizer = {"name": "sgd", "learning_rate": LEARNING_RATE, "momentum": MOMENTUM}
    training = {"optimizer": optimizer, "epochs": epochs, "batch_size": workload.batch_size}
    return {"network": {"hidden": hidden}, "training": {**training, "validation_fraction": 0, "seed": 0}}


def _job(client: Client, dataset_id: str, target: str, spec: dict[str, Any], watched: bool) -> tuple[float, float]:
    """Seconds from `started_at` to `finished_at`, and the sum of the epochs' seconds."""
    job = client.jobs.create(dataset_id, target, **spec)
    done = client.jobs.wait(job["id"], on_epoch=(lambda _: None) if watched else None)
    started, finished = (datetime.fromisoformat(str(done[name])) for name in ("started_at", "finished_at"))
    return (finished - started).total_seconds(), sum(epoch["seconds"] for epoch in client.jobs.epochs(job["id"]))


if __name__ == "__main__":
    main()
