"""One program of the stack: what it is (`Part`) and the process that runs it (`Program`)."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from embedded.guard import Guard
from embedded.output import Output

TICK = 0.05
_LONGEST_LINE = 64 * 1024


@dataclass(frozen=True)
class Part:
    """A program to run. Times are seconds.

    `ready` says whether the next part may start. A part without it does its work and ends, with status 0, before the
    next one starts. One that starts `beside` the part before it waits for what that one waits for, and no longer.
    `advice` goes into the message if the stack has to give up on this part.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] | None = None
    ready_within: float = 60.0
    grace: float = 4.0
    beside: bool = False
    advice: str = ""


class Program:
    """The process of a part, in a session of its own, so that a Ctrl-C in the terminal reaches the supervisor alone."""

    def __init__(self, part: Part, environment: Mapping[str, str], output: Output, guard: Guard) -> None:
        self.part = part
        self.last_lines: deque[str] = deque(maxlen=12)
        self._environment = environment
        self._output = output
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = threading.Thread()

    @property
    def status(self) -> int | None:
        """The exit status; None while the process runs or before it was started."""
        return self._process.poll() if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self.status is None

    @property
    def is_ready(self) -> bool:
        if self.part.ready is None:
            return self.status == 0
        return self.alive and self.part.ready()

    def start(self) -> None:
        """Start the process, and a thread that reads its lines."""
        self._process = subprocess.Popen(
            self.part.command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._guard.watch(self._process.pid, self.part.grace)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def stop(self, hurry: Callable[[], bool]) -> None:
        """SIGTERM to the main process alone: it knows its children. What is left after the grace time is killed."""
        if self._process is None:
            return
        if self.alive:
            self._process.terminate()
        deadline = time.monotonic() + self.part.grace
        while self.alive and time.monotonic() < deadline and not hurry():
            time.sleep(TICK)
        self.bury()

    def bury(self) -> None:
        """Kill whatever is left of the process group, and read the last lines."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses a group of zombies with EPERM
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.forget(self._process.pid)
        self._reader.join(timeout=1)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101
        with process.stdout as lines:
            for line in iter(lambda: lines.readline(_LONGEST_LINE), b""):
                self.last_lines.append(line.decode(errors="replace").rstrip())
                self._output.line(self.part.name, line)


def describe(status: int | None) -> str:
    """An exit status in words: `ended with status 3`, `was killed by SIGKILL`."""
    if status is not None and status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
