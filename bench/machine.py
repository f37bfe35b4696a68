"""The machine and the date of a run of the benchmarks: `python -m bench.machine` begins a run."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench import results


def main() -> None:
    """Delete the results of the previous run, and store what this one runs on."""
    for path in results.OUT.glob("*.json"):
        path.unlink()
    machine = about()
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, load {machine['load']:.1f}\n")
    results.write("machine", machine)


def about() -> dict[str, Any]:
    """The date, the machine and the versions."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload,index]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": [f"Python {platform.python_version()}", f"{blas['name']} {blas['version']}"],
        "load": os.getloadavg()[0],
    }


def _processor() -> str:
    """The model name from Linux, or what Python reports."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
