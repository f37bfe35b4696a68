"""The guard: a second process that stops the stack's programs if the supervisor was killed (`kill -9`).

It holds the reading end of a pipe. The supervisor writes to it which processes run; when the supervisor ends, for
whatever reason, the pipe closes, and the guard stops what still runs: in reverse order, with SIGTERM first, and with
SIGKILL to the process group after the grace time. Linux could signal the parent's death (PR_SET_PDEATHSIG), but to all
programs at once, and macOS cannot; a pipe works on both.
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


class OrphanGuard:
    """The supervisor's end of the pipe. The guard inherits `descriptors`: locks stay locked until it has ended."""

    def __init__(self, descriptors: Iterable[int] = ()) -> None:
        self._process = subprocess.Popen(
            # Isolated and without site-packages it starts within milliseconds and cannot fail on an import.
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=tuple(descriptors),
            start_new_session=True,
        )

    def __enter__(self) -> OrphanGuard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def watch(self, pid: int, grace: float) -> None:
        """Stop this process, with `grace` seconds between SIGTERM and SIGKILL, if the supervisor cannot."""
        self._send(f"+ {pid} {grace}\n")

    def forget(self, pid: int) -> None:
        """This process has ended."""
        self._send(f"- {pid} 0\n")

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101
        with suppress(BrokenPipeError):  # the guard was killed: the stack runs without it
            self._process.stdin.write(line.encode())


def guard() -> None:
    """The guard's own process: read until the pipe closes, then stop what still runs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when the supervisor ends
    running: dict[int, float] = {}
    for line in sys.stdin:
        sign, pid, grace = line.split()
        running.pop(int(pid), None)
        if sign == "+":
            running[int(pid)] = float(grace)
    for pid, seconds in reversed(running.items()):
        stop(pid, seconds)


def stop(pid: int, grace: float) -> None:
    """Send SIGTERM to the process, and SIGKILL to its group when it has ended or its grace time is over."""
    deadline = time.monotonic() + grace
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline and is_running(pid):
            time.sleep(0.05)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether a process has this pid and has not ended; on macOS a zombie counts as running.

    A container may have no init process that removes the supervisor's zombies.
    """
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # another user's process, or no Linux
        return True


if __name__ == "__main__":
    guard()
