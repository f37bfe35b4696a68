"""A training step of our core beside scikit-learn's, PyTorch's and JAX's: `python -m bench.steps`.

The same data, network and batches, shuffled each epoch; SGD with momentum, float32, relu, one thread. Rounds take
turns, so that whatever else the machine does meets all alike.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from bench import results
from bench.contenders.matmul import SIDE
from bench.turns import OURS, THEIRS, Contender, contenders, medians
from bench.workloads import PEERS, WORKLOADS, Workload

ROUNDS = int(os.environ.get("ROUNDS", "9"))
WANTED_SHARE = 0.92
JUDGED = {"scikit-learn": "scikit-learn", "pytorch": "pytorch", "jax": "jax, a step a call"}
"""The contender that each peer is judged by: of JAX's two the plain loop, which calls a jitted step a batch."""
HARDER = "jax, an epoch a call"
CONTENDERS = {
    "compiled": ("core", OURS),
    "numpy": ("core", OURS),
    "scikit-learn": ("scikit_learn", THEIRS),
    "pytorch": ("pytorch", THEIRS),
    "jax, a step a call": ("jax_jit", THEIRS),
    "jax, an epoch a call": ("jax_jit", THEIRS),
    "peak": ("matmul", OURS),
}
COLUMNS = {
    "compiled": "core", "numpy": "NumPy core", "scikit-learn": "scikit-learn", "pytorch": "PyTorch",
    "jax, a step a call": "JAX, steps", "jax, an epoch a call": "JAX, epochs",
}  # fmt: skip


def main() -> None:
    """Print the table, and keep it."""
    print(f"µs a step: SGD with momentum, float32, relu, one thread; medians of {ROUNDS} rounds that take turns\n")
    print(f"{'':22}" + "".join(f"{title:>14}" for title in COLUMNS.values()) + "   times as fast (wanted)")
    with contenders(CONTENDERS) as started:
        missing = {each.name: each.missing for each in started if each.missing}
        present = [each for each in started if not each.missing]
        rows = [_measured(present, workload) for workload in WORKLOADS]
        versions = sorted({each.version for each in present})
    wide = rows[-1]
    print(f"\npeak of a float32 matrix product {wide['peak']:.1f} GFLOP/s; on {wide['name']} the core reaches ", end="")
    print(f"{wide['share']:.1%} of it, wanted {WANTED_SHARE:.0%}")
    for name, why in missing.items():
        print(f"missing: {name}: {why}")
    found = {"rounds": ROUNDS, "versions": versions, "missing": missing, "wanted_share": WANTED_SHARE, "rows": rows}
    results.write("steps", found)


def _measured(present: Sequence[Contender], workload: Workload) -> dict[str, Any]:
    last = workload == list(WORKLOADS)[-1]
    taking_part = [each for each in present if each.name != "peak" or last]
    row = _figures(medians(taking_part, workload, ROUNDS), workload)
    print(f"{workload.name:22}" + "".join(_cell(row["microseconds"].get(name)) for name in COLUMNS), end="   ")
    print(", ".join(f"{row['ratios'].get(name, 0):.2f} ({wanted:g})" for name, wanted in row["wanted"].items()), end="")
    print(f", JAX's epochs {row['harder'] or 0:.2f}")
    return row


def _figures(seconds: dict[str, float], workload: Workload) -> dict[str, Any]:
    """Microseconds a step, how many of our steps fit into one of each peer's, and the share of the peak."""
    peak = 2e-9 * SIDE**3 / seconds.pop("peak") if "peak" in seconds else None
    microseconds = {name: each / workload.steps_per_epoch * 1e6 for name, each in seconds.items()}
    ours, wanted = microseconds["compiled"], dict(zip(PEERS, WORKLOADS[workload], strict=True))
    gigaflops = 2e-3 * workload.multiply_adds / ours
    return {
        "name": workload.name,
        "workload": workload._asdict(),
        "microseconds": microseconds,
        "ratios": {peer: microseconds[name] / ours for peer, name in JUDGED.items() if name in microseconds},
        "harder": microseconds[HARDER] / ours if HARDER in microseconds else None,
        "wanted": wanted,
        "gigaflops": gigaflops,
        "peak": peak,
        "share": gigaflops / peak if peak else None,
    }


def _cell(microseconds: float | None) -> str:
    return f"{'missing':>14}" if microseconds is None else f"{microseconds:14.1f}"


if __name__ == "__main__":
    main()
