"""Times of a training step, compared with scikit-learn, PyTorch and JAX, and of a prediction: `python -m bench.steps`.

The same data, network and batches, shuffled each epoch; SGD with momentum, float32, relu, one thread. Rounds alternate
between the contenders, so that other load on the machine affects all of them.
"""

import math
import os
from collections.abc import Sequence
from typing import Any

from bench import results
from bench.alternation import Contender, contenders, medians
from bench.contenders.matmul import SIDE
from bench.workloads import CONTENDERS, PEERS, WORKLOADS, Workload

ROUNDS = int(os.environ.get("ROUNDS", "9"))
TARGET_SHARE = 0.92  # of the machine's peak
MAX_MICROSECONDS = 20  # to predict one row
WAYS = ("row_predictor", "predict")


def main() -> None:
    """Print both tables, and store them."""
    _compare_steps()
    print(f"\none row, µs; target: at most {MAX_MICROSECONDS}\n{'':22}" + "".join(f"{way:>15}" for way in WAYS))
    rows = {}
    with contenders(dict.fromkeys(WAYS, "core")) as started:
        for each in WORKLOADS:
            rows[each.name] = {way: time * 1e6 for way, time in medians(started, each, ROUNDS).items()}
            print(f"{each.name:22}" + "".join(f"{microseconds:15.1f}" for microseconds in rows[each.name].values()))
    results.write("inference", {"target": MAX_MICROSECONDS, "microseconds": rows})


def _compare_steps() -> None:
    print(f"µs a step: SGD with momentum, float32, relu, one thread; medians of {ROUNDS} alternating rounds\n")
    print(f"{'':22}" + "".join(f"{each.title:>22}" for each in CONTENDERS.values()) + "   speed-up (target)")
    with contenders({name: each.module for name, each in CONTENDERS.items()} | {"peak": "matmul"}) as started:
        missing = {each.name: each.missing for each in started if each.missing}
        present = [each for each in started if not each.missing]
        rows = [_measure(present, workload) for workload in WORKLOADS]
        versions = sorted({each.version for each in present})
    wide = rows[-1]
    print(f"\npeak of a float32 matrix product {wide['peak']:.1f} GFLOP/s; on {wide['name']} the core reaches ", end="")
    print(f"{wide['share']:.1%} of it, target {TARGET_SHARE:.0%}")
    for name, why in missing.items():
        print(f"missing: {name}: {why}")
    shared = {"rounds": ROUNDS, "versions": versions, "missing": missing, "target_share": TARGET_SHARE}
    results.write("steps", {**shared, "rows": rows})


def _measure(present: Sequence[Contender], workload: Workload) -> dict[str, Any]:
    last = workload == list(WORKLOADS)[-1]
    running = [each for each in present if each.name != "peak" or last]
    row = _row(medians(running, workload, ROUNDS), workload)
    times = (row["microseconds"].get(name, math.nan) for name in CONTENDERS)
    print(f"{workload.name:22}" + "".join(f"{each:22.1f}" for each in times), end="   ")
    print(", ".join(f"{ratio:.2f} ({row['targets'].get(name, '-')})" for name, ratio in row["ratios"].items()))
    return row


def _row(seconds: dict[str, float], workload: Workload) -> dict[str, Any]:
    """Microseconds per step, the speed-up over each contender, and the share of the machine's peak."""
    peak = 2e-9 * SIDE**3 / seconds.pop("peak") if "peak" in seconds else None
    microseconds = {name: each / workload.steps_per_epoch * 1e6 for name, each in seconds.items()}
    gigaflops = 2e-3 * workload.multiply_adds / microseconds["compiled"]
    return {
        "name": workload.name,
        "workload": workload._asdict(),
        "microseconds": microseconds,
        "ratios": {name: each / microseconds["compiled"] for name, each in microseconds.items()},
        "targets": dict(zip(PEERS, WORKLOADS[workload], strict=True)),
        "gigaflops": gigaflops,
        "peak": peak,
        "share": gigaflops / peak if peak else None,
    }


if __name__ == "__main__":
    main()
