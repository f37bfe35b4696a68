"""Served predictions of a digits network beside MLflow's server and one written by hand: `python -m bench.serving`.

One worker process each, one client with 8 connections (`bench.wrk`). The contenders run one after the other; the
service is measured before and after them, and their rates are compared with the median of both.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from backpropd.client import Client
from bench import digits, model_servers, results, wrk
from bench.digits import Digits
from bench.wrk import Load
from embedded.demo import stack

SECONDS = int(os.environ.get("SECONDS", "10"))  # of each measurement
WARM_UP = 2  # seconds before the measurements of a server
ROUNDS = 3
COUNTS = (1, 100)  # rows of a request
MAX_DIFFERENCE = 1e-4  # between the probabilities of the service and of the server written by hand
# Of the service's requests a second to those of another server, by the rows of a request.
MIN_RATIOS: dict[str, dict[int, float]] = {"MLflow": {1: 5, 100: 10}, "by hand": {1: 0.5, 100: 5}}

Body = Callable[[Sequence[Sequence[float]]], dict[str, Any]]
BODIES: dict[str, Body] = {
    "rows": lambda rows: {"rows": rows},
    "frame": lambda rows: {
        "dataframe_split": {"columns": [f"x{n}" for n in range(len(rows[0]))], "data": rows},
    },
    "inputs": lambda rows: {"inputs": rows},
}
SERVERS: dict[str, tuple[str, Callable[[Digits, Path], AbstractContextManager[str]]]] = {
    "MLflow": ("frame", lambda network, folder: model_servers.mlflow(network, folder, "frame")),
    "MLflow, a matrix": ("inputs", lambda network, folder: model_servers.mlflow(network, folder, "matrix")),
    "by hand": ("rows", lambda network, folder: model_servers.hand_written(network, folder, "predictions")),
    "by hand, orjson": ("rows", lambda network, folder: model_servers.hand_written(network, folder, "unvalidated")),
}


def main() -> None:
    """Measure all servers, print, and store."""
    wrk.find()
    if not model_servers.BIN.exists():
        sys.exit(
            "the model servers are not installed: `make .venv-serving/.ready` installs them from locks/serving.txt"
        )
    with tempfile.TemporaryDirectory() as temporary, stack(Path(temporary)) as url, Client(url) as client:
        folder = Path(temporary)
        network = digits.train(client)
        bodies = _write_bodies(network, folder)
        ours = f"{url}/v1/models/{network.model}/predictions"
        before = _measure(ours, bodies["rows"])
        loads = {}
        for name, (form, serve) in SERVERS.items():
            with serve(network, folder) as theirs:
                if form == "rows":
                    difference = _difference(ours, theirs, network)
                loads[name] = _measure(theirs, bodies[form])
        after = _measure(ours, bodies["rows"])
    rows = [compare(count, before, after, loads) for count in COUNTS]
    _print(rows, difference)
    common = {"seconds": SECONDS, "rounds": ROUNDS, "connections": wrk.CONNECTIONS, "difference": difference}
    results.write("serving", {**common, "versions": model_servers.versions(), "rows": rows})


def _write_bodies(network: Digits, folder: Path) -> dict[str, dict[int, Path]]:
    """Files of requests, one a line, by form and number of rows: the rows of the data set in turn."""
    files: dict[str, dict[int, Path]] = {form: {} for form in BODIES}
    for form, body in BODIES.items():
        for count in COUNTS:
            starts = range(0, len(network.rows), count)
            files[form][count] = folder / f"{form}-{count}.jsonl"
            lines = (json.dumps(body(network.rows[start : start + count])) + "\n" for start in starts)
            files[form][count].write_text("".join(lines))
    return files


def _measure(url: str, bodies: dict[int, Path]) -> dict[int, list[Load]]:
    """Loads by the number of rows, after one request that must succeed and a warm-up."""
    loads = {}
    for count, file in bodies.items():
        model_servers.post(url, file.read_text().partition("\n")[0])
        wrk.measure(url, file, WARM_UP)
        loads[count] = [wrk.measure(url, file, SECONDS) for _ in range(ROUNDS)]
    return loads


def _difference(ours: str, theirs: str, network: Digits) -> float:
    """The largest difference of a probability of 100 rows. Ends the program if it is too large."""
    body = json.dumps(BODIES["rows"](network.rows[:100]))
    found = [
        np.array([list(each["probabilities"].values()) for each in model_servers.post(url, body)["predictions"]])
        for url in (ours, theirs)
    ]
    difference = float(abs(found[0] - found[1]).max())
    if difference > MAX_DIFFERENCE:
        sys.exit(f"the probabilities of the two servers differ by {difference}: at most {MAX_DIFFERENCE} is rounding")
    return difference


def compare(
    count: int, before: dict[int, list[Load]], after: dict[int, list[Load]], theirs: dict[str, dict[int, list[Load]]]
) -> dict[str, Any]:
    """Medians of all servers for requests of `count` rows, and the service's ratio to each beside its target."""
    ours = _medians(before[count] + after[count])
    first, last = (_medians(each[count]).per_second for each in (before, after))
    servers: list[dict[str, Any]] = []
    for name, loads in theirs.items():
        load = _medians(loads[count])
        ratio, target = ours.per_second / load.per_second, MIN_RATIOS.get(name, {}).get(count)
        servers.append({"name": name, **load._asdict(), "ratio": ratio, "min_ratio": target})
    return {
        "count": count,
        "ours": {**ours._asdict(), "max_p99": _medians(theirs["MLflow"][count]).p50},
        "drift": last / first - 1,
        "servers": servers,
    }


def _medians(loads: Sequence[Load]) -> Load:
    return Load(*(statistics.median(column) for column in zip(*loads, strict=True)))


def _print(rows: Sequence[dict[str, Any]], difference: float) -> None:
    print(
        f"{wrk.CONNECTIONS} connections; medians of {ROUNDS} measurements of {SECONDS} s, twice as many of the service"
    )
    print(f"{'':24}{'requests/s':>12}{'p50, ms':>10}{'p99, ms':>10}{'the service is':>16}   target")
    for row in rows:
        ours, plural = row["ours"], "s" if row["count"] > 1 else ""
        print(f"{row['count']} row{plural} a request; the service's rate changed by {row['drift']:+.1%}")
        p99 = f"p99 < {ours['max_p99']:.1f} ms, MLflow's p50"
        print(f"    {'the service':20}{_columns(ours)}{'':16}   {p99}")
        for each in row["servers"]:
            target = "" if each["min_ratio"] is None else f"   >= {each['min_ratio']}×"
            print(f"    {each['name']:20}{_columns(each)}{each['ratio']:15.2f}×{target}")
    print(f"the service and the server written by hand: probabilities differ by at most {difference:.1e}")


def _columns(load: dict[str, float]) -> str:
    return f"{load['per_second']:12.0f}{load['p50']:10.2f}{load['p99']:10.2f}"


if __name__ == "__main__":
    main()
