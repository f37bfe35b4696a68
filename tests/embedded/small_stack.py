"""`python -m tests.embedded.small_stack FOLDER`: a supervisor of the programs described in FOLDER/programs.json."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backpropd.errors import BackpropdError
from embedded.data_folder import locked
from embedded.output import Output
from embedded.program import Program
from embedded.supervisor import RestartPolicy, Supervisor

# The beginning of every fake program: it records its pid and its events in the folder, and ends at SIGTERM.
PRELUDE = """
import os, pathlib, signal, subprocess, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
def record(file, line):
    with open(folder / file, "a") as lines: lines.write(f"{line}\\n")
def stop(number, frame):
    record("events", f"{name} stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
record("pids", os.getpid())
record("events", f"{name} started")
def ready():
    record("events", f"{name} ready")
    (folder / f"{name}.ready").touch()
"""


def main() -> int:
    folder = Path(sys.argv[1])
    programs = [_program(folder, **description) for description in json.loads((folder / "programs.json").read_text())]
    output = Output(sys.stdout.buffer, [program.name for program in programs])
    policy = RestartPolicy(max_failures=3, early=0.5, backoff=0.02)
    supervisor = Supervisor(programs, os.environ, output, policy)
    try:
        with locked(folder) as lock:
            supervisor.run(lambda: output.announce("all ready"), [lock])
    except BackpropdError as error:
        output.announce(error.detail)
        return 1
    return 0


def _program(
    folder: Path, *, name: str, code: str, once: bool = False, ready_timeout: float = 20, **settings: Any
) -> Program:
    ready: Callable[[], bool] = (folder / f"{name}.ready").exists
    command = [sys.executable, "-I", "-S", "-c", PRELUDE + code, name, str(folder)]
    return Program(name, command, None if once else ready, ready_timeout, advice=f"(advice about {name})", **settings)


if __name__ == "__main__":
    sys.exit(main())
