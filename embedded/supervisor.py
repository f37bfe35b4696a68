"""The supervisor: starts programs in order, waits until they are ready, restarts them, stops them in reverse order."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from backpropd.errors import Unavailable
from embedded.fork_server import Launch, execute
from embedded.orphan_guard import OrphanGuard
from embedded.output import Output
from embedded.program import POLL_SECONDS, Program, ProgramProcess, describe
from embedded.stop_signals import StopSignals


@dataclass(frozen=True)
class RestartPolicy:
    """When to give up on a program: after `max_failures` exits in a row within `early` seconds of its start.

    One that ran longer is restarted however often it is killed, and so is one that the others do not require. The wait
    before a restart doubles from `backoff` seconds to `max_backoff`.
    """

    max_failures: int = 5
    early: float = 10.0
    backoff: float = 0.1
    max_backoff: float = 60.0


# The last line of a program that refuses to run: an error's code and its sentence.
_REFUSAL = re.compile(r"[a-z]+(?:_[a-z]+)*: (.+)")


class _StopRequested(Exception):
    """A signal was received."""


@dataclass
class _Supervised:
    """A process and its failures."""

    process: ProgramProcess
    failures: int = 0
    started_at: float = field(default_factory=time.monotonic)
    restart_at: float | None = None


class Supervisor:
    """Runs the programs until a signal is received or one of them cannot run."""

    def __init__(
        self,
        programs: Sequence[Program],
        environment: Mapping[str, str],
        output: Output,
        policy: RestartPolicy | None = None,
        launch: Launch = execute,
    ) -> None:
        self._programs = programs
        self._environment = environment
        self._output = output
        self._policy = policy or RestartPolicy()
        self._launch = launch
        self._signals = StopSignals()
        self._supervised: list[_Supervised] = []
        self._starting: list[ProgramProcess] = []

    def run(self, on_ready: Callable[[], None], descriptors: Sequence[int] = ()) -> None:
        """Start all programs, call `on_ready`, and supervise them until a signal. No process is left afterwards.

        `descriptors` (locks) stay open as long as any process runs, even after a `kill -9` of this one. Raises
        `Unavailable`, with the program's last lines, if one does not become ready or keeps failing.
        """
        with self._signals, OrphanGuard(descriptors) as guard:
            try:
                for program in self._programs:
                    if not program.parallel:
                        self._wait_until_ready()
                    self._start(ProgramProcess(program, self._environment, self._output, guard, self._launch))
                self._wait_until_ready()
                on_ready()
                while True:
                    self._poll()
            except _StopRequested:
                self._output.note("stopping; a second signal stops at once")
            finally:
                for supervised in reversed(self._supervised):
                    supervised.process.stop(lambda: self._signals.repeated)

    def _start(self, process: ProgramProcess) -> None:
        self._supervised.append(_Supervised(process))
        self._starting.append(process)
        process.start()

    def _wait_until_ready(self) -> None:
        """Wait until every started program is ready. Raises `Unavailable` after its timeout."""
        began = time.monotonic()
        while self._starting:
            process = self._starting[0]
            timeout = process.program.ready_timeout
            if process.is_ready:
                self._starting.pop(0)
            elif time.monotonic() > began + timeout:
                raise _failure(process, f"was not ready within {timeout:g} s")
            else:
                self._poll()

    def _poll(self) -> None:
        time.sleep(POLL_SECONDS)
        if self._signals.received:
            raise _StopRequested
        for supervised in self._supervised:
            self._restart_if_ended(supervised)

    def _restart_if_ended(self, supervised: _Supervised) -> None:
        process = supervised.process
        if process.alive or (process.program.ready is None and process.status == 0):
            return
        if supervised.restart_at is None:
            process.reap()
            supervised.restart_at = time.monotonic() + self._record_exit(supervised)
        elif time.monotonic() >= supervised.restart_at:
            supervised.restart_at, supervised.started_at = None, time.monotonic()
            process.start()

    def _record_exit(self, supervised: _Supervised) -> float:
        """Count a failure; returns the seconds to wait before the restart. Raises `Unavailable` to give up."""
        process, lifetime = supervised.process, time.monotonic() - supervised.started_at
        supervised.failures = 1 if lifetime > self._policy.early else supervised.failures + 1
        if process.program.ready is None:
            if refusal := _REFUSAL.fullmatch(process.last_lines[-1] if process.last_lines else ""):
                raise Unavailable(refusal[1])
            raise _failure(process, describe(process.status))
        if supervised.failures >= self._policy.max_failures and process.program.required:
            raise _failure(process, f"failed {supervised.failures} times in a row and last {describe(process.status)}")
        wait = min(self._policy.backoff * 2.0 ** min(supervised.failures - 1, 100), self._policy.max_backoff)
        self._output.note(f"{process.program.name} {describe(process.status)}; restarting in {wait:g} s")
        return wait


def _failure(process: ProgramProcess, what: str) -> Unavailable:
    lines = "".join(f"\n    {line}" for line in process.last_lines) or " none"
    advice = f"\n{process.program.advice}" if process.program.advice else ""
    return Unavailable(f"{process.program.name} {what}. Its last lines:{lines}{advice}")
