"""`python -m tests.embedded.little_stack FOLDER`: a supervisor over the stand-ins that FOLDER/parts.json describes."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backpropd.errors import BackpropdError
from embedded.folder import claimed
from embedded.output import Output
from embedded.program import Part
from embedded.supervisor import Patience, Supervisor

# What every stand-in begins with: it leaves a trace of its life in the folder, and ends when it is asked to.
PRELUDE = """
import os, pathlib, signal, subprocess, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
def trace(file, what):
    with open(folder / file, "a") as lines: lines.write(f"{what}\\n")
def stop(number, frame):
    trace("events", f"{name} stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
trace("pids", os.getpid())
trace("events", f"{name} started")
def ready():
    trace("events", f"{name} ready")
    (folder / f"{name}.ready").touch()
"""


def main() -> int:
    folder = Path(sys.argv[1])
    parts = [_part(folder, **description) for description in json.loads((folder / "parts.json").read_text())]
    output = Output(sys.stdout.buffer, [part.name for part in parts])
    supervisor = Supervisor(parts, os.environ, output, Patience(deaths=3, soon=0.5, backoff=0.02))
    try:
        with claimed(folder) as lock:
            supervisor.run(lambda: output.say("all ready"), keep=[lock])
    except BackpropdError as error:
        output.say(error.detail)
        return 1
    return 0


def _part(folder: Path, *, name: str, code: str, once: bool = False, ready_within: float = 20, **settings: Any) -> Part:
    ready: Callable[[], bool] = (folder / f"{name}.ready").exists
    command = [sys.executable, "-I", "-S", "-c", PRELUDE + code, name, str(folder)]
    return Part(name, command, None if once else ready, ready_within, advice=f"(advice about {name})", **settings)


if __name__ == "__main__":
    sys.exit(main())
