"""A program under test, in a process of its own: its lines as they come, signals to it, and who outlives it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded.guard import is_zombie

PATIENCE = 30.0


class Running:
    """A process whose output is collected while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, text: str) -> str:
        """The first line with this text; fails when the process ends without it."""
        eventually(lambda: self._said(text) or not self._reader.is_alive())
        assert self._said(text), f"never said {text!r}:\n{self.output}"
        return next(line for line in self.lines if text in line)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; the exit status."""
        status = self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        return status

    def stop(self) -> int:
        """Ask it to stop, and wait."""
        self.send(signal.SIGTERM)
        return self.end()

    def _said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            self.lines.extend(line.rstrip("\n") for line in iter(lines.readline, ""))


@contextmanager
def running(command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start it, in our environment if none is given; at the end nothing of it stays, whatever the test did."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Running(process)
    finally:
        process.kill()  # the guard ends the parts; tests/embedded/test_supervisor.py holds it to that
        process.wait()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether this process runs; one that ended and waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not is_zombie(pid)


def traced(folder: Path, file: str) -> list[str]:
    """The lines that stand-ins left in this file."""
    path = folder / file
    return path.read_text().splitlines() if path.exists() else []


def left_over(folder: Path) -> list[int]:
    """The stand-ins of this folder that still run."""
    return [int(pid) for pid in traced(folder, "pids") if alive(int(pid))]
