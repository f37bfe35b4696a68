"""The time to predict one row: `python -m bench.inference`."""

from __future__ import annotations

from bench import results
from bench.alternation import contenders, medians
from bench.steps import ROUNDS
from bench.workloads import WORKLOADS

TARGET = 20  # µs
WAYS = ("row_predictor", "predict")


def main() -> None:
    """Print the microseconds for every workload's network, and store them."""
    print(f"one row, µs; target: at most {TARGET}")
    print(f"{'':22}" + "".join(f"{way:>15}" for way in WAYS))
    rows = {}
    with contenders(dict.fromkeys(WAYS, "core")) as started:
        for each in WORKLOADS:
            seconds = medians(started, each, ROUNDS)
            rows[each.name] = {way: seconds[way] * 1e6 for way in WAYS}
            print(f"{each.name:22}" + "".join(f"{microseconds:15.1f}" for microseconds in rows[each.name].values()))
    results.write("inference", {"target": TARGET, "microseconds": rows})


if __name__ == "__main__":
    main()
