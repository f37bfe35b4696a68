"""The peak memory of a job compared with the encoded array and with the job's cost estimate: `python -m bench.memory`.

The table has 1,000,000 rows of 30 numbers, encoded as float32. The libraries and the compiled kernels are loaded before
the measurement and not counted. It needs Linux, where a process can reset its peak.
"""

from __future__ import annotations

import gc
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backpropd import learn
from bench.measurement import in_new_process, memory

ROWS, COLUMNS, BLOCK = 1_000_000, 30, 50_000
LIMITS = learn.Limits(10**6, 10**8, 10**10)
HIDDEN = {"units": 16, "activation": "relu"}
TASKS = {"classification": "label", "regression": "value"}


def main() -> None:
    """Measure each task and engine in a new process, and print its peak."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "large.parquet", ROWS)
        write(Path(folder) / "small.parquet", 1000)
        for task, engine in product(TASKS, ("numba", "numpy")):
            peak, estimate = in_new_process(measure, Path(folder), task, engine)
            print(f"{task}, {engine}: {peak:.2f} times the encoded array; the cost estimate is {estimate:.2f}")


def write(path: Path, rows: int) -> None:
    """A Parquet file of numbers, with a label and a value to learn."""
    x = np.random.default_rng(0).normal(size=(COLUMNS, rows))
    columns = {f"x{number}": column for number, column in enumerate(x)}
    targets = {"label": (x[0] > x[1]).astype(np.float64), "value": x[0] - x[1]}
    pq.write_table(pa.table(columns | targets), path, BLOCK, compression="lz4", use_dictionary=False)


def column_descriptions() -> list[dict[str, Any]]:
    """The columns as the store describes them."""
    statistics = {"missing": 0, "kind": "number", "min": -9.0, "max": 9.0, "mean": 0.0, "std": 1.0}
    numbers = [*(f"x{number}" for number in range(COLUMNS)), "value"]
    label = {**statistics, "name": "label", "distinct": 2, "whole": True, "min": 0.0, "max": 1.0}
    return [label, *({**statistics, "name": name, "distinct": None, "whole": False} for name in numbers)]


def train(path: Path, task: str, engine: str, rows: int) -> dict[str, Any]:
    """Run a job from its spec to its model; return its cost estimate."""
    request = learn.JobRequest.from_json(
        target=TASKS[task],
        features=[f"x{number}" for number in range(COLUMNS)],
        task=task,
        network={"kind": "feedforward", "hidden": [HIDDEN], "output_activation": "auto", "initializer": "auto"},
        training={"epochs": 3, "batch_size": 256, "seed": 0, "engine": engine},
    )
    table = learn.TableDescription(learn.columns_from_json(column_descriptions()), rows)
    plan = learn.resolve(request, learn.Context(table, LIMITS))
    run = learn.Run(
        plan.spec, learn.Source(learn.columns_from_json(column_descriptions()), path), None, np.zeros(1, np.int8)
    )
    for _ in run.epoch_chunks():
        run.checkpoint()
    run.model()
    return plan.cost


def measure(folder: Path, task: str, engine: str) -> tuple[float, float]:
    """The peak of one job beyond the memory that a small one has left in use, and its estimate, in encoded arrays."""
    train(folder / "small.parquet", task, engine, 1000)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    before = memory("VmRSS")
    cost = train(folder / "large.parquet", task, engine, ROWS)
    encoded = ROWS * COLUMNS * 4
    return (memory("VmHWM") - before) / encoded, cost["memory_bytes"] / encoded


if __name__ == "__main__":
    main()
