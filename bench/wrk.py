"""The HTTP client wrk: requests a second and latencies of a POST. `python -m bench.wrk` checks that it is installed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 8
TIMEOUT = "30s"  # of a request, after which it counts as failed
PROGRAM = shutil.which("wrk")
SCRIPT = Path(__file__).with_suffix(".lua")
MISSING = "The benchmark of served predictions needs wrk: install it with `apt install wrk` or `brew install wrk`."


class Load(NamedTuple):
    """Requests a second, and the milliseconds that half and 99 % of them took at most."""

    per_second: float
    p50: float
    p99: float


def find() -> str:
    """The path of the program. Ends this one with the reason if there is none."""
    return PROGRAM or sys.exit(MISSING)


def measure(url: str, bodies: Path, seconds: int) -> Load:
    """Post the lines of `bodies` in turn for some seconds, over 8 connections from one thread.

    Raises `RuntimeError` if a request failed: a status of 400 or more, a lost connection, or no answer.
    """
    options = ["--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--timeout", TIMEOUT]
    command = [find(), *options, "--script", str(SCRIPT), url, "--", str(bodies)]
    return parse(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)


def parse(output: str) -> Load:
    """What `wrk.lua` printed last. Raises `RuntimeError` if a request failed, or none was answered."""
    found = json.loads(output.strip().splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise RuntimeError(f"{found['failed']} requests failed, and {found['requests']} were answered:\n{output}")
    return Load(found["requests"] / found["seconds"], found["p50"], found["p99"])


if __name__ == "__main__":
    find()
