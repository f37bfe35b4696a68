"""The guard: a second process that ends the stack's parts when the supervisor died without doing so (`kill -9`).

It holds the reading end of a pipe. While the supervisor lives, it is told on it which processes run; when the
supervisor is gone, however it went, the pipe ends, and the guard stops what still runs: in the reverse order, SIGTERM
first, the whole group killed after its grace time. Linux could send a signal at the parent's death
(PR_SET_PDEATHSIG), but to all parts at once, and macOS cannot; a pipe is the same everywhere.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType


class Guard:
    """The supervisor's end of the pipe. The guard inherits `keep`, so a lock in it is held until all parts ended."""

    def __init__(self, keep: Iterable[int] = ()) -> None:
        self._process = subprocess.Popen(
            # As a file, isolated and without site: it starts in a few milliseconds, and needs nothing of ours.
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=tuple(keep),
            start_new_session=True,
        )

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def watch(self, pid: int, grace: float) -> None:
        """This process runs: end it if we cannot, giving it `grace` seconds."""
        self._tell(f"+ {pid} {grace}\n")

    def forget(self, pid: int) -> None:
        """This process has ended."""
        self._tell(f"- {pid} 0\n")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101
        with suppress(BrokenPipeError):  # somebody killed the guard: the stack can live without
            self._process.stdin.write(line.encode())


def guard() -> None:
    """The guard's own process: listen until the pipe ends, then end what still runs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it goes when the supervisor goes, and not before
    running: dict[int, float] = {}
    for line in sys.stdin:
        sign, pid, grace = line.split()
        running.pop(int(pid), None)
        if sign == "+":
            running[int(pid)] = float(grace)
    for pid, seconds in reversed(running.items()):
        end(pid, seconds)


def end(pid: int, grace: float) -> None:
    """SIGTERM to the process, SIGKILL to its group when it is gone or its grace time is over."""
    deadline = time.monotonic() + grace
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline and not is_zombie(pid):
            os.kill(pid, 0)
            time.sleep(0.05)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def is_zombie(pid: int) -> bool:
    """Whether it ended and nobody took note: it was the supervisor's child, and a container may have no init."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:  # gone, or no Linux
        return False


if __name__ == "__main__":
    guard()
