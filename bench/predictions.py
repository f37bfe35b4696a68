"""Predictions for a million rows over HTTP, beside bare decoding, forward pass and encoding: `bench.predictions`.

Bare are PyArrow's readers and writers, with threads as they come, and `Network.predict` on the decoded numbers, in one
process. The service reads the table in its sandbox, converts and encodes its values, and answers as a stream.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as pa_csv

from backpropd import nn
from backpropd.client import Client
from bench import results
from bench.measurement import memory, seconds
from embedded.demo import stack

ROWS, COLUMNS, HIDDEN = 1_000_000, 10, 64
CLASSES = ["bad", "fair", "good"]
ROUNDS = 3
MIN_SPEED = 0.6  # of the bare one
MAX_MEBIBYTES = 256
FORMATS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def main() -> None:
    """Print both times for each format, their ratio, and by how much the service's memory grew."""
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as url, Client(url) as client:
        model = _train(client, Path(folder))
        table = _table(ROWS).drop_columns(["label"])
        pa_csv.write_csv(table, Path(folder) / "rows.csv", pa_csv.WriteOptions(quoting_style="none"))
        pq.write_table(table, Path(folder) / "rows.parquet")
        rows = [_compare(client, model, Path(folder), format) for format in FORMATS]
    results.write(
        "predictions", {"rows": ROWS, "min_speed": MIN_SPEED, "max_mebibytes": MAX_MEBIBYTES, "formats": rows}
    )


def _compare(client: Client, model: str, folder: Path, format: str) -> dict[str, Any]:
    source, target = folder / f"rows.{format}", folder / f"predicted.{format}"
    service = [each for each in psutil.Process().children(recursive=True) if "service" in " ".join(each.cmdline())]
    before = {each.pid: memory("VmRSS", each.pid) for each in service}
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(ROUNDS):
        times["bare"].append(seconds(lambda: _bare(format, source, target)))
        times["ours"].append(seconds(lambda: _predict(client, model, source, target, FORMATS[format])))
    grown = max(memory("VmHWM", pid) - each for pid, each in before.items() if psutil.pid_exists(pid)) / 2**20
    bare, ours = (statistics.median(each) for each in times.values())
    print(f"{format}: {ROWS:,} rows of {COLUMNS} numbers and a category, medians of {ROUNDS}")
    print(f"  decode, forward, encode {bare:6.2f} s")
    print(f"  the service             {ours:6.2f} s   {bare / ours:.0%} of the speed; target: at least {MIN_SPEED:.0%}")
    print(f"  its memory grew by      {grown:6.0f} MiB; target: below {MAX_MEBIBYTES}")
    return {"format": format, "bare": bare, "ours": ours, "speed": bare / ours, "mebibytes": grown}


def _table(rows: int) -> pa.Table:
    rng = np.random.default_rng(0)
    numbers = {f"x{number}": rng.normal(size=rows).round(5) for number in range(COLUMNS)}
    label = np.array(CLASSES)[np.digitize(numbers["x0"], [-0.5, 0.5])]
    return pa.table({**numbers, "colour": rng.choice(["red", "green", "blue"], rows), "label": label})


def _train(client: Client, folder: Path) -> str:
    pa_csv.write_csv(_table(2000), folder / "training.csv")
    dataset = client.datasets.upload(folder / "training.csv")
    network, training = {"hidden": [{"units": HIDDEN, "activation": "relu"}]}, {"epochs": 3, "seed": 0}
    job = client.jobs.create(dataset["id"], "label", network=network, training=training)
    return str(client.jobs.wait(job["id"])["model_id"])


def _predict(client: Client, model: str, source: Path, target: Path, accept: str) -> None:
    with client.models.predict_file(model, source, accept=accept) as answer, target.open("wb") as file:
        file.writelines(answer.chunks)


def _bare(format: str, source: Path, target: Path) -> None:
    read: Callable[[Path], pa.Table] = {"csv": pa_csv.read_csv, "parquet": pq.read_table}[format]
    write: Callable[[pa.Table, Path], None] = {"csv": pa_csv.write_csv, "parquet": pq.write_table}[format]
    table = read(source)
    colour = table["colour"].combine_chunks().dictionary_encode().indices.to_numpy()
    x = np.empty((len(table), COLUMNS + 3), np.float32)
    for column in range(COLUMNS):
        x[:, column] = table[f"x{column}"].to_numpy()
    x[:, COLUMNS:] = np.eye(3, dtype=np.float32)[colour]
    h = _network().predict(_theta(), x)
    best = pa.DictionaryArray.from_arrays(h.argmax(axis=1).astype(np.int32), CLASSES)
    probabilities = {f"probability_{name}": h[:, index].astype(np.float64) for index, name in enumerate(CLASSES)}
    write(pa.table({"label": best.cast(pa.string()), **probabilities}), target)


def _network() -> nn.Network:
    layers = (nn.LayerSpec(HIDDEN, "relu", "he_normal"), nn.LayerSpec(len(CLASSES), "softmax", "glorot_uniform"))
    return nn.Network(nn.Spec(COLUMNS + 3, layers, "cross_entropy", "float32", {}))


def _theta() -> Any:
    return _network().initialize(np.random.default_rng(0))


if __name__ == "__main__":
    main()
