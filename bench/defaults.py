"""A job with nothing but a dataset and a target, compared with scikit-learn's defaults: `python -m bench.defaults`.

The tables are bundled samples, or those given as arguments, `FILE:TARGET` or `FILE:TARGET:TASK`. Of each table a random
fifth of the rows is held out, five times; every contender predicts the same rows. The score is the accuracy, or R².
`--preset best` compares the job with that preset.
"""

import argparse
import csv
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.measurement import seconds
from bench.runner import ONE_THREAD

os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # before NumPy's libraries load their threads

from backpropd import learn
from backpropd.nn.kernels.compilation import enable_disk_cache
from backpropd.nn.layout import Array
from backpropd.tabular import ingest, preview_rows, write_sample
from bench import results
from bench.contenders import default_models
from bench.contenders.default_models import Row
from service.schemas.jobs import JobRequest
from worker.kernel_cache import PREBUILT

SAMPLES = {
    "iris": "species",
    "wine": "cultivar",
    "breast_cancer": "diagnosis",
    "digits": "digit",
    "diabetes": "progression",
}
SPLITS = 5
LIMITS = learn.Limits(10**6, 10**8, 10**10)
MAX_BELOW = 0.04  # of the better peer, on any table
PEERS = {"linear": default_models.linear, "mlp": default_models.mlp}


class Table(NamedTuple):
    """A file, the name of its target, and the task, which may be `auto`."""

    name: str
    path: Path
    target: str
    task: str = "auto"


def main() -> None:
    """Print the scores of each table, and their differences from the better peer's."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("tables", nargs="*", metavar="FILE:TARGET[:TASK]")
    parser.add_argument("--preset", choices=("fast", "best"))
    parser.add_argument("--splits", type=int, default=SPLITS)
    arguments = parser.parse_args()
    enable_disk_cache(PREBUILT)
    training = {"preset": arguments.preset} if arguments.preset else {}
    print(f"{'':24}{'rows':>7}{'linear':>9}{'mlp':>9}{'job':>9}{'better by':>11}{'seconds':>9}")
    with tempfile.TemporaryDirectory() as folder:
        tables = _given(arguments.tables) if arguments.tables else _samples(Path(folder))
        rows = [_compare(table, Path(folder), training, arguments.splits) for table in tables]
    margins = [row["margin"] for row in rows]
    print(f"\non average {np.mean(margins):+.4f}, target: at least 0; lowest {min(margins):+.3f}, ", end="")
    print(f"target: at least {-MAX_BELOW}")
    results.write("defaults", {"splits": arguments.splits, "max_below": MAX_BELOW, "training": training, "rows": rows})


def _samples(folder: Path) -> Iterator[Table]:
    for name, target in SAMPLES.items():
        write_sample(name, folder / f"{name}.csv")
        yield Table(name, folder / f"{name}.csv", target)


def _given(arguments: Sequence[str]) -> Iterator[Table]:
    for argument in arguments:
        path, target, *task = argument.split(":")
        yield Table(Path(path).name, Path(path), target, *task)


def _compare(table: Table, folder: Path, training: dict[str, Any], splits: int) -> dict[str, Any]:
    """The mean scores of all contenders over the splits of a table, and the seconds of a job."""
    whole = ingest(table.path, folder / "whole.parquet")
    rows = [row for row in preview_rows(folder / "whole.parquet", whole.rows) if row[table.target] is not None]
    found = [_split(table, rows, folder, training, seed) for seed in range(splits)]
    scores = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
    margin = scores["job"] - max(scores[name] for name in PEERS)
    row = {"name": table.name, "rows": len(rows), **scores, "margin": margin}
    print(f"{table.name:24}{len(rows):7}" + "".join(f"{scores[name]:9.3f}" for name in (*PEERS, "job")), end="")
    print(f"{margin:+11.3f}{scores['seconds']:9.2f}", flush=True)
    return row


def _split(table: Table, rows: list[Row], folder: Path, training: dict[str, Any], seed: int) -> dict[str, float]:
    """The scores on a fifth of the rows of the contenders that were fitted on the others."""
    order = np.random.default_rng(seed).permutation(len(rows))
    held_out, others = ([rows[index] for index in part] for part in np.split(order, [len(rows) // 5]))
    spec, source = _resolve(table, _write(others, folder), training, seed)
    run = learn.Run(spec, source, None, np.zeros(1, np.int8))
    elapsed = seconds(lambda: list(run.epoch_chunks()))
    made = run.model()
    model = learn.Model.load(made["encoders"], made["weights"])
    answers = model.predict([{name: row[name] for name in spec.features} for row in held_out])
    truth, classes = [row[table.target] for row in held_out], spec.task == "classification"
    scores = {"job": _score(truth, [each["label" if classes else "value"] for each in answers], classes)}
    kinds = {name: source.columns[name].kind for name in spec.features}
    with warnings.catch_warnings(action="ignore"):  # scikit-learn's MLP stops before it has converged
        for name, fit in PEERS.items():
            predict = fit(others, kinds, table.target, spec.task, seed)
            scores[name] = _score(truth, predict(held_out), classes)
    return {**scores, "seconds": elapsed}


def _write(rows: list[Row], folder: Path) -> Path:
    path = folder / "training.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _resolve(table: Table, path: Path, training: dict[str, Any], seed: int) -> tuple[learn.ResolvedSpec, learn.Source]:
    """The job on the training rows as the service resolves it."""
    info = ingest(path, path.with_suffix(".parquet"))
    columns = {column.name: column for column in info.columns}
    request = JobRequest.model_validate(
        {"dataset_id": "", "target": table.target, "task": table.task, "training": {**training, "seed": seed}}
    )
    plan = learn.resolve(request.to_learn(), learn.Context(learn.TableDescription(columns, info.rows), LIMITS))
    return plan.spec, learn.Source(columns, path.with_suffix(".parquet"))


def _score(truth: list[Any], predicted: list[Any], classes: bool) -> float:
    """The accuracy, where labels are compared as text; else R²."""
    if classes:
        return float(np.mean([_label(one) == _label(other) for one, other in zip(truth, predicted, strict=True)]))
    y: Array = np.array(truth, float)
    return float(1 - ((y - np.array(predicted)) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def _label(value: Any) -> str:
    return json.dumps(value).strip('"').removesuffix(".0").lower()


if __name__ == "__main__":
    main()
