"""A program under test as a process: its output, signals to it, and the processes it leaves."""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from embedded.orphan_guard import is_running

TIMEOUT = 30.0  # seconds


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
        """The first line with this text; fails if the process ends without it."""
        eventually(lambda: self._printed(text) or not self._reader.is_alive())
        assert self._printed(text), f"never printed {text!r}:\n{self.output}"
        return next(line for line in self.lines if text in line)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; returns the exit status."""
        status = self.process.wait(timeout=TIMEOUT)
        self._reader.join(timeout=TIMEOUT)
        return status

    def stop(self) -> int:
        """Send SIGTERM and wait for the end; returns the exit status."""
        self.send(signal.SIGTERM)
        return self.end()

    def _printed(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            self.lines.extend(line.rstrip("\n") for line in iter(lines.readline, ""))


@contextmanager
def running(command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a program, by default in this environment; it is killed at the end."""
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
        process.kill()  # its guard stops the programs, as tests/embedded/test_supervisor.py checks
        process.wait()


def eventually(condition: Callable[[], bool], seconds: float = TIMEOUT) -> None:
    """Wait until the condition holds; fail if it does not within these seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.02)


def is_listening(port: int) -> bool:
    """Whether a server of the loopback accepts connections at this port."""
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def read_lines(folder: Path, file: str) -> list[str]:
    """The lines that the fake programs wrote to this file."""
    path = folder / file
    return path.read_text().splitlines() if path.exists() else []


def still_running(folder: Path) -> list[int]:
    """The pids of this folder's fake programs that still run."""
    return [int(pid) for pid in read_lines(folder, "pids") if is_running(int(pid))]
