"""Contenders run in alternation: each is a process that stays idle until a round is requested."""

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
OUR_MODULES, THEIR_PYTHON = ("core", "matmul"), ROOT / ".venv-peers" / "bin" / "python"


class Contender:
    """A process of `bench.runner`, driven through two pipes. `missing` is why it cannot run, or None."""

    def __init__(self, name: str, module: str) -> None:
        self.name, self.version, self.repeats = name, "", 0
        self.process: subprocess.Popen[str] | None = None
        python = Path(sys.executable) if module in OUR_MODULES else THEIR_PYTHON
        if not python.exists():
            self.missing: str | None = "not installed"
            return
        command = [str(python), "-m", "bench.runner", module, name]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answer = self._receive()
        self.missing, self.version = answer.get("missing"), answer.get("version", "")

    def prepare(self, workload: Workload) -> None:
        """Make the workload's network and data, compile, and choose the number of repeats of a round."""
        self.repeats = self._request(workload._asdict())["repeats"]

    def round_of(self, repeats: int) -> float:
        """Seconds per repeat, measured over `repeats` of them."""
        return float(self._request(repeats)["seconds"]) / repeats

    def round(self) -> float:
        """Seconds per repeat, measured over a round."""
        return self.round_of(self.repeats)

    def close(self) -> None:
        if self.process:
            self.process.communicate()  # closing its stdin ends it

    def _request(self, message: Any) -> dict[str, Any]:
        assert self.process
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self.process
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"missing": "the process ended"}')
        return answer


@contextlib.contextmanager
def contenders(modules: Mapping[str, str]) -> Iterator[list[Contender]]:
    """Start a contender for each name and its module; all of them end with the block."""
    started: list[Contender] = []
    try:
        started += (Contender(*each) for each in modules.items())
        yield started
    finally:
        for contender in started:
            contender.close()


def medians(present: Sequence[Contender], workload: Workload, rounds: int) -> dict[str, float]:
    """Each contender's seconds per repeat: the median over rounds that alternate between them."""
    for contender in present:
        contender.prepare(workload)
    times = [[contender.round() for contender in present] for _ in range(rounds)]
    columns = zip(*times, strict=True)
    return {contender.name: statistics.median(column) for contender, column in zip(present, columns, strict=True)}
