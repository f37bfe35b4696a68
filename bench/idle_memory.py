"""The memory of an idle embedded stack, process by process: `python -m bench.idle_memory`. Linux only.

A page that processes share counts once (PSS). The kernels should be compiled before: `python -m worker compile`.
"""

import tempfile
import time
from pathlib import Path

import psutil

from embedded.demo import stack
from tests.processes import command

SETTLE_SECONDS = 15.0
MIB = 2**20


def main() -> None:
    """Start a stack, wait until it has nothing to do, and print what it holds."""
    with tempfile.TemporaryDirectory(prefix="backpropd-idle-") as folder, stack(Path(folder)):
        time.sleep(SETTLE_SECONDS)
        total = 0.0
        for process in psutil.Process().children(recursive=True):
            used = process.memory_full_info().pss / MIB
            total += used
            print(f"{used:6.0f} MiB  {' '.join(command(process))[-70:]}")
        print(f"{total:6.0f} MiB  the whole stack")


if __name__ == "__main__":
    main()
