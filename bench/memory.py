"""The memory of training, measured in new processes from Linux's /proc: `python -m bench.memory`.

The table has 1,000,000 rows of 30 numbers, encoded as float32. The libraries and the compiled kernels are loaded before
the measurements and not counted.
"""

import gc
import os
import tempfile
import tracemalloc
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from numba.core.runtime import _nrt_python, rtsys
from pyarrow import csv as pa_csv

from backpropd import learn
from backpropd.client import Client
from bench import results
from bench.contenders import core
from bench.measurement import in_new_process, memory
from bench.runner import ONE_THREAD
from bench.workloads import Workload, named
from embedded.demo import stack
from service.schemas.jobs import JobRequest
from tests.processes import command

LARGE = Workload("large", 1_000_000, 30, (8,), 2, 8192)
ENCODED = 4 * LARGE.rows * LARGE.inputs  # bytes
EPOCHS = 40  # enough to include the permutations that are drawn for several epochs ahead
MAX_PEAK = 2.2  # times the encoded array
DIGITS = named("digits")
FEW, MANY = 10, 100
LIMITS = learn.Limits(10**6, 10**8, 10**10)
TARGETS = {"classification": "label", "regression": "value"}
FEATURES = [f"x{number}" for number in range(LARGE.inputs)]
HIDDEN = {"units": LARGE.hidden[0], "activation": "relu"}
ENGINES: tuple[Literal["numba", "numpy"], ...] = ("numba", "numpy")


def main() -> None:
    """Print the peaks relative to the encoded array, the cost estimates of jobs, and what steps allocate."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # for the new processes
    print(f"peak memory of training on {LARGE.rows:,} × {LARGE.inputs} float32; target: below {MAX_PEAK}")
    with tempfile.TemporaryDirectory() as folder:
        peaks = {"the core": in_new_process(_peak_of_core), "a job": _peak_of_job(Path(folder))}
        for name, peak in peaks.items():
            print(f"{name:10}{peak:6.2f} times the encoded array")
        for rows in (1000, LARGE.rows):
            pq.write_table(_table(rows), f"{folder}/{rows}.parquet", 50_000, compression="lz4", use_dictionary=False)
        for task, engine in product(TARGETS, ENGINES):
            peak, estimate = in_new_process(_peak_and_estimate, Path(folder), task, engine)
            print(f"{task}, {engine}: {peak:.2f} times the encoded array; the cost estimate is {estimate:.2f}")
    steps = {engine: in_new_process(_allocated, engine) for engine in ENGINES}
    for engine, more in steps.items():
        print(f"{engine}: {more['steps']} more steps leave {more['bytes']} bytes allocated, ", end="")
        print(f"{more['peak']} more at the peak, {more['arrays']} arrays in compiled code")
    results.write("memory", {"max_peak": MAX_PEAK, "workload": LARGE._asdict(), "peaks": peaks, "steps": steps})


def _table(rows: int) -> pa.Table:
    """Numbers, with a label and a value to learn."""
    x = np.random.default_rng(0).standard_normal((LARGE.inputs, rows)).round(3)
    targets = {"label": (x[0] > x[1]).astype(np.float64), "value": x[0] - x[1]}
    return pa.table(dict(zip(FEATURES, x, strict=True)) | targets)


def _peak_of_core() -> float:
    """Of training from the encoded array on, which is counted once."""
    core.train("numba", LARGE._replace(rows=2000))()(2)  # import and compile everything
    before = memory("VmRSS")
    core.train("numba", LARGE)()(EPOCHS)
    return (memory("VmHWM") - before) / ENCODED


def _peak_of_job(folder: Path) -> float:
    """Of the worker process that trains, from reading the dataset to the model."""
    pa_csv.write_csv(_table(LARGE.rows).drop_columns(["value"]), folder / "large.csv")
    with stack(folder, {"BACKPROPD_WORKERS": "1"}) as url, Client(url) as client:
        _run_job(client, client.datasets.sample("iris")["id"], "species", 32)  # import everything
        dataset = client.datasets.upload(folder / "large.csv")
        trainers = [each for each in psutil.Process().children(recursive=True) if "worker" in command(each)]
        before = {each.pid: memory("VmRSS", each.pid) for each in trainers}
        _run_job(client, dataset["id"], "label", LARGE.batch_size)
        return max(memory("VmHWM", pid) - each for pid, each in before.items()) / ENCODED


def _run_job(client: Client, dataset_id: str, target: str, batch_size: int) -> None:
    network, training = {"hidden": [HIDDEN]}, {"epochs": 3, "batch_size": batch_size, "seed": 0}
    job = client.jobs.create(dataset_id, target, task="classification", network=network, training=training)
    client.jobs.wait(job["id"])


def _peak_and_estimate(folder: Path, task: str, engine: str) -> tuple[float, float]:
    """The peak of a job beyond the memory that a small one has left in use, and its estimate, in encoded arrays."""
    _run_in_this_process(folder, 1000, task, engine)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    before = memory("VmRSS")
    cost = _run_in_this_process(folder, LARGE.rows, task, engine)
    return (memory("VmHWM") - before) / ENCODED, cost["memory_bytes"] / ENCODED


def _run_in_this_process(folder: Path, rows: int, task: str, engine: str) -> dict[str, Any]:
    """Run a job from its spec to its model; return its cost estimate."""
    number = {"missing": 0, "kind": "number", "min": -9.0, "max": 9.0, "mean": 0.0, "std": 1.0}
    label = {**number, "name": "label", "distinct": 2, "whole": True, "min": 0.0, "max": 1.0}
    numbers = [{**number, "name": name, "distinct": None, "whole": False} for name in (*FEATURES, "value")]
    training = {"epochs": 3, "batch_size": 256, "seed": 0, "engine": engine}
    fields = {"target": TARGETS[task], "features": FEATURES, "task": task, "training": training}
    request = JobRequest.model_validate({"dataset_id": "large", "network": {"hidden": [HIDDEN]}, **fields})
    columns = learn.columns_from_json([label, *numbers])
    plan = learn.resolve(request.to_learn(), learn.Context(learn.TableDescription(columns, rows), LIMITS))
    source = learn.Source(columns, folder / f"{rows}.parquet")
    run = learn.Run(plan.spec, source, None, np.zeros(1, np.int8))
    for _ in run.epoch_chunks():
        run.checkpoint()
    run.model()
    return plan.cost


def _allocated(engine: Literal["numba", "numpy"]) -> dict[str, int]:
    """What MANY epochs allocate and do not free beyond FEW: traced in Python, counted by Numba's runtime."""
    start = core.train(engine, DIGITS)
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
