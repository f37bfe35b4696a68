"""Contenders that take turns: each a process that waits, idle, until it is told to run a round."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.workloads import Workload

ROOT = Path(__file__).parent.parent
OURS, THEIRS = Path(sys.executable), ROOT / ".venv-peers" / "bin" / "python"


class Contender:
    """A `bench.runner` at the other end of two pipes. `missing` says why it cannot take part, or is None."""

    def __init__(self, name: str, module: str, python: Path) -> None:
        self.name, self.version, self.repeats = name, "", 0
        self.process: subprocess.Popen[str] | None = None
        if not python.exists():
            self.missing: str | None = "it is not installed"
            return
        command = [str(python), "-m", "bench.runner", module, name]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answer = self._heard()
        self.missing, self.version = answer.get("missing"), answer.get("version", "")

    def prepare(self, workload: Workload) -> None:
        """Have it make the workload's network and data, compile, and find how much work a round is."""
        self.repeats = self._ask(workload._asdict())["repeats"]

    def round_of(self, repeats: int) -> float:
        """The seconds of one repeat, over so many of them."""
        return float(self._ask(repeats)["seconds"]) / repeats

    def round(self) -> float:
        """The seconds of one repeat, over a round of them."""
        return self.round_of(self.repeats)

    def close(self) -> None:
        if self.process:
            self.process.communicate()  # the end of its stdin ends it

    def _ask(self, question: Any) -> dict[str, Any]:
        assert self.process
        assert self.process.stdin
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self.process
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"missing": "it ended"}')
        return answer


@contextlib.contextmanager
def contenders(wanted: Mapping[str, tuple[str, Path]]) -> Iterator[list[Contender]]:
    """Those of `wanted`, name to (module, Python), started; all end with the block."""
    with contextlib.ExitStack() as stack:
        started = []
        for name, (module, python) in wanted.items():
            started.append(Contender(name, module, python))
            stack.callback(started[-1].close)
        yield started


def medians(present: Sequence[Contender], workload: Workload, rounds: int) -> dict[str, float]:
    """Each contender's seconds a repeat: the median of rounds that take turns."""
    for contender in present:
        contender.prepare(workload)
    times = [[contender.round() for contender in present] for _ in range(rounds)]
    return {
        contender.name: statistics.median(column)
        for contender, column in zip(present, zip(*times, strict=True), strict=True)
    }
