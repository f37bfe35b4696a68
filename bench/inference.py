"""How long the core takes to predict one row: `python -m bench.inference`."""

from __future__ import annotations

from bench import results
from bench.steps import ROUNDS
from bench.turns import OURS, contenders, medians
from bench.workloads import WORKLOADS

WANTED = 20


def main() -> None:
    """Print the microseconds for every workload's network, and keep them."""
    print(f"one row through Network.predictor, µs; wanted: at most {WANTED}")
    with contenders({"predict": ("core", OURS)}) as started:
        rows = {each.name: medians(started, each, ROUNDS)["predict"] * 1e6 for each in WORKLOADS}
    for name, microseconds in rows.items():
        print(f"{name:22}{microseconds:10.1f}")
    results.write("inference", {"wanted": WANTED, "microseconds": rows})


if __name__ == "__main__":
    main()
