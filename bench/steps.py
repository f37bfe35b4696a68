"""The time of a training step compared with scikit-learn, PyTorch and JAX: `python -m bench.steps`.

The same data, network and batches, shuffled each epoch; SGD with momentum, float32, relu, one thread. Rounds alternate
between the contenders, so that other load on the machine affects all of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from bench import results
from bench.alternation import OURS, THEIRS, Contender, contenders, medians
from bench.contenders.matmul import SIDE
from bench.workloads import PEERS, WORKLOADS, Workload

ROUNDS = int(os.environ.get("ROUNDS", "9"))
TARGET_SHARE = 0.92  # of the machine's peak
COMPARED = {"scikit-learn": "scikit-learn", "pytorch": "pytorch", "jax": "jax, a call per step"}
"""The contender that stands for each peer: of JAX's two the plain loop, which calls a jitted step per batch."""
JAX_EPOCHS = "jax, a call per epoch"
CONTENDERS = {
    "compiled": ("core", OURS),
    "numpy": ("core", OURS),
    "scikit-learn": ("scikit_learn", THEIRS),
    "pytorch": ("pytorch", THEIRS),
    "jax, a call per step": ("jax_jit", THEIRS),
    "jax, a call per epoch": ("jax_jit", THEIRS),
    "peak": ("matmul", OURS),
}
COLUMNS = {
    "compiled": "core", "numpy": "NumPy core", "scikit-learn": "scikit-learn", "pytorch": "PyTorch",
    "jax, a call per step": "JAX, steps", "jax, a call per epoch": "JAX, epochs",
}  # fmt: skip


def main() -> None:
    """Print the table, and store it."""
    print(f"µs a step: SGD with momentum, float32, relu, one thread; medians of {ROUNDS} alternating rounds\n")
    print(f"{'':22}" + "".join(f"{title:>14}" for title in COLUMNS.values()) + "   speed-up (target)")
    with contenders(CONTENDERS) as started:
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
    print(f"{workload.name:22}" + "".join(_cell(row["microseconds"].get(name)) for name in COLUMNS), end="   ")
    print(
        ", ".join(f"{row['ratios'].get(name, 0):.2f} ({target:g})" for name, target in row["targets"].items()), end=""
    )
    print(f", JAX's epochs {row['jax_epochs_ratio'] or 0:.2f}")
    return row


def _row(seconds: dict[str, float], workload: Workload) -> dict[str, Any]:
    """Microseconds per step, the speed-up over each peer, and the share of the machine's peak."""
    peak = 2e-9 * SIDE**3 / seconds.pop("peak") if "peak" in seconds else None
    microseconds = {name: each / workload.steps_per_epoch * 1e6 for name, each in seconds.items()}
    ours, targets = microseconds["compiled"], dict(zip(PEERS, WORKLOADS[workload], strict=True))
    gigaflops = 2e-3 * workload.multiply_adds / ours
    return {
        "name": workload.name,
        "workload": workload._asdict(),
        "microseconds": microseconds,
        "ratios": {peer: microseconds[name] / ours for peer, name in COMPARED.items() if name in microseconds},
        "jax_epochs_ratio": microseconds[JAX_EPOCHS] / ours if JAX_EPOCHS in microseconds else None,
        "targets": targets,
        "gigaflops": gigaflops,
        "peak": peak,
        "share": gigaflops / peak if peak else None,
    }


def _cell(microseconds: float | None) -> str:
    return f"{'missing':>14}" if microseconds is None else f"{microseconds:14.1f}"


if __name__ == "__main__":
    main()
