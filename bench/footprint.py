"""The memory of training, measured in new processes from Linux's /proc: `python -m bench.footprint`."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
import pyarrow as pa
from numba.core.runtime import _nrt_python, rtsys
from pyarrow import csv as pa_csv

from backpropd.client import Client
from bench import results
from bench.contenders.core import train
from bench.measurement import in_new_process, memory
from bench.runner import ONE_THREAD
from bench.workloads import Workload, named
from embedded.demo import stack

LARGE = Workload("large", 1_000_000, 30, (8,), 2, 8192)
EPOCHS = 40  # enough to include the permutations that are drawn for several epochs ahead
MAX_PEAK = 2.2  # times the encoded array
DIGITS = named("digits")
FEW, MANY = 10, 100


def main() -> None:
    """Print the peak memory beyond the libraries', relative to the encoded array, and what steps allocate."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # for the new processes
    peaks = {"the core": in_new_process(_peak_of_core), "a job": _peak_of_job()}
    steps = {engine: in_new_process(_allocated, engine) for engine in ("numba", "numpy")}
    print(f"peak memory of training on {LARGE.rows:,} × {LARGE.inputs} float32; target: below {MAX_PEAK}")
    for name, peak in peaks.items():
        print(f"{name:10}{peak:6.2f} times the encoded array")
    for engine, more in steps.items():
        print(f"{engine}: {more['steps']} more steps leave {more['bytes']} bytes allocated, ", end="")
        print(f"{more['peak']} more at the peak, {more['arrays']} arrays in compiled code")
    results.write("footprint", {"max_peak": MAX_PEAK, "workload": LARGE._asdict(), "peaks": peaks, "steps": steps})


def _peak_of_core() -> float:
    """Of training from the encoded array on, which is counted once."""
    train("numba", LARGE._replace(rows=2000))()(2)  # import and compile everything
    before = memory("VmRSS")
    train("numba", LARGE)()(EPOCHS)
    return (memory("VmHWM") - before) / (4 * LARGE.rows * LARGE.inputs)


def _peak_of_job() -> float:
    """Of the worker process that trains, from reading the dataset to the model."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "large.csv"
        _write(table)
        with stack(Path(folder), {"BACKPROPD_WORKERS": "1"}) as url, Client(url) as client:
            _run_job(client, client.datasets.sample("iris")["id"], "species", 32)  # import everything
            dataset = client.datasets.upload(table)
            trainers = [each for each in psutil.Process().children(recursive=True) if "worker" in each.cmdline()]
            before = {each.pid: memory("VmRSS", each.pid) for each in trainers}
            _run_job(client, dataset["id"], "label", LARGE.batch_size)
            grown = max(memory("VmHWM", pid) - each for pid, each in before.items())
    return grown / (4 * LARGE.rows * LARGE.inputs)


def _run_job(client: Client, dataset_id: str, target: str, batch_size: int) -> None:
    network = {"hidden": [{"units": units, "activation": "relu"} for units in LARGE.hidden]}
    training = {"epochs": 3, "batch_size": batch_size, "seed": 0}
    client.jobs.wait(client.jobs.create(dataset_id, target, network=network, training=training)["id"])


def _write(path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((LARGE.inputs, LARGE.rows)).round(3)
    columns = {f"x{index}": column for index, column in enumerate(x)}
    pa_csv.write_csv(pa.table({**columns, "label": np.where(x[0] > 0, "yes", "no")}), path)


def _allocated(engine: Literal["numba", "numpy"]) -> dict[str, int]:
    """What MANY epochs allocate and do not free beyond FEW: traced in Python, counted by Numba's runtime."""
    start = train(engine, DIGITS)
    start()(FEW)
    _nrt_python.memsys_enable_stats()
    tracemalloc.start()
    few, many = (_traced(start(), epochs) for epochs in (FEW, MANY))
    return {"steps": (MANY - FEW) * DIGITS.steps_per_epoch} | {name: many[name] - few[name] for name in few}


def _traced(run: Callable[[int], object], epochs: int) -> dict[str, int]:
    before, arrays = tracemalloc.get_traced_memory()[0], rtsys.get_allocation_stats().alloc
    tracemalloc.reset_peak()
    run(epochs)
    left, peak = tracemalloc.get_traced_memory()
    return {"bytes": left - before, "peak": peak - before, "arrays": rtsys.get_allocation_stats().alloc - arrays}


if __name__ == "__main__":
    main()
