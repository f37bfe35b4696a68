"""The supervisor: starts parts in order, behind their readiness checks, watches them, stops them in reverse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from backpropd.errors import Unavailable
from embedded.guard import Guard
from embedded.output import Output
from embedded.program import TICK, Part, Program, describe
from embedded.signals import StopSignals


@dataclass(frozen=True)
class Patience:
    """When to give up on a part: after so many deaths in a row, each within `soon` of its start, for it cannot start.

    One that has lived longer can, and starts again however often somebody kills it. Seconds; the wait before a restart
    doubles from `backoff`.
    """

    deaths: int = 5
    soon: float = 10.0
    backoff: float = 0.1


class _Asked(Exception):
    """Somebody asked us to stop."""


@dataclass
class _Watched:
    """A program and what has become of it."""

    program: Program
    deaths: int = 0
    started_at: float = field(default_factory=time.monotonic)
    start_at: float | None = None


class Supervisor:
    """Runs the parts until a signal asks it to stop, or a part cannot be kept alive."""

    def __init__(
        self,
        parts: Sequence[Part],
        environment: Mapping[str, str],
        output: Output,
        patience: Patience | None = None,
    ) -> None:
        self._parts = parts
        self._environment = environment
        self._output = output
        self._patience = patience or Patience()
        self._signals = StopSignals()
        self._watched: list[_Watched] = []
        self._awaited: list[Program] = []

    def run(self, announce: Callable[[], None], keep: Sequence[int] = ()) -> None:
        """Start all parts, `announce`, and watch them until a signal comes. Nothing of theirs is left afterwards.

        The descriptors in `keep` (locks) stay open as long as anything runs, even past a `kill -9` of this process.
        Raises `Unavailable` when a part does not become ready or keeps dying: it names the part and its last lines.
        """
        with self._signals, Guard(keep) as guard:
            try:
                for part in self._parts:
                    if not part.beside:
                        self._wait_for_all()
                    self._start(Program(part, self._environment, self._output, guard))
                self._wait_for_all()
                announce()
                while True:
                    self._watch()
            except _Asked:
                self._output.note("stopping; a second signal stops at once")
            finally:
                for watched in reversed(self._watched):
                    watched.program.stop(self._signals.hurry)

    def _start(self, program: Program) -> None:
        self._watched.append(_Watched(program))
        self._awaited.append(program)
        program.start()

    def _wait_for_all(self) -> None:
        """Wait until every part that has started is ready, each no longer than it may take."""
        began = time.monotonic()
        while self._awaited:
            program = self._awaited[0]
            if program.is_ready:
                self._awaited.pop(0)
            elif time.monotonic() > began + program.part.ready_within:
                raise _gave_up(program, f"was not ready within {program.part.ready_within:g} s")
            else:
                self._watch()

    def _watch(self) -> None:
        time.sleep(TICK)
        if self._signals.asked():
            raise _Asked
        for watched in self._watched:
            self._look_after(watched)

    def _look_after(self, watched: _Watched) -> None:
        program = watched.program
        if program.alive or (program.part.ready is None and program.status == 0):
            return
        if watched.start_at is None:
            program.bury()
            watched.start_at = time.monotonic() + self._mourn(watched)
        elif time.monotonic() >= watched.start_at:
            watched.start_at, watched.started_at = None, time.monotonic()
            program.start()

    def _mourn(self, watched: _Watched) -> float:
        """Note a death; the seconds to wait before the next start."""
        program, lived = watched.program, time.monotonic() - watched.started_at
        watched.deaths = 1 if lived > self._patience.soon else watched.deaths + 1
        if program.part.ready is None:
            raise _gave_up(program, describe(program.status))
        if watched.deaths >= self._patience.deaths:
            raise _gave_up(program, f"died {watched.deaths} times in a row and last {describe(program.status)}")
        wait = self._patience.backoff * 2.0 ** (watched.deaths - 1)
        self._output.note(f"{program.part.name} {describe(program.status)}; it starts again in {wait:g} s")
        return wait


def _gave_up(program: Program, what: str) -> Unavailable:
    lines = "".join(f"\n    {line}" for line in program.last_lines) or " none"
    advice = f"\n{program.part.advice}" if program.part.advice else ""
    return Unavailable(f"{program.part.name} {what}. Its last lines:{lines}{advice}")
