"""One program of the stack: its description (`Program`) and the process that runs it (`ProgramProcess`)."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from embedded.fork_server import Launch, Process, execute
from embedded.orphan_guard import OrphanGuard
from embedded.output import Output

POLL_SECONDS = 0.05
_MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Program:
    """A program to run. Times are seconds.

    `ready` says whether the next program may start. One without it runs to its end, with status 0, before the next one
    starts. One with `parallel` starts together with the program before it. `advice` is added to the error message if
    the program cannot run. One that is not `required` may fail for as long as it likes: the others go on without it.
    One that `shares_libraries` may be forked from a process that has imported them.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] | None = None
    ready_timeout: float = 60.0
    grace: float = 4.0
    parallel: bool = False
    required: bool = True
    shares_libraries: bool = False
    advice: str = ""


class ProgramProcess:
    """The process of a program, in a session of its own, so that Ctrl-C in the terminal signals only the supervisor."""

    def __init__(
        self, program: Program, environment: Mapping[str, str], output: Output, guard: OrphanGuard, launch: Launch
    ) -> None:
        self.program = program
        self.last_lines: deque[str] = deque(maxlen=12)
        self._environment = environment
        self._output = output
        self._guard = guard
        self._launch = launch
        self._process: Process | None = None
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
        if self.program.ready is None:
            return self.status == 0
        return self.alive and self.program.ready()

    def start(self) -> None:
        """Start the process, and a thread that reads its lines."""
        launch = self._launch if self.program.shares_libraries else execute
        self._process = launch(self.program.command, self._environment)
        self._guard.watch(self._process.pid, self.program.grace)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def stop(self, hurry: Callable[[], bool]) -> None:
        """Send SIGTERM to the main process, which stops its children; after the grace time kill the process group."""
        if self._process is None:
            return
        if self.alive:
            self._process.terminate()
        deadline = time.monotonic() + self.program.grace
        while self.alive and time.monotonic() < deadline and not hurry():
            time.sleep(POLL_SECONDS)
        self.reap()

    def reap(self) -> None:
        """Kill the rest of the process group, collect the exit status, and read the last lines."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS raises EPERM for a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.forget(self._process.pid)
        self._reader.join(timeout=1)

    def _read(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101
        with process.stdout as lines:
            for line in iter(lambda: lines.readline(_MAX_LINE_BYTES), b""):
                self.last_lines.append(line.decode(errors="replace").rstrip())
                self._output.line(self.program.name, line)


def describe(status: int | None) -> str:
    """An exit status in words: `exited with status 3`, `was killed by SIGKILL`."""
    if status is not None and status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"exited with status {status}"
